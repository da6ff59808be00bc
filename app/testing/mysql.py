"""A real MySQL for tests, beside whatever the system has: Debian's newest, unpacked into a cache folder.

Its packages come from the Debian archive that this machine uses, are checked by apt as always, and run
with a loader and libraries of their own; nothing on the system is changed. `python -m app.testing.mysql`
fetches it (60 MB, once) and prints its version, or in one line why it cannot be had here.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "guerdon-mysql"
UNPACKED = CACHE / "unpacked"
PACKAGE = "mysql-server-core"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SOURCES = Path("/etc/apt")
ARCHIVE = re.compile(r"^[^#\n]*?(https?://\S+/debian)/?(?:\s|$)", re.MULTILINE)
PATIENCE = 240  # seconds for one step of fetching


class MySQLMissing(Exception):
    """It cannot be had here; the text says why."""


def fetch_mysql() -> None:
    """Have MySQL in the cache; others who want it meanwhile wait. Raises MySQLMissing."""
    if is_fetched():
        return
    try:
        CACHE.mkdir(parents=True, exist_ok=True)
        with (CACHE / "lock").open("w") as lock, tempfile.TemporaryDirectory(dir=CACHE) as folder:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not is_fetched():
                download(Path(folder))
    except (OSError, subprocess.SubprocessError) as error:
        raise MySQLMissing(describe_failure(error)) from error


def is_fetched() -> bool:
    return (UNPACKED / "usr/sbin/mysqld").exists()


def describe_failure(error: Exception) -> str:
    """In one line: the last one of a command, where that said why."""
    said = str(getattr(error, "stderr", None) or "").strip().splitlines()
    return said[-1] if said else str(error)


def download(folder: Path) -> None:
    """Download the package and all it needs, as apt would on a system that has nothing, and unpack them."""
    debs, unpacked = folder / "debs", folder / "unpacked"
    for inner in (folder / "lists/partial", debs / "partial", unpacked):
        inner.mkdir(parents=True)
    (folder / "status").touch()
    (folder / "sources.list").write_text(f"deb [signed-by={KEYRING}] {find_archive()} sid main\n")
    settings = {
        "Dir::Etc::sourcelist": folder / "sources.list", "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": folder / "lists", "Dir::State::status": folder / "status",
        "Dir::Cache": folder, "Dir::Cache::archives": debs, "Debug::NoLocking": "1",
        "APT::Sandbox::User": "", "APT::Update::Error-Mode": "any", "Acquire::Retries": "1",
        "Acquire::http::Timeout": "20",
    }  # fmt: skip
    apt = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in settings.items())]
    run(*apt, "update")
    run(*apt, "install", "--yes", "--download-only", "--no-install-recommends", PACKAGE)
    for deb in debs.glob("*.deb"):
        run("dpkg", "-x", deb, unpacked)
    unpacked.rename(UNPACKED)


def find_archive() -> str:
    """The Debian archive where this machine gets its own packages."""
    files = [SOURCES / "sources.list", *sorted(SOURCES.glob("sources.list.d/*"))]
    found = ARCHIVE.search("\n".join(file.read_text() for file in files if file.is_file()))
    if found is None or not KEYRING.exists() or not shutil.which("apt-get"):
        raise MySQLMissing("it is fetched as Debian packages, and this machine has no Debian's apt")
    return found[1]


def run(*command: Any) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        check=True, capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    return done.stdout


def make_command(*options: str) -> list[str]:
    """The command of mysqld with `options`, by the loader and the libraries that came with it."""
    share = UNPACKED / "usr/share/mysql"
    libraries = sorted({str(one.parent) for one in UNPACKED.glob("usr/lib/**/*.so*")})
    loader = next(UNPACKED.glob("usr/lib/**/ld-linux*.so*"))
    return [
        str(loader), "--library-path", ":".join(libraries), str(UNPACKED / "usr/sbin/mysqld"),
        "--no-defaults", f"--lc-messages-dir={share}", f"--character-sets-dir={share}/charsets",
        f"--plugin-dir={UNPACKED}/usr/lib/mysql/plugin", "--secure-file-priv=", "--mysqlx=OFF",
        "--skip-log-bin", *options,
    ]  # fmt: skip


if __name__ == "__main__":
    try:
        fetch_mysql()
        print(re.sub(r"^.*?Ver ", "MySQL ", run(*make_command("--version")).strip()))
    except MySQLMissing as missing:
        print(f"MySQL cannot be had here, its tests are skipped: {missing}", file=sys.stderr)
