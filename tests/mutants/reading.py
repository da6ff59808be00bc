"""Reads the list: each mutant is one piece of the source, what stands there instead, and its tests."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
LISTS = sorted(Path(__file__).parent.glob("*.toml"))
DATABASES = ("sqlite", "mariadb")


@dataclass(frozen=True)
class Mutant:
    """A dangerous change. `tests` are files or test ids that have to notice it on each of `on`.

    `same`: why nothing that anybody can see changes; such a one is only counted.
    """

    file: str
    find: str
    replace: str
    why: str
    tests: tuple[str, ...] = ()
    on: tuple[str, ...] = DATABASES
    same: str = ""

    @property
    def line(self) -> int:
        """Where it begins, counted from 1."""
        before, _, _ = (ROOT / self.file).read_text().partition(self.find)
        return before.count("\n") + 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.why}"

    def apply(self, root: Path) -> str:
        """Change the copy of the source under `root`; what stood in the file before.

        Raises ValueError where the piece is not there, or there twice.
        """
        path = root / self.file
        source = path.read_text()
        if source.count(self.find) != 1:
            count = source.count(self.find)
            raise ValueError(f"{self.file} has {count} times {self.find!r}: {self.why}")
        path.write_text(source.replace(self.find, self.replace))
        return source


def read_mutants() -> list[Mutant]:
    """All of them, in the order of the lists."""
    found = []
    for path in LISTS:
        for raw in tomllib.loads(path.read_text())["mutants"]:
            lists = {key: tuple(raw[key]) for key in ("tests", "on") if key in raw}
            found.append(Mutant(**{**raw, **lists}))
    return found
