"""Tries each mutant against its tests and prints what survives.

With words, only those whose file or sentence holds one of them. The tests are run unchanged first:
one that fails anyway would notice everything. Ends with 1 where a mutant survives.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.mutants.reading import DATABASES, ROOT, Mutant, read_mutants

COPIED = ("app", "plugins", "config", "tests", "docs", "deploy", "bench", "requirements",
          "wsgi.py", "guerdon.py", "pyproject.toml", "setup.cfg", "README.md", "README.zh-CN.md",
          "CHANGELOG.md", "LICENSE", "Makefile")  # fmt: skip
AT_ONCE = 2
LONGEST = 600  # seconds of one run
LONGEST_UNCHANGED = 3600  # seconds of all tests there are
# pytest's exit codes: a test failed; there was none, as where the tests are of another database.
FAILED, NONE = 1, 5


class Copies:
    """Copies of the source, one for whoever needs one at the same time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._free: list[Path] = []
        self._lock = threading.Lock()
        self._made = 0

    @contextmanager
    def borrow(self) -> Iterator[Path]:
        with self._lock:
            copy = self._free.pop() if self._free else self._make()
        yield copy
        self._free.append(copy)

    def _make(self) -> Path:
        self._made += 1
        copy = self._folder / str(self._made)
        copy.mkdir()
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, copy / name)
            elif source.exists():
                shutil.copy(source, copy / name)
        return copy


def run_tests(
    root: Path, tests: Sequence[str], database: str, longest: int, *options: str
) -> tuple[int, str]:
    """pytest's exit code on one database, and the test that failed first."""
    others = [other for other in (*DATABASES, "mysql") if other != database]
    command = [
        sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--timeout=120",
        "-k", " and ".join(f"not {other}" for other in others), *options, *tests,
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, check=False, cwd=root, capture_output=True, text=True, timeout=longest,
            env=os.environ | {"PYTHONPATH": str(root)},  # what the tests start is the copy too
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return FAILED, "a test hung"
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return done.returncode, failed[0] if failed else done.stdout[-2000:] + done.stderr[-2000:]


def try_mutant(copies: Copies, mutant: Mutant) -> list[str]:
    """A line for each database on which no test noticed it."""
    survived, tried = [], 0
    with copies.borrow() as root:
        source = mutant.apply(root)
        try:
            for database in mutant.on:
                code, told = run_tests(root, mutant.tests, database, LONGEST)
                tried += code != NONE
                if code == 0:
                    survived.append(f"SURVIVED on {database}: {mutant}")
                elif code not in (FAILED, NONE):
                    survived.append(f"NOT TRIED on {database} (pytest {code}): {mutant}\n{told}")
                elif code == FAILED:
                    print(f"killed on {database}: {mutant}\n    {told[:160]}", flush=True)
        finally:
            (root / mutant.file).write_text(source)
    return survived if tried else [f"NOT TRIED, its tests are of no database of its: {mutant}"]


def check_unchanged(copies: Copies, mutants: Sequence[Mutant]) -> list[str]:
    """A line for each database on which the tests fail without any mutant."""
    tests = sorted({test for mutant in mutants for test in mutant.tests})
    faults = []
    with copies.borrow() as root:
        for database in DATABASES:
            side_by_side = ("-n", "3", "--dist", "loadfile")
            code, told = run_tests(root, tests, database, LONGEST_UNCHANGED, *side_by_side)
            is_well = code in (0, NONE)
            print(f"unchanged on {database}: {'all pass' if is_well else 'a failure'}", flush=True)
            if not is_well:
                faults.append(f"the tests fail unchanged on {database}: {told}")
    return faults


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("python -m tests.mutants", description=__doc__)
    parser.add_argument("words", nargs="*", help="of a mutant's file or sentence; none: all")
    words = parser.parse_args(arguments).words
    chosen = [m for m in read_mutants() if not words or any(word in str(m) for word in words)]
    if not chosen:
        parser.error(f"no mutant's file or sentence holds any of: {', '.join(words)}")
    changing = [mutant for mutant in chosen if not mutant.same]
    with tempfile.TemporaryDirectory(prefix="guerdon-mutants-") as folder:
        copies = Copies(Path(folder))
        faults = check_unchanged(copies, changing)
        if faults:
            print("\n".join(faults))
            return 1
        with ThreadPoolExecutor(AT_ONCE) as pool:
            results = list(pool.map(lambda mutant: try_mutant(copies, mutant), changing))
    survived = [line for lines in results for line in lines]
    print("\n".join(survived))
    killed = sum(not lines for lines in results)
    same = len(chosen) - len(changing)
    print(
        f"{len(changing)} tried, {killed} killed, {len(changing) - killed} not; {same} change nothing"
    )
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
