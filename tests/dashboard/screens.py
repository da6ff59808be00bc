"""The screens, each a line here: what a person opens. The tests of every screen read this list."""

from collections.abc import Callable
from urllib.parse import urlencode

from tests.dashboard.ledgers import Ledger


def write_address(path: str, **arguments: object) -> str:
    return f"{path}?{urlencode(arguments)}"


SCREENS: dict[str, Callable[[Ledger], str]] = {
    "home": lambda ledger: "/",
    "event": lambda ledger: write_address("/event", type=ledger.type, id=ledger.event),
    "stuck event": lambda ledger: write_address("/event", type=ledger.type, id=ledger.stuck),
    "report": lambda ledger: write_address("/report", id=ledger.report),
    "dead report": lambda ledger: write_address("/report", id=ledger.dead_report),
    "player": lambda ledger: write_address("/player", name=ledger.player),
    "rules": lambda ledger: "/rules",
    "leaderboards": lambda ledger: write_address("/leaderboards", unit="ever"),
    "plots": lambda ledger: "/plots",
    "plots of grants": lambda ledger: write_address("/plots", group="grants", window="year"),
    "plots of sends": lambda ledger: write_address("/plots", group="sends", window="month"),
    "plots of what waits": lambda ledger: write_address("/plots", group="waiting"),
    "stocks": lambda ledger: "/stocks",
    "find": lambda ledger: write_address("/find", q=f"{ledger.stuck[:200]}-"),
    "events": lambda ledger: "/events",
    "dead events": lambda ledger: write_address("/events", state="dead", type=ledger.type),
    "events by a bad filter": lambda ledger: write_address("/events", since=ledger.player),
    "reports": lambda ledger: write_address("/reports", state="dead"),
    "acts": lambda ledger: "/acts",
    "act": lambda ledger: write_address("/act", id=ledger.act),
    "plan": lambda ledger: write_address("/act", id=ledger.plan),
    "act under way": lambda ledger: write_address("/act", id=ledger.running),
    "about": lambda ledger: "/about",
    "unknown claims": lambda ledger: "/claims",
    "refused claims": lambda ledger: write_address("/claims", state="refused"),
    "reconciliation": lambda ledger: "/reconciliation",
    "comparison": lambda ledger: write_address("/reconciliation/comparison", id=ledger.comparison),
    "alarms": lambda ledger: "/alarms",
    "doctor": lambda ledger: "/doctor",
    "erasing": lambda ledger: write_address("/player/erase", name=ledger.player),
    "nothing": lambda ledger: write_address("/event", type="none", id=ledger.stuck),
}

FIND_NOTHING = ("find", "nothing")  # these are answered 404
