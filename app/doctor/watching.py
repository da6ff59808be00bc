"""Those who watch: the dashboard, closed or set up; the folder in which processes count."""

import os
from collections.abc import Iterator

from app.doctor.findings import Finding, fail, say_ok, warn
from app.guerdon import Guerdon
from app.metrics.folder import find_files


def check_dashboard(guerdon: Guerdon) -> Iterator[Finding]:
    """Whether anybody may come in."""
    dashboard = guerdon.config.dashboard
    if not dashboard.is_open:
        yield say_ok("dashboard", "closed: [dashboard] names nobody who may come in")
    elif not dashboard.address.startswith("https://"):
        text = "open, and its cookie would travel in plain"
        yield warn("dashboard", text, '[dashboard] address = "https://dashboard.your.host"')
    else:
        yield say_ok("dashboard", f"open to those of [dashboard], at {dashboard.address}")


def check_metrics(guerdon: Guerdon) -> Iterator[Finding]:
    """Whether the folder in which processes count can be written."""
    folder = guerdon.metrics_folder
    if not guerdon.config.metrics.on:
        yield say_ok("metrics", "nothing is counted: [metrics] on = false")
        return
    if folder.is_dir() and not os.access(folder, os.W_OK):
        yield fail(
            "metrics", f"{folder} cannot be written", f"mkdir -p {folder}; chown guerdon {folder}"
        )
    else:
        yield say_ok("metrics", f"{len(find_files(folder))} files in {folder}")
