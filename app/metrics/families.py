"""Every number that Guerdon shows of itself: its name, its labels, what it means.

Who counts one asks for it by its labels' values: `DELIVERIES[source, outcome].inc()`. What is found there
was made before the first vote, for each value that the config allows; for any other, and where nothing is
measured, it is NOTHING, which takes and keeps no number. So no stranger's word becomes a label.
"""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Family:
    """One number, or one for each value of its labels."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    text: str


class Meter(Protocol):
    """What takes a number; each kind of family has one of these."""

    def inc(self) -> None: ...
    def observe(self, seconds: float, /) -> None: ...
    def set(self, value: float) -> None: ...


class Nothing:
    """Takes every number, and keeps none."""

    def inc(self) -> None: ...
    def observe(self, seconds: float, /) -> None: ...
    def set(self, value: float) -> None: ...


NOTHING = Nothing()


class Meters(dict[Any, Meter]):
    """The meters of one family, by their label's value; by a tuple of them where there are several."""

    def __init__(self, family: Family) -> None:
        super().__init__()
        self.family = family

    def __missing__(self, values: Any) -> Meter:
        return NOTHING


def count_here(name: str, kind: Any, labels: tuple[str, ...], text: str) -> Meters:
    return Meters(Family(name, kind, labels, text))


DELIVERIES = count_here(
    "guerdon_deliveries_total", "counter", ("source", "outcome"),
    "Deliveries that came, by what became of them.",
)  # fmt: skip
DELIVERY_SECONDS = count_here(
    "guerdon_delivery_seconds", "histogram", ("source",),
    "How long a delivery waits for its answer.",
)  # fmt: skip
FETCH_SECONDS = count_here(
    "guerdon_fetch_seconds", "histogram", ("source", "result"),
    "How long the events of a delivery take to be fetched; result is fetched, not_ready, refused or failed.",
)  # fmt: skip
COMMIT_SECONDS = count_here(
    "guerdon_commit_seconds", "histogram", (),
    "How long the transaction takes that pays a batch of events.",
)  # fmt: skip
GRANTS = count_here(
    "guerdon_grants_total", "counter", ("kind", "rule"),
    "Rewards given, by their kind and rule.",
)  # fmt: skip
PLUGIN_ERRORS = count_here(
    "guerdon_plugin_errors_total", "counter", ("plugin", "hook"),
    "Errors of a plugin that were none of Guerdon's own, nor the database's.",
)  # fmt: skip
REPORT_SENDS = count_here(
    "guerdon_report_sends_total", "counter", ("reporter", "result"),
    "Sends of reports; result is delivered, failed, refused (not to be sent again) or unsent.",
)  # fmt: skip
REPORT_SEND_SECONDS = count_here(
    "guerdon_report_send_seconds", "histogram", ("reporter",),
    "How long a send of a report takes.",
)  # fmt: skip
REPORTER_PAUSED = count_here(
    "guerdon_reporter_paused", "gauge", ("reporter",),
    "1 while some process sends this reporter's reports to nobody, for nobody was there.",
)  # fmt: skip
CLAIM_SENDS = count_here(
    "guerdon_claim_sends_total", "counter", ("console", "result"),
    "Sends of claims to consoles; result is done, refused, waits, unknown or unsent.",
)  # fmt: skip
CONSOLE_PAUSED = count_here(
    "guerdon_console_paused", "gauge", ("console",),
    "1 while some process delivers no claims to this console, for nobody was there.",
)  # fmt: skip
MEASURED = (
    DELIVERIES, DELIVERY_SECONDS, FETCH_SECONDS, COMMIT_SECONDS, GRANTS, PLUGIN_ERRORS, REPORT_SENDS,
    REPORT_SEND_SECONDS, REPORTER_PAUSED, CLAIM_SENDS, CONSOLE_PAUSED,
)  # fmt: skip

WHOLE = " Of the whole system: every host shows the same."
INBOX = Family(
    "guerdon_inbox_events", "gauge", ("state",),
    f"Events that wait, are tried just now (leased), or are dead.{WHOLE}",
)  # fmt: skip
INBOX_OLDEST = Family(
    "guerdon_inbox_oldest_timestamp_seconds", "gauge", (),
    f"When the event came that waits longest; absent where none waits.{WHOLE}",
)  # fmt: skip
REPORTS = Family(
    "guerdon_reports", "gauge", ("reporter", "state"),
    f"Reports that wait, are sent just now (leased), or are dead.{WHOLE}",
)  # fmt: skip
REPORTS_OLDEST = Family(
    "guerdon_reports_oldest_timestamp_seconds", "gauge", ("reporter",),
    f"When the report was queued that waits longest; absent where none waits.{WHOLE}",
)  # fmt: skip
CLAIMS = Family(
    "guerdon_claims", "gauge", ("state",),
    "Claims that wait for a game server, or that one holds (leased); of consoles, those that are being sent"
    f" (sending), wait for their player (away), were refused, or of which nobody knows (unknown).{WHOLE}",
)  # fmt: skip
CLAIMS_OLDEST = Family(
    "guerdon_claims_oldest_timestamp_seconds", "gauge", (),
    f"When the claim was made that waits longest; absent where none waits.{WHOLE}",
)  # fmt: skip
LAST_SETTLED = Family(
    "guerdon_last_settled_timestamp_seconds", "gauge", ("source",),
    f"When an event of this source was last settled, of the latest that were looked at.{WHOLE}",
)  # fmt: skip
RECONCILED_MISSING = Family(
    "guerdon_reconciled_missing", "gauge", ("source",),
    f"Votes that the last comparison with this source's list found missing, healed or not.{WHOLE}",
)  # fmt: skip
RECONCILED = Family(
    "guerdon_reconciled_timestamp_seconds", "gauge", ("source",),
    "When this source's list was last compared to its end, or when that was first tried; only where"
    f" [reconcile] every is a day or less.{WHOLE}",
)  # fmt: skip
READY = Family("guerdon_ready", "gauge", (), "1 if a vote could be paid now, 0 if not.")
BUILD_INFO = Family(
    "guerdon_build_info", "gauge", ("version", "database"), "Always 1; its labels tell."
)
LOOKED_UP = (
    INBOX, INBOX_OLDEST, REPORTS, REPORTS_OLDEST, CLAIMS, CLAIMS_OLDEST, LAST_SETTLED, RECONCILED_MISSING,
    RECONCILED, READY, BUILD_INFO,
)  # fmt: skip
FAMILIES = (*(one.family for one in MEASURED), *LOOKED_UP)
PLUGIN_PREFIX = "guerdon_plugin_"
