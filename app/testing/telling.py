"""A plugin of pytest that tells in sentences what holds and what does not, for `guerdon plugin check`."""

import os
import sys
from typing import Any

import pytest

from app.terminal import tell


def pytest_configure(config: pytest.Config) -> None:
    """Be heard alone."""
    config.pluginmanager.register(Teller(), "guerdon-teller")


class Teller:
    """Prints a line for each clause of a contract: its docstring, and why it does not hold."""

    def __init__(self) -> None:
        self._clauses: dict[str, str] = {}

    def pytest_itemcollected(self, item: Any) -> None:
        """What the clause says, and of which reward."""
        said = str(item.function.__doc__ or item.name).split("\n")[0]
        variant = f" [{item.callspec.id}]" if hasattr(item, "callspec") else ""
        self._clauses[item.nodeid] = f"{getattr(item.cls, 'of', '')}{said}{variant}"

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """When it has ended."""
        clause = self._clauses[report.nodeid]
        if report.failed:
            say(f"fault  {clause}", *(f"       {line}" for line in explain(report)))
        elif report.skipped:
            why = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
            say(f"-      {clause}", f"       not tried: {why.removeprefix('Skipped: ')}")
        elif report.when == "call":
            say(f"ok     {clause}", *(f"       {line}" for line in report.capstdout.splitlines()))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """What could not even be read."""
        if report.failed:
            say(f"fault  {report.longreprtext}")


def explain(report: pytest.TestReport) -> list[str]:
    """Why it failed, in lines."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(crash.message if crash else report.longreprtext)
    words = text.removeprefix("AssertionError: ").removeprefix("Failed: ")
    return [line for line in words.split("\nassert ")[0].splitlines() if line.strip()][:12]


def say(*lines: str) -> None:
    """Print them; where nobody listens any more, as behind `head`, all ends."""
    try:
        tell(*lines)
        sys.stdout.flush()
    except BrokenPipeError:
        os._exit(1)
