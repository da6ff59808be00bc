"""The playground's plain sentences: what a reward is, what became of a delivery."""

import json
from datetime import UTC, datetime
from http.client import responses
from typing import Any, Protocol

from flask_babel import format_datetime, gettext, ngettext
from flask_babel import lazy_gettext as _l

from app.database.reconciliation_models import Reconciliation
from app.history.states import SendResult
from app.playground.verdicts import (
    BADGES,
    CLAIM_BADGES,
    CLAIM_VERDICTS,
    REPORT_BADGES,
    REPORT_VERDICTS,
    VERDICTS,
)
from app.porch.text import escape_text
from app.porch.types import Event
from app.rules.rule import Rules

__all__ = (
    "BADGES", "CLAIM_BADGES", "CLAIM_VERDICTS", "REPORT_BADGES", "REPORT_VERDICTS", "VERDICTS",
)  # fmt: skip
TIMES = "\N{MULTIPLICATION SIGN}"

GLOSSARY = {
    "page.show": {
        _l("delivery"): _l(
            "A platform's request that names a vote. It may come twice; the vote is paid once."
        ),
        _l("settle"): _l(
            "To pay an event: the rewards and the row that says they were given are one commit."
        ),
        _l("ledger"): _l(
            "What was given, to whom, by which rule, and when: a line for each reward."
        ),
        _l("waiting"): _l(
            "It cannot be paid now: it is kept in the inbox and tried again by itself."
        ),
        _l("held"): _l(
            'Waiting for its player, where the config says unknown = "hold": answered 204, so that'
            " the platform does not show a failure."
        ),
        _l("dead"): _l(
            "Tried for as long as the config says. It is kept, and a person can bring it back."
        ),
        _l("attempts"): _l("How often Guerdon has tried to settle an event."),
        _l("reconcile"): _l(
            "To compare the vote site's list with the ledger. What is missing there waits in the"
            " inbox as if it had just been delivered; nothing is paid from the list itself."
        ),
        _l("claim"): _l(
            "A reward that waits for the game server to fetch it: see Levels and rounds."
        ),
    },
    "game.show": {
        _l("uid"): _l("The player, as the game calls them. Here it is the nickname."),
        _l("ctwid"): _l(
            "The same player, as the platform G123 calls them: its page hands it to the game."
        ),
        _l("settle"): _l(
            "Of a round: it is over, and this is how each came out. Of an event: to pay it."
        ),
        _l("report"): _l(
            "What Guerdon tells a platform about an event: sent until it is delivered."
        ),
        _l("attempts"): _l(
            "Of a report: its sends, one by one. Of an event: how often it was tried to settle it."
        ),
        _l("claim"): _l("A reward that only the game server can give, such as a command to run."),
        _l("lease"): _l(
            "A claim is one server's for so long. What is not acknowledged by then is leased again."
        ),
        _l("ss_token"): _l(
            "A token of the Sud app's for the round's leader: passed on, never read."
        ),
    },
}

PLATFORMS = {"g123": _l("G123"), "sud": _l("the Sud app"), "webhook": _l("your own URL")}


def describe_platform(reporter: str) -> str:
    """A reporter's platform as a person says it; one that we do not know by its name."""
    return str(PLATFORMS.get(reporter, reporter))


def name_platform(name: str) -> str:
    """A stand-in's platform, at the begin of a sentence."""
    return (
        gettext("The Sud app")
        if name == "Sud"
        else gettext("the webhook")
        if name == "the webhook"
        else name
    )


def describe_attempt(attempt: dict[str, Any]) -> str:
    """How one send ended."""
    if attempt["result"] == SendResult.UNKNOWN:
        return "under way"
    took = f"after {attempt['latency_ms']} ms"
    if attempt["result"] == SendResult.DELIVERED:
        return f"answered {attempt['status']} {took}"
    return f"{attempt['error']}, {took}"


def count_sends(count: int) -> str:
    return str(ngettext("%(num)d send", "%(num)d sends", count))


def describe_level(rules: Rules, server_id: str, level: int) -> list[str]:
    """What reaching a level earns by the rules."""
    return describe_gifts(rules, Event("", "level_up", "", server_id, data={"level": level}))


def describe_rank(rules: Rules, server_id: str, rank: int) -> list[str]:
    """What a rank in a round on this server earns by the rules."""
    facts = {"rank": rank, "is_escaped": 0, "is_ai": 0, "room_id": f"room-{server_id}"}
    return describe_gifts(rules, Event("", "game_settle", "", data=facts))


def describe_reward(kind: str, params: dict[str, Any]) -> str:
    """A reward in a few words; one that we do not know by its kind and its parameters."""
    days = f"{params.get('days')} day{'' if params.get('days') == 1 else 's'}"
    match kind:
        case "gold":
            return f"{params['amount']} gold"
        case "item":
            return f"{params['quantity']} {TIMES} {params['item']}"
        case "role":
            return f"role {params['role']}, {days if params.get('days') else 'for ever'}"
        case "vip":
            return f"VIP, {days}"
        case "promo_code":
            return f"a code from {params['pool']}"
        case "claim":
            return "a claim for the game server"
    return f"{kind} {json.dumps(params, ensure_ascii=False)}"


def describe_server(rules: Rules, server_id: str) -> list[str]:
    """What a vote on this server earns by the rules, a reward each."""
    return describe_gifts(rules, Event("", "server.vote", "", server_id))


def describe_gifts(rules: Rules, event: Event) -> list[str]:
    gifts = rules.choose_gifts(event)
    return [describe_reward(gift.reward.kind, json.loads(gift.params_json)) for gift in gifts]


class Followed(Protocol):
    """Whatever became an event; `event` is what /v1 tells of it."""

    event: dict[str, Any] | None


def describe_grants(entry: Followed) -> list[str]:
    """What this delivery's or this game server's event has been paid, a reward each."""
    grants = entry.event["grants"] if entry.event else []
    return [describe_reward(grant["reward"], grant["params"]) for grant in grants]


def describe_status(status: int) -> str:
    """A reply's status line."""
    return f"{status} {responses.get(status, '')}".strip() if status else "none"


def format_body(body: bytes) -> str:
    """A delivery's JSON, a field a line."""
    return format_json(json.loads(body))


def format_json(value: Any) -> str:
    return show_lines(json.dumps(value, indent=2, ensure_ascii=False))


def show_lines(text: str) -> str:
    """A text of several lines, made fit to be shown."""
    return "\n".join(map(escape_text, text.split("\n")))


def format_clock(moment: float | str) -> str:
    """The wall clock of a time in seconds, or in ISO 8601, on this machine."""
    when = datetime.fromtimestamp(moment) if isinstance(moment, float) else read_time(moment)
    return when.strftime("%H:%M:%S")


def format_date(moment: str) -> str:
    """Day and minute of a time in ISO 8601, on this machine."""
    return str(format_datetime(read_time(moment), gettext("d MMMM y, HH:mm"), rebase=False))


def read_time(moment: str) -> datetime:
    return datetime.fromisoformat(moment).astimezone()


def format_moment(seconds: float) -> str:
    """A time in seconds since the epoch, in ISO 8601."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def describe_comparison(row: Reconciliation) -> str:
    """What a comparison with the platform's list has found, in a sentence."""
    if row.reason:
        return (
            f"Not known whether anything is missing: {row.reason}. {row.healed} put into the inbox."
        )
    if not row.missing:
        return f"{row.listed} on the list, and none of them is missing."
    return f"{row.listed} on the list, {row.missing} missing: {row.healed} put into the inbox, to be paid."
