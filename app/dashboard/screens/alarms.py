"""What is wrong now and since when, who was told, and what is over."""

from typing import Any

from flask import render_template

from app.alarms.alarms import DUTY_LENGTH
from app.alarms.conditions import CONDITIONS
from app.alarms.keeping import list_alarms
from app.alarms.looking_back import find_about, find_last_look, list_told
from app.dashboard.frame import get_guerdon, look


@look("/alarms")
def show_alarms() -> Any:
    """The alarms that have fired, the oldest first, and the reports that told of any."""
    guerdon = get_guerdon()
    looked_at = find_last_look()
    is_late = looked_at is None or looked_at < guerdon.now() - DUTY_LENGTH
    return render_template(
        "alarms.html", alarms=list_alarms(guerdon.database), looked_at=looked_at,
        told=[(one, one.key.partition("/")[0], find_about(one)) for one in list_told()],
        is_late=is_late, reporter=guerdon.config.alerts.reporter, number=len(CONDITIONS),
    )  # fmt: skip
