"""What a plugin's source tells without being run: whether it reads a clock."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

CLOCKS = {
    f"{module}.{name}"
    for module, names in {
        "time": ("time", "time_ns", "localtime", "gmtime"),
        "datetime": ("now", "utcnow", "today"),
        "datetime.datetime": ("now", "utcnow", "today"),
        "date": ("today",),
        "datetime.date": ("today",),
    }.items()
    for name in names
}


def find_clocks(files: Iterable[Path]) -> Iterator[str]:
    """A sentence for each call that asks what time it is."""
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and (name := ast.unparse(node.func)) in CLOCKS:
                yield f"{path.name}, line {node.lineno}, calls {name}()"
