"""What the peers need, installed and built at fixed versions below one folder."""
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from worker import PeerError, last_line

LLAMA_CPP = {"sdist": "llama-cpp-python", "version": "0.3.36",
             "sha256": "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"}
TRANSFORMERS = ["torch==2.15.0", "transformers==5.24.0", "accelerate==1.15.0",
                "sentencepiece==0.2.3", "safetensors==0.8.0", "numpy<2.5"]
# What optimum-intel asks for, but for torchvision, which text models do without.
OPENVINO = ["torch==2.15.0", "openvino==2026.4.1", "openvino-tokenizers==2026.4.1.0",
            "openvino-genai==2026.4.1.0", "transformers==5.5.4", "huggingface-hub==1.21.0",
            "nncf==3.4.0", "optimum==2.3.0", "requests", "setuptools<81"]
OPENVINO_ALONE = ["optimum-intel==2.2.0"]


class Workplace:
    """The folder that everything goes into, and how its commands are run."""

    def __init__(self, folder, fathom, python, cores, jobs, say):
        self.folder = Path(folder).resolve()
        self.fathom, self.python, self.jobs, self.say = fathom, python, jobs, say
        self.cores = sorted(cores)
        self.threads = len(self.cores)
        self.folder.mkdir(parents=True, exist_ok=True)

    def run(self, command, what, environment=None):
        """A step of the setup; its output goes into setup.log."""
        with open(self.folder / "setup.log", "a+", encoding="utf-8", errors="replace") as log:
            log.write(f"\n== {what}\n$ {' '.join(map(str, command))}\n")
            log.flush()
            start = log.tell()
            done = subprocess.run([str(part) for part in command], stdout=log,
                                  stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False,
                                  env={**os.environ, **(environment or {})})
            if done.returncode != 0:
                log.seek(start)
                raise PeerError(f"{what} failed ({self.folder}/setup.log): {last_line(log.read())}")

    def once(self, target, what, make):
        """`make(part)` writes a file or folder; it is there whole or not at all."""
        target = Path(target)
        if target.exists():
            return target
        self.say(f"{what} ...")
        part = target.with_name("part-" + target.name)
        remove(part)
        target.parent.mkdir(parents=True, exist_ok=True)
        make(part)
        part.replace(target)
        return target


def remove(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def packages_of(python):
    """The folder that an interpreter's packages lie in."""
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PeerError(f"--python {python}: {last_line(done.stderr)}")
    return done.stdout.strip()


def make_environment(workplace, name, requirements, alone=()):
    """A virtual environment's python. With --python, packages of that interpreter (torch) that fit
    are used where they are and not installed again."""
    folder = workplace.folder / f"python-{name}"
    python = folder / "bin/python"
    stamp = folder / "installed.txt"
    wanted = "\n".join([*requirements, *alone, str(workplace.python or "")])
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return str(python)
    workplace.say(f"installing {', '.join([*requirements, *alone])} ...")
    remove(folder)
    workplace.run([sys.executable, "-m", "venv", folder], f"a Python environment for {name}")
    if workplace.python:
        below = folder / Path(packages_of(python)).relative_to(folder) / "zz_other_packages.pth"
        below.write_text(packages_of(workplace.python) + "\n", encoding="utf-8")
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check"]
    workplace.run([*pip, *requirements], f"installing {name}")
    if alone:
        workplace.run([*pip, "--no-deps", *alone], f"installing {name}")
    stamp.write_text(wanted, encoding="utf-8")
    return str(python)


def fetch_llama_cpp(workplace):
    """The folder of llama.cpp's sources, out of the source archive of its Python binding."""
    name = f"llama.cpp-{LLAMA_CPP['version']}"

    def make(part):
        tools = make_environment(workplace, "build", ["scikit-build-core==1.1.2"])
        archives = workplace.folder / "archives"
        workplace.run([tools, "-m", "pip", "download", "--no-deps", "--no-build-isolation",
                       "--no-binary", ":all:", "--dest", archives,
                       f"{LLAMA_CPP['sdist']}=={LLAMA_CPP['version']}"], "fetching llama.cpp")
        archive = next(archives.glob(f"llama_cpp_python-{LLAMA_CPP['version']}.tar.gz"))
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
        if found != LLAMA_CPP["sha256"]:
            raise PeerError(f"{archive}: its SHA-256 is {found}, not {LLAMA_CPP['sha256']}")
        with tarfile.open(archive) as packed:
            packed.extractall(part, filter="data")
    top = workplace.once(workplace.folder / name, "fetching llama.cpp", make)
    return next(top.glob("*")) / "vendor/llama.cpp"


def build_llama_cpp(workplace, source):
    """llama_turns on llama.cpp's library, which is built for this CPU as its users build it."""
    build = workplace.folder / f"llama.cpp-{LLAMA_CPP['version']}-build"
    driver = Path(__file__).with_name("llama_turns.cc")
    program = "llama_turns-" + hashlib.sha256(driver.read_bytes()).hexdigest()[:8]

    def make(part):
        workplace.run(["cmake", "-S", source, "-B", build, "-DCMAKE_BUILD_TYPE=Release",
                       "-DGGML_NATIVE=ON", "-DBUILD_SHARED_LIBS=OFF", "-DLLAMA_BUILD_COMMON=OFF",
                       "-DLLAMA_BUILD_TOOLS=OFF", "-DLLAMA_BUILD_TESTS=OFF",
                       "-DLLAMA_BUILD_EXAMPLES=OFF", "-DLLAMA_BUILD_SERVER=OFF"],
                      "configuring llama.cpp")
        workplace.run(["cmake", "--build", build, "-j", workplace.jobs, "--target", "llama"],
                      "building llama.cpp")
        libraries = [build / "src/libllama.a", *(build / "ggml/src" / f"lib{name}.a" for name in
                                                 ("ggml", "ggml-cpu", "ggml-base"))]
        workplace.run([os.environ.get("CXX", "c++"), "-O2", "-std=c++17", f"-I{source}/include",
                       f"-I{source}/ggml/include", driver, *libraries, "-fopenmp", "-lpthread",
                       "-ldl", "-o", part],
                      "building llama_turns")
    return workplace.once(build / program, "building llama.cpp (5 to 15 minutes)", make)


def make_checkpoint(workplace, model, python):
    """The Hugging Face folder that every engine's model is made from."""
    def make(part):
        config = workplace.folder / "models" / f"{model.name}.json"
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(json.dumps(model.config), encoding="utf-8")
        script = Path(__file__).with_name("make_checkpoint.py")
        workplace.run([python, script, config, part], f"making {model.name}",
                      {"HF_HUB_OFFLINE": "1"})
    return workplace.once(model.checkpoint, f"making {model.name} with random weights", make)
