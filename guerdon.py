"""Guerdon by its own name: `from guerdon import hookimpl` is `from app import hookimpl`, and the command.

Our package is called `app`, as many a studio's is. Where theirs is found first, the command says so in place
of failing in the middle of somebody else's code.
"""

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app import *  # noqa: F403

HERE = Path(__file__).resolve().parent


def find_stranger() -> str:
    """A sentence about a package that hides ours; "" where none does."""
    spec = importlib.util.find_spec("app")
    if spec is None:
        return "Guerdon's package app is not here: install it again"
    place = next(iter(spec.submodule_search_locations or [str(spec.origin)]))
    if Path(place).resolve() == HERE / "app":
        return ""
    return (
        f"another app ({place}) is found before Guerdon's own: leave its folder out of PYTHONPATH, or"
        " give Guerdon an environment of its own (python -m venv)"
    )


def main() -> None:
    """The command `guerdon`."""
    if stranger := find_stranger():
        sys.stderr.write(f"{stranger}\n")
        raise SystemExit(1)
    from app.cli.main import main as run  # noqa: PLC0415  (it is ours)

    run()


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """What the porch offers."""
        import app  # noqa: PLC0415  (it may be a stranger's)

        if name == "__all__":
            return app.__all__
        return getattr(app, name)
