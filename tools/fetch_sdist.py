#!/usr/bin/env python3
"""Fetches a source archive of the Python package index, checks it, and unpacks some of its files.

  fetch_sdist.py NAME VERSION SHA256 FOLDER FILE[=TARGET]...

FILE is a path inside the archive below its top folder, TARGET its path below FOLDER (FILE's last
part where none is given); FILE/=TARGET/ takes all that lies below a folder. The index is pip's:
PIP_INDEX_URL, PIP_EXTRA_INDEX_URL, PIP_FIND_LINKS, PIP_CERT and pip's configuration files are read
as pip reads them, and pypi.org is the default. The archive is kept in FATHOM_CACHE
(~/.cache/fathom), and one that is there with the right checksum is not asked for again. Needs
nothing but the standard library. On failure: one line on stderr, exit 1.
"""
import base64
import configparser
import hashlib
import html.parser
import io
import os
import ssl
import sys
import tarfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ATTEMPTS = 3
TIMEOUT_S = 30
MAX_BYTES = 64 << 20


class Links(html.parser.HTMLParser):
    """The targets of the links of a page."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        if tag == "a":
            self.found += [value for key, value in attrs if key == "href" and value]


def pip_settings():
    """{key: value} of pip's configuration: files first, the environment above them."""
    home = Path.home()
    files = ["/etc/xdg/pip/pip.conf", "/etc/pip.conf", home / ".pip/pip.conf",
             Path(os.environ.get("XDG_CONFIG_HOME", home / ".config")) / "pip/pip.conf",
             Path(sys.prefix) / "pip.conf", os.environ.get("PIP_CONFIG_FILE")]
    settings = {}
    for name in files:
        if not name or str(name) == os.devnull:
            continue
        parser = configparser.RawConfigParser()
        try:
            parser.read(name, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue
        for section in ("global", "install", "download"):
            if parser.has_section(section):
                settings.update({k.replace("_", "-"): v for k, v in parser.items(section)})
    for key, value in os.environ.items():
        if key.startswith("PIP_"):
            settings[key[4:].lower().replace("_", "-")] = value
    return settings


def pages(settings, name):
    """The pages and folders that may list the archive, in pip's order."""
    index = [settings.get("index-url", "https://pypi.org/simple")]
    index += settings.get("extra-index-url", "").split()
    if settings.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        index = []
    found = [url.rstrip("/") + "/" + name + "/" for url in index]
    return settings.get("find-links", "").split() + found


def opener(settings):
    context = ssl.create_default_context()
    if settings.get("cert"):
        context.load_verify_locations(cafile=settings["cert"])
    for host in settings.get("trusted-host", "").split():
        # pip's own switch: this host is reached without a check; the checksum is checked anyway.
        if host in settings.get("index-url", ""):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
    handler = urllib.request.HTTPSHandler(context=context)
    result = urllib.request.build_opener(handler)
    result.addheaders = [("User-Agent", "fathom-build"), ("Accept", "text/html, */*;q=0.1")]
    return result


def read(client, url):
    """The bytes of a URL, whose user and password, if any, go into a header."""
    parts = urllib.parse.urlsplit(url)
    request_url = url
    headers = {}
    if parts.username:
        pair = ":".join(urllib.parse.unquote(p or "") for p in (parts.username, parts.password))
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        host = parts.hostname + (f":{parts.port}" if parts.port else "")
        request_url = urllib.parse.urlunsplit(parts._replace(netloc=host))
    request = urllib.request.Request(request_url, headers=headers)
    with client.open(request, timeout=TIMEOUT_S) as answer:
        data = answer.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise OSError(f"more than {MAX_BYTES} bytes")
    return data


def archive_names(name, version):
    return {f"{stem}-{version}.tar.gz" for stem in (name, name.replace("-", "_"))}


def find_in_page(client, page, wanted):
    """The URL (or path) of the archive on a page or in a folder, or None."""
    if "://" not in page:
        for entry in wanted:
            if (Path(page) / entry).is_file():
                return (Path(page) / entry).resolve().as_uri()
        return None
    links = Links()
    links.feed(read(client, page).decode("utf-8", "replace"))
    for link in links.found:
        url = urllib.parse.urljoin(page, link)
        if urllib.parse.unquote(urllib.parse.urlsplit(url).path).rsplit("/", 1)[-1] in wanted:
            return urllib.parse.urldefrag(url)[0]
    return None


def download(name, version, sha256):
    """The archive's bytes; OSError says what went wrong at the last page that was asked."""
    settings = pip_settings()
    client = opener(settings)
    problem = "no index is configured"
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(2 ** attempt)
        for page in pages(settings, name):
            try:
                url = find_in_page(client, page, archive_names(name, version))
                if url is None:
                    problem = f"the index lists no {name}-{version}.tar.gz"
                    continue
                data = read(client, url)
            except (OSError, ValueError) as error:
                problem = str(getattr(error, "reason", error))
                continue
            if hashlib.sha256(data).hexdigest() == sha256:
                return data
            problem = "the archive's checksum is another"
    raise OSError(problem)


def cached(name, version, sha256):
    folder = Path(os.environ.get("FATHOM_CACHE") or Path.home() / ".cache/fathom")
    path = folder / f"{name}-{version}.tar.gz"
    try:
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() == sha256:
            return data
    except OSError:
        pass
    data = download(name, version, sha256)
    try:  # a cache that cannot be written costs the next build a download, nothing else
        write(path, data)
    except OSError:
        pass
    return data


def unpack(data, folder, files):
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        members = {member.name.split("/", 1)[-1]: member for member in archive if member.isfile()}
        for entry in files:
            source, _, target = entry.partition("=")
            wanted = {source: target or source.rsplit("/", 1)[-1]}
            if source.endswith("/"):
                wanted = {name: target + name[len(source):] for name in members
                          if name.startswith(source) and ".." not in name.split("/")}
            if not wanted or not set(wanted) <= set(members):
                raise OSError(f"the archive has no {source}")
            for name, below in wanted.items():
                write(Path(folder) / below, archive.extractfile(members[name]).read())


def write(path, data):
    """Whole or not at all, whoever else writes it at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_bytes(data)
    part.replace(path)


def main(arguments):
    if len(arguments) < 5:
        print(__doc__.strip().split("\n\n")[1].strip(), file=sys.stderr)
        return 2
    name, version, sha256, folder, *files = arguments
    try:
        unpack(cached(name, version, sha256), folder, files)
    except (OSError, tarfile.TarError) as error:
        print(f"fetch_sdist: {name} {version} (the Python package index, as pip is configured): "
              f"{' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
