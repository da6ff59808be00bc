"""What runs here, and what the vendored files are."""

import sys
from importlib.metadata import version
from typing import Any

from flask import render_template

from app.dashboard.frame import get_guerdon, look

NAMES = {"sqlite": "SQLite", "mysql": "MariaDB or MySQL"}


@look("/about")
def show_about() -> Any:
    """Versions, plugins, database."""
    guerdon = get_guerdon()
    row = guerdon.database.execute_sql(
        "SELECT sqlite_version()" if guerdon.database.family == "sqlite" else "SELECT VERSION()"
    ).fetchone()
    return render_template(
        "about.html", version=version("guerdon"), python=sys.version.split()[0],
        database=f"{NAMES[guerdon.database.family]} {row[0]}",
        plugins=sorted(one.name for one in guerdon.plugins.origins), config=str(guerdon.config.path),
    )  # fmt: skip
