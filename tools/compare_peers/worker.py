"""Processes that hold a loaded model and take turns; and processes that are timed whole."""
import ctypes
import json
import os
import select
import signal
import subprocess
import tempfile
import time

PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>


class PeerError(Exception):
    """A peer cannot be had or did not do its work; the message is one line for people."""


def busy_cores(seconds=0.1, file="/proc/stat"):
    """How many cores' worth of work the machine does meanwhile: others', where nobody of ours
    runs."""
    def ticks():
        with open(file, encoding="ascii") as stat:
            fields = [int(field) for field in stat.readline().split()[1:]]
        return sum(fields[:3]) + sum(fields[5:8])  # without idle, waiting for disks, guests
    before = ticks()
    time.sleep(seconds)
    return (ticks() - before) / os.sysconf("SC_CLK_TCK") / seconds


def last_line(text):
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"


def bound_to(cores):
    """What a child does first: it keeps to its cores, and ends with this process however that
    ends, for a stopped process would otherwise stay for ever."""
    parent = os.getpid()

    def begin():
        os.sched_setaffinity(0, cores)
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    return begin


class Worker:
    """A process that answers an order, a line, with a line of JSON. Between its turns it is
    stopped, so that threads of its that spin do not disturb others."""

    def __init__(self, command, cores, environment=None, start_seconds=300):
        self.name = os.path.basename(command[0])
        self.errors = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
            env={**os.environ, **(environment or {})}, bufsize=0, preexec_fn=bound_to(cores))
        self.pending = b""
        self.ready = self.answer(start_seconds)
        self.process.send_signal(signal.SIGSTOP)

    def fail(self, what):
        self.end()
        self.errors.seek(0)
        said = last_line(self.errors.read())
        self.close()
        raise PeerError(f"{self.name}: {what}: {said}")

    def answer(self, seconds):
        """The next line that is a JSON object; whatever else a library prints is passed over."""
        deadline = time.monotonic() + seconds
        while True:
            line, found, rest = self.pending.partition(b"\n")
            if found:
                self.pending = rest
                if line.startswith(b"{"):
                    return json.loads(line)
                continue
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                self.fail(f"no answer within {seconds:.0f} s")
            part = os.read(self.process.stdout.fileno(), 65536)
            if not part:
                self.fail("ended early")
            self.pending += part

    def ask(self, order, seconds=120):
        self.process.send_signal(signal.SIGCONT)
        try:
            self.process.stdin.write(order.encode() + b"\n")
        except BrokenPipeError:
            self.fail("ended early")
        result = self.answer(seconds)
        self.process.send_signal(signal.SIGSTOP)
        return result

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def close(self):
        self.end()
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            stream.close()


def run_timed(command, cores, environment=None, seconds=300):
    """(wall seconds, peak resident bytes, stdout, stderr) of a whole process."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        begin = bound_to(cores)
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=errors,
            env={**os.environ, **(environment or {})},
            preexec_fn=lambda: (begin(), signal.alarm(int(seconds))))
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        errors.seek(0)
        text, said = (stream.read().decode("utf-8", "replace") for stream in (out, errors))
    if process.returncode != 0:
        raise PeerError(f"{os.path.basename(command[0])} ended with {process.returncode}: "
                        f"{last_line(said or text)}")
    return wall, usage.ru_maxrss * 1024, text, said
