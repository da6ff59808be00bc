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
    "find": lambda ledger: write_address("/find", q=f"{ledger.stuck[:200]}-"),
    "about": lambda ledger: "/about",
    "unknown claims": lambda ledger: "/claims",
    "refused claims": lambda ledger: write_address("/claims", state="refused"),
    "nothing": lambda ledger: write_address("/event", type="none", id=ledger.stuck),
}

FIND_NOTHING = ("find", "nothing")  # these are answered 404
