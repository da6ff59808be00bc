"""`guerdon init`: a studio's own folder, in which every command works."""

import getpass
import secrets
import shutil
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from app.porch.errors import GuerdonError
from app.scaffold.files import PRIVATE, fill, read, write, write_all
from app.scaffold.plugin import make_plugin

EXAMPLE = "experience"  # the plugin to begin with
DIST = "guerdon"


def find_command() -> str:
    """The path of `guerdon`, for whoever starts it without a shell."""
    beside = Path(sys.executable).with_name("guerdon")
    return str(beside if beside.exists() else shutil.which("guerdon") or "guerdon")


def list_studio_words(folder: Path) -> dict[str, str]:
    """What the templates say of a studio's folder."""
    return {
        "title": folder.name,
        "folder": str(folder),
        "guerdon": find_command(),
        "user": getpass.getuser(),
        "version": version(DIST),
    }


def plan_studio(folder: Path) -> Mapping[Path, str]:
    """Each file of a new studio's folder, and its text."""
    words = list_studio_words(folder)
    code, test, made = make_plugin(EXAMPLE, "reward")
    heading = (
        "# A plugin of your own, in plugins/: change it, or take it out here and in rewards.toml.\n"
    )
    return {
        folder
        / "config"
        / "guerdon.toml": f"{read('studio/guerdon.toml.txt')}\n{heading}{made.section}",
        folder / "config" / "rewards.toml": f"{read('studio/rewards.toml.txt')}\n{made.rules}",
        folder / "plugins" / f"{EXAMPLE}.py": code,
        folder / "tests" / f"test_{EXAMPLE}.py": test,
        **{
            folder / name: fill(f"studio/{name}.txt", words)
            for name in ("README.md", "requirements.txt", "pyproject.toml", "guerdon.service")
        },
        folder / ".gitignore": read("studio/gitignore.txt"),
    }


def write_studio(folder: Path) -> list[Path]:
    """Make a studio's folder; the files in it. Raises GuerdonError where one is there already."""
    folder = folder.resolve()
    made, env = plan_studio(folder), folder / ".env"
    if env.exists():
        raise GuerdonError(f"{env} is there already: nothing was written")
    paths = write_all(made)
    keys = {"api_key": secrets.token_urlsafe(32), "token": secrets.token_urlsafe(32)}
    write(env, fill("studio/env.txt", keys), PRIVATE)
    return [*paths, env]
