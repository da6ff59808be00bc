"""The playground's plain sentences: what a reward is, what became of a delivery."""

import json
from datetime import UTC, datetime
from http.client import responses
from typing import Any

from flask_babel import format_datetime, gettext, ngettext
from flask_babel import lazy_gettext as _l

from app.database.reconciliation_models import Reconciliation
from app.history.states import SendResult
from app.playground.journal import Entry
from app.playground.reports import Told
from app.playground.states import ClaimState, DeliveryState, ToldState
from app.porch.text import escape_text
from app.porch.types import Event
from app.rules.rule import Rules

TIMES = "\N{MULTIPLICATION SIGN}"

BADGES = {
    DeliveryState.PAID: _l("paid"),
    DeliveryState.AGAIN: _l("paid before"),
    DeliveryState.HEALED: _l("healed"),
    DeliveryState.WAITING: _l("waiting"),
    DeliveryState.DEAD: _l("given up"),
    DeliveryState.TEST: _l("test"),
    DeliveryState.REFUSED: _l("refused"),
    DeliveryState.LOST: _l("no answer"),
    DeliveryState.STRAYED: _l("lost on its way"),
    DeliveryState.FOUND: _l("found and paid"),
    DeliveryState.UNSEEN: _l("done"),
}

VERDICTS = {
    DeliveryState.PAID: _l("Guerdon asked for the vote and paid it, in one commit."),
    DeliveryState.AGAIN: _l(
        "This vote is in the ledger already: answered as done, and nothing is paid twice."
    ),
    DeliveryState.HEALED: _l(
        "It could not be paid at first. It was kept, tried again, and is paid now."
    ),
    DeliveryState.WAITING: _l(
        "It cannot be paid now. It is kept, and tried again by itself until it can."
    ),
    DeliveryState.DEAD: _l(
        "Tried for too long, so it is kept as dead: `guerdon events retry` tries it once more."
    ),
    DeliveryState.TEST: _l(
        "A test: well signed, so answered as done. Nothing is asked for and nothing is paid."
    ),
    DeliveryState.REFUSED: _l("Not accepted. Nothing of it is kept, and nothing is paid."),
    DeliveryState.LOST: _l("Guerdon did not answer. Does it run?"),
    DeliveryState.STRAYED: _l(
        "It never arrived, and the platform sends nothing twice by itself: Guerdon knows"
        " nothing of this vote until it compares its ledger with the platform\u2019s list."
    ),
    DeliveryState.FOUND: _l(
        "Its delivery never arrived. The platform\u2019s list had the vote and the ledger"
        " had not, so Guerdon fetched it by its id and paid it, once."
    ),
    DeliveryState.UNSEEN: _l(
        "Answered as done, but /v1 tells the playground nothing of it: is"
        " GUERDON_API_KEY the same for both?"
    ),
}

REPORT_BADGES = {
    ToldState.FLYING: _l("under way"),
    ToldState.DELIVERED: _l("delivered"),
    ToldState.AGAIN: _l("told before"),
    ToldState.DEAD: _l("given up"),
    ToldState.PAID: _l("nothing to report"),
    ToldState.WAITING: _l("waiting"),
    ToldState.STUCK: _l("given up"),
    ToldState.REFUSED: _l("refused"),
    ToldState.LOST: _l("no answer"),
}

REPORT_VERDICTS = {
    ToldState.FLYING: _l(
        "Kept in the same commit as the event, and on its way. Guerdon sends it by itself until"
        " it is delivered or its schedule ends."
    ),
    ToldState.DELIVERED: _l(
        "Guerdon kept event and report in one commit, sent the report, and has the reply."
    ),
    ToldState.AGAIN: _l(
        "Guerdon knew this event: the same answer, nothing paid twice, nothing sent twice."
    ),
    ToldState.DEAD: _l(
        "Not delivered, and not sent again by itself. It is kept:"
        " `guerdon reports retry` sends it once more."
    ),
    ToldState.PAID: _l("Kept. No reporter is switched on that tells a platform about it."),
    ToldState.WAITING: _l(
        "The event cannot be paid now. It is kept, and tried again by itself until it can;"
        " its reports leave with it."
    ),
    ToldState.STUCK: _l(
        "The event was tried for too long: `guerdon events retry` tries it once more."
    ),
    ToldState.REFUSED: _l("Not accepted. Nothing of it is kept, and nothing is reported."),
    ToldState.LOST: _l("Guerdon did not answer. Does it run?"),
}

CLAIM_BADGES = {
    ClaimState.LEASED: _l("leased"),
    ClaimState.OVER: _l("lease over"),
    ClaimState.DONE: _l("given out"),
    ClaimState.REFUSED: _l("refused"),
}

CLAIM_VERDICTS = {
    ClaimState.LEASED: _l(
        "This game server's alone for now. Give it to the player, then acknowledge it."
    ),
    ClaimState.OVER: _l("Not acknowledged in time: Guerdon leases it to whoever asks next."),
    ClaimState.DONE: _l("Acknowledged: it is never leased again."),
    ClaimState.REFUSED: _l("Not acknowledged."),
}

# Words of Guerdon's that a newcomer cannot know, by the page that shows them.
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


def describe_grants(entry: Entry | Told) -> list[str]:
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
    text = json.dumps(value, indent=2, ensure_ascii=False)
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
