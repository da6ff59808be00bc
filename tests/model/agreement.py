"""The model's books and the database's in one shape, so that the two can be compared whole.

Whatever the model cannot know beforehand, a jittered time, is checked and then told to it.
"""

import json
from collections import defaultdict
from decimal import Decimal
from typing import Any

from app.porch.text import format_time
from tests.model.model import ENDLESS, Model, Player
from tests.model.model_rules import LEVEL_UP, Event, Key
from tests.model.stage import make_token

TABLES = {
    "events": "SELECT id, type, event_id, nickname, server_id, user_id, settled_at"
              " FROM guerdon_events",
    "grants": "SELECT event, rule, kind, params, nickname, server_id FROM guerdon_grants"
              " ORDER BY id",
    "inbox": "SELECT type, event_id, state, attempts, last_error, due_at, retries, takes,"
             " waiting_since, lease_until FROM guerdon_inbox ORDER BY id",
    "steps": "SELECT i.type, i.event_id, a.what FROM guerdon_attempts a JOIN guerdon_inbox i"
             " ON a.ordered_key = i.ordered_key ORDER BY a.id",
    "attempts": "SELECT COUNT(*) FROM guerdon_attempts",
    "players": "SELECT id, nickname, gold FROM players",
    "items": "SELECT player_id, name, quantity FROM guerdon_items",
    "roles": "SELECT player_id, name, until FROM guerdon_roles",
    "vips": "SELECT player_id, until FROM guerdon_vip",
    "codes": "SELECT code, event_id, player_id FROM guerdon_promo_codes ORDER BY id",
    "claims": "SELECT server_id, nickname, event_id, payload, state, lease_token, lease_until, id"
              " FROM guerdon_claims ORDER BY id",
    "reports": "SELECT r.id, e.event_id, r.state, r.sends_before, r.waiting_since, r.last_error,"
               " r.response, r.due_at, r.lease_until, r.sends"
               " FROM guerdon_reports r JOIN guerdon_events e ON e.id = r.event ORDER BY r.id",
    "sends": "SELECT report, ended_at, error FROM guerdon_sends ORDER BY report, number",
}  # fmt: skip

Books = dict[str, Any]


def read_rows(store: Any) -> dict[str, list[Any]]:
    return dict(zip(TABLES, store.ask(*TABLES.values()), strict=True))


def read_books(rows: dict[str, list[Any]]) -> Books:
    """What the tables hold, without their ids."""
    keys = {id_: (type_, event_id) for id_, type_, event_id, *_ in rows["events"]}
    nicknames = {str(id_): nickname for id_, nickname, _ in rows["players"]}
    given, steps, sends = defaultdict(list), defaultdict(list), defaultdict(list)
    for event, rule, kind, params, nickname, server in rows["grants"]:
        given[keys[event]].append((rule, kind, json.loads(params), nickname, server))
    for type_, event_id, what in rows["steps"]:
        steps[type_, event_id].append(what)
    for report, ended, error in rows["sends"]:
        sends[report].append("unknown" if ended is None else "failed" if error else "delivered")
    return {
        "settled": {(row[1], row[2]): (*row[3:], given[row[1], row[2]]) for row in rows["events"]},
        "inbox": {row[:2]: show_waiting(*row[2:]) for row in map(tuple, rows["inbox"])},
        "steps": dict(steps),
        "attempts": rows["attempts"][0][0],
        "gold": {nickname: Decimal(str(gold)) for _, nickname, gold in rows["players"]},
        "items": {(nicknames[id_], name): number for id_, name, number in rows["items"]},
        "roles": {(nicknames[id_], name): until for id_, name, until in rows["roles"]},
        "vips": {nicknames[id_]: until for id_, until in rows["vips"]},
        "codes": [(code, event_id, nicknames.get(id_, "")) for code, event_id, id_ in rows["codes"]],
        "claims": [
            (*row[:3], json.loads(row[3]), *show_lease(*row[4:7])) for row in rows["claims"]
        ],
        "reports": {row[1]: (*show_report(*row[2:9]), sends[row[0]]) for row in rows["reports"]},
        "sends": [(row[1], row[9]) for row in rows["reports"]],
    }  # fmt: skip


def tell_books(model: Model) -> Books:
    """What the tables have to hold."""
    settled = {
        key: (
            event.nickname,
            event.server,
            event.uid,
            at,
            [(*one[1:], event.server) for one in given],
        )
        for key, (event, at, given) in model.settled.items()
    }
    players = model.players.values()
    takers = {code: player.nickname for player in players for code in player.codes}
    return {
        "settled": settled,
        "inbox": {
            key: show_waiting(row.state, row.attempts, row.reason, row.due, row.retries, row.takes,
                              row.since, row.lease_until)
            for key, row in model.inbox.items()
        },
        "steps": model.steps,
        "attempts": sum(map(len, model.steps.values())),
        "gold": {player.nickname: player.gold for player in players},
        "items": {(p.nickname, name): number for p in players for name, number in p.items.items()},
        "roles": {
            (p.nickname, name): until
            for p in players for name, until in p.roles.items()
        },
        "vips": {player.nickname: player.vip for player in players if player.vip is not None},
        "codes": [(code, event_id, takers.get(code, "")) for code, event_id in model.codes.items()],
        "claims": [
            (one.server, one.nickname, one.event_id, one.payload,
             *show_lease(one.state, one.token, one.until))
            for one in model.claims.all
        ],
        "reports": {
            one.event_id: (
                *show_report(one.state, one.before, one.since, one.error, tell_response(one),
                             one.due, one.lease_until),
                one.sends,
            )
            for one in model.outbox.reports.values()
        },
        "sends": [(one.event_id, len(one.sends)) for one in model.outbox.reports.values()],
    }  # fmt: skip


