"""What was told lately, by a reporter, and whether anybody judges: for who looks at a page."""

from app.alarms.alarms import DUTY, DUTY_LENGTH, NO_EVENT
from app.alarms.keeping import KIND, RECOVERED
from app.database.models import Report
from app.database.watching_models import DutyRow


def list_told(most: int = 25) -> list[Report]:
    """Inside a connection: the reports of alarms, and of their ends, that were queued last."""
    ours = (Report.event == NO_EVENT) & (Report.kind << [KIND, RECOVERED])
    return list(Report.select().where(ours).order_by(Report.id.desc()).limit(most))


def find_about(report: Report) -> str:
    """What an alarm was about that a report told of, by its key; "" where that is the whole system."""
    parts = str(report.key).split("/", 3 if report.kind == KIND else 2)
    return parts[-1] if len(parts) > 2 else ""


def find_last_look() -> int | None:
    """Inside a connection: when (ms) some process last judged what is wrong; None if none did."""
    row = DutyRow.get_or_none(DutyRow.name == DUTY)
    return row.until - DUTY_LENGTH if row else None
