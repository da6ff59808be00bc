"""Secrets: there, long enough, nobody else's, and read by nobody else."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.config.environment import NAME
from app.config.reading import Config, find_folder
from app.config.references import read_tables
from app.doctor.findings import Finding, fail, say_ok, warn
from app.guerdon import Guerdon
from app.logs import find_secrets
from app.opening import list_secrets
from app.porch.fields import Secret

ABOUT = "secrets"
SHORTEST = 16  # characters
# What stands in our own pages, files and tests, for everybody to read.
KNOWN = frozenset({
    "playground-app-secret", "playground-api-key", "playground-webhook-token",
    "whsec_cGxheWdyb3VuZA==", "paste-webhook-token-here", "a-key-for-all-tests", "changeme", "secret",
})  # fmt: skip
INVENT = "openssl rand -hex 24"


def check_secrets(guerdon: Guerdon) -> Iterator[Finding]:
    """Names of secrets alone are told, and files' paths."""
    secrets = [*list_secrets(guerdon.config), *find_secrets(guerdon.plugins.settings)]
    given = {one.reveal(): one for one in secrets if one.reveal()}
    found = [*judge_values(given), *judge_files(guerdon.config, given)]
    yield from found or [say_ok(ABOUT, f"{len(given)} are there, and none is known to others")]


def judge_values(given: dict[str, Secret]) -> Iterator[Finding]:
    for value, secret in given.items():
        if value.lower() in KNOWN:
            text = f"{secret.name} is one that everybody knows: it stands in Guerdon's own examples"
            yield fail(ABOUT, text, f"put the platform's own in its place, or invent one: {INVENT}")
        elif len(value) < SHORTEST:
            text = f"{secret.name} has fewer than {SHORTEST} characters: it may be guessed"
            yield warn(ABOUT, text, f"invent one where it is yours: {INVENT}")


def judge_files(config: Config, given: dict[str, Secret]) -> Iterator[Finding]:
    """Of the config, of .env and of the files that the config names."""
    tables = read_tables(config.path)[0]
    texts = list(list_texts(tables))
    plain = sorted({given[text].name for text in texts if text in given})
    if plain:
        remedy = 'write { env = "NAME" } or { file = "PATH" } there'
        yield warn(ABOUT, f"{', '.join(plain)} stand in {config.path} itself", remedy)
    named = filter(None, (os.environ.get(f"{name}_FILE") for name in list_variables(tables)))
    holders = {find_folder(config.path) / NAME, *([config.path] if plain else [])}
    holders |= {Path(name) for name in named}
    holders |= {Path(text) for text in texts if text.startswith("/") and Path(text).is_file()}
    holders -= {config.rewards_file}  # it holds no secret
    for path in sorted(holders):
        if path.is_file() and path.stat().st_mode & stat.S_IROTH:
            yield warn(ABOUT, f"everybody on this machine may read {path}", f"chmod o-rwx {path}")


def list_texts(value: Any) -> Iterator[str]:
    """Every string of the config, but the names of variables."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from list_texts(inner) if key not in ("env", "name") else ()
    elif isinstance(value, list):
        for inner in value:
            yield from list_texts(inner)


def list_variables(value: Any) -> Iterator[str]:
    """The names of variables that a config refers to."""
    if isinstance(value, dict):
        if isinstance(value.get("env"), str):
            yield value["env"]
        for inner in value.values():
            yield from list_variables(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from list_variables(inner)
