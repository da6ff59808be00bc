"""guerdon doctor: what is well and what is not, each with its remedy."""

import json
from collections.abc import Sequence
from dataclasses import asdict

import click

from app.cli.context import open_configured
from app.doctor.examining import list_findings
from app.doctor.findings import Finding, Level, fail
from app.own_signature import CHECK
from app.porch.errors import ConfigError
from app.terminal import tell


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="as a JSON list, for programs")
def examine(as_json: bool) -> None:
    """Look at everything `check` does, and outside of it: each fault with its remedy. It changes nothing.

    Exits with 1 for a fault.
    """
    try:
        findings = list_findings(open_configured(), [CHECK])
    except ConfigError as error:
        findings = [
            fail("config", fault, "mend that, then: guerdon check") for fault in error.faults
        ]
    show_json(findings) if as_json else show_lines(findings)
    if any(one.level is Level.FAULT for one in findings):
        raise SystemExit(1)


def show_json(findings: Sequence[Finding]) -> None:
    tell(json.dumps([asdict(one) for one in findings]))


def show_lines(findings: Sequence[Finding]) -> None:
    width = max(len(one.about) for one in findings)
    for one in findings:
        tell(f"{one.level:7}  {one.about:{width}}  {one.text}")
        if one.remedy:
            tell(f"{'':7}  {'':{width}}  → {one.remedy}")