def show_waiting(
    state: str, attempts: int, reason: str, due: int, retries: int, takes: int, since: int, until: int
) -> tuple[Any, ...]:  # fmt: skip
    """Of a row in the inbox what still means something in its state."""
    more = {"ready": (due, retries, takes, since), "leased": (until, retries, takes, since)}
    return (state, attempts, find_word(reason), *more.get(state, ()))


WORDS = (
    "no player is called", "players are called", "no promo code is left", "names no server",
    "no connection", "no whole answer", "it answered 500", "is not JSON", "is not a vote",
    "another id than was asked for", "could be mistaken for the player",
    "may not stand within a longer text of a claim",
)  # fmt: skip


def find_word(reason: str) -> str:
    return next((word for word in WORDS if word in reason), reason)


def show_lease(state: str, token: str, until: int) -> tuple[Any, ...]:
    return (state, token, until if state == "leased" else None)


def show_report(
    state: str, before: int, since: int, error: str, response: str | None, due: int, until: int
) -> tuple[Any, ...]:
    more = {"ready": (due,), "leased": (due, until)}
    return (state, before, since, error, response, *more.get(state, ()))


def tell_response(report: Any) -> str | None:
    token = json.dumps({"token": make_token(report.event_id)})
    return token if report.state == "delivered" else None


def learn_jitter(model: Model, rows: dict[str, list[Any]]) -> None:
    """Tell the model when its reports really are due, where that is as early and as late as it may be."""
    for row in rows["reports"]:
        report = model.outbox.reports.get(row[1])
        if report is not None and report.due - 1 <= row[7] <= report.latest + 1:
            report.due = report.latest = row[7]


def learn_order(model: Model, rows: dict[str, list[Any]]) -> None:
    """Tell the model in which order what came at once was stored.

    Where the two hold different things it stays as it is, and they will not agree.
    """
    keys = {id_: (type_, event_id) for id_, type_, event_id, *_ in rows["events"]}
    granted = list(dict.fromkeys(keys[event] for event, *_ in rows["grants"]))
    place = {name: number for number, name in enumerate(granted)}
    for player in model.players.values():
        player.given.sort(key=lambda one: place.get(one.event, 0))
    claimed = [event_id for _, _, event_id, *_ in rows["claims"]]
    if set(claimed) == {one.event_id for one in model.claims.all}:
        model.claims.all.sort(key=lambda one: claimed.index(one.event_id))
    stored = [(type_, event_id) for type_, event_id, *_ in rows["inbox"]]
    if set(stored) == set(model.inbox):
        model.inbox = {key: model.inbox[key] for key in stored}


def tell_event(model: Model, event: Event) -> dict[str, Any] | None:
    """What /v1 tells of an event; None: nothing."""
    key: Key = event.key
    state, row = model.tell_state(key), model.inbox.get(key)
    if state is None:
        return None
    given = model.settled[key][2] if state == "settled" else []
    report = model.outbox.reports.get(event.id) if event.type == LEVEL_UP else None
    return {
        "state": state,
        "attempts": (row.attempts if row else 0) + (state == "settled"),
        "next_try_at": format_time(max(row.due, row.since)) if row and state == "waiting" else None,
        "grants": [(one.rule, one.kind, one.nickname) for one in given],
        "reports": [(report.state, len(report.sends), tell_response(report))] if report else [],
    }


def read_event(told: dict[str, Any]) -> dict[str, Any]:
    return {
        "state": told["state"],
        "attempts": told["attempts"],
        "next_try_at": told["next_try_at"],
        **read_summary(told),
    }


def read_summary(told: dict[str, Any]) -> dict[str, Any]:
    """The grants and reports of an answer."""
    return {
        "grants": [(one["rule"], one["reward"], one["nickname"]) for one in told["grants"]],
        "reports": [
            (one["state"], one["sends"], one["response"] and json.dumps(one["response"]))
            for one in told["reports"]
        ],
    }


def tell_player(player: Player, now: int) -> dict[str, Any]:
    """What GET /v1/players answers."""
    return {
        "nickname": player.nickname,
        "gold": f"{player.gold:.2f}",
        "items": player.items,
        "roles": {
            name: None if until == ENDLESS else format_time(until)
            for name, until in player.roles.items()
            if until > now
        },
        "vip_until": format_time(player.vip) if player.vip and player.vip > now else None,
        "promo_codes": player.codes,
        "grants": [(one.rule, one.kind, one.params) for one in reversed(player.given)][:50],
    }


def read_player(told: dict[str, Any]) -> dict[str, Any]:
    """Without what tests/counting has a telling of its own for: votes and streaks."""
    grants = [(one["rule"], one["reward"], one["params"]) for one in told["grants"]]
    kept = {name: one for name, one in told.items() if name not in ("votes", "streak")}
    return kept | {"grants": grants}
