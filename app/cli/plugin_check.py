"""guerdon plugin check: the contracts of the kit, run on a plugin as the config has it."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from app.cli import contract_code as code
from app.cli.context import open_configured
from app.cli.recorded_request import read_recorded
from app.guerdon import Guerdon
from app.porch.errors import GuerdonError
from app.terminal import tell

QUIET = ["-p", "no:cacheprovider", "-p", "no:terminal", "-p", "app.testing.telling"]
UNRECORDED = """
This was what anybody can send. With --delivery FILE, a request as the site sent it (its headers, an empty
line, its body), it is tried whether a vote is paid once and a changed one refused; what needs other votes
signed, app.testing.SourceContract asks in a test of yours."""


@click.command("check")
@click.argument("name")
@click.option(
    "--database", default="sqlite", help="as pytest's --guerdon-database", show_default=True
)
@click.option(
    "--adds-up/--once",
    default=True,
    help="of a reward: whether a second vote gives more than the first",
)
@click.option(
    "--reward", "kinds", multiple=True, help="of one that takes over another's reward: its kind"
)
@click.option(
    "--delivery", type=click.File("rb"), help="of a source: a request as its site sent it"
)
@click.option("--at", type=click.DateTime(), help="of a source: when that was, in UTC; absent: now")
@click.option(
    "--token", is_flag=True, help="of a source: its site sends a token, and signs no body"
)
@click.option(
    "--answer",
    default="{}",
    help="of a reporter: the JSON its platform answers when all is well",
    show_default=True,
)
@click.option(
    "--own-times",
    is_flag=True,
    help="of a reporter: it says itself when a report is sent again, whatever Retry-After asks",
)
def check_plugin(name: str, database: str, **options: Any) -> None:
    """Prove a plugin against its contract: killed, at once, in batches, on a database of its own."""
    if find_spec("pytest") is None:
        raise GuerdonError("this needs pytest: pip install 'guerdon[kit]'")
    guerdon = open_configured()
    tests = code.write_head(guerdon.config) + "".join(write_classes(guerdon, name, options))
    guerdon.close()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test_contract.py").write_text(tests)
        (Path(folder) / "pytest.ini").touch()
        done = subprocess.run(  # noqa: S603  (nobody else chooses its words)
            [sys.executable, "-P", "-m", "pytest", *QUIET, f"--guerdon-database={database}",
             f"--basetemp={Path(folder) / 'made'}", f"{folder}/test_contract.py"],
            cwd=folder, check=False,
            env={name: one for name, one in os.environ.items() if name != "PYTEST_ADDOPTS"},
        )  # fmt: skip
    if done.returncode:
        raise SystemExit(1)
    tell(f"{name} keeps its contract")
    if "StrangersContract)" in tests:
        tell(*UNRECORDED.splitlines())


def write_classes(guerdon: Guerdon, name: str, options: dict[str, Any]) -> Iterator[str]:
    """A class of tests for each thing that the plugin is.

    Raises GuerdonError where there is no such plugin, or no contract for what it does.
    """
    if name not in guerdon.config.plugins:
        raise GuerdonError(f"{guerdon.config.path} has no section [plugins.{name}]")
    hooks = guerdon.plugins.list_hooks(name)
    if not {"read_delivery", "send_report", "grant_reward"}.intersection(hooks):
        raise GuerdonError(
            f"{name} gives no reward, reads no delivery and sends no report: there is no contract for that"
        )
    if "grant_reward" in hooks:
        kinds = options["kinds"] or code.list_kinds(guerdon, name)
        yield from code.write_reward_classes(guerdon, name, kinds, options["adds_up"])
    if "send_report" in hooks:
        reply = read_answer(options["answer"])
        yield code.write_reporter_class(guerdon, name, reply, options["own_times"])
    if "read_delivery" in hooks:
        yield write_source(guerdon, name, options)


def read_answer(text: str) -> Any:
    """What --answer says."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise GuerdonError(f"--answer is no JSON: {error}") from None


def write_source(guerdon: Guerdon, name: str, options: dict[str, Any]) -> str:
    """Its tests: what needs no secret; with --delivery, also what a request of its site can show."""
    file, at = options["delivery"], options["at"]
    if file is None:
        return code.write_source_class(guerdon, name, "StrangersContract")
    recorded = read_recorded(file.read())
    sent_at = int(at.replace(tzinfo=UTC).timestamp() * 1000) if at else guerdon.now()
    return code.write_source_class(
        guerdon,
        name,
        "RecordedContract",
        **recorded._asdict(),
        at=sent_at,
        signs_body=not options["token"],
    )
