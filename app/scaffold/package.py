"""`guerdon plugin new --package`: a plugin as a distribution of its own, found by its entry point."""

from importlib.metadata import version
from pathlib import Path

from app.scaffold.files import fill, read, write_all
from app.scaffold.plugin import Made, list_words, make_plugin


def write_package(name: str, kind: str, around: Path) -> Made:
    """Make the folder guerdon-NAME in `around`. Raises GuerdonError where its files are there."""
    code, test, made = make_plugin(name, kind)
    dashed = name.replace("_", "-")
    folder = around / f"guerdon-{dashed}"
    words = list_words(name) | {
        "dashed": dashed,
        "section": made.section,
        "version": version("guerdon"),
    }
    paths = write_all({
        folder / f"guerdon_{name}.py": code,
        folder / "tests" / f"test_{name}.py": test,
        folder / "pyproject.toml": fill("package/pyproject.toml.txt", words),
        folder / "README.md": fill("package/README.md.txt", words),
        folder / ".gitignore": read("studio/gitignore.txt"),
    })  # fmt: skip
    return Made(paths, made.section, made.rules)
