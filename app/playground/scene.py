"""What there is to see on the stage, as plain values with times of the rules' own calendar."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from app.counting.boards import count_votes, find_streak, read_imported, read_moments
from app.counting.occasions import SOURCE, Occasion
from app.counting.ranking_places import Standing
from app.database.models import Event, Grant, Waiting
from app.database.states import BoxState
from app.guerdon import Guerdon
from app.history.timeline import describe_grant, find_record, list_verdicts
from app.paying.describing import describe_player
from app.playground.choice import SERVERS
from app.playground.stage_clock import write_moment, write_period
from app.playground.words import TIMES, describe_reward
from app.porch.types import Player
from app.rules.calendar import Calendar, Unit
from app.rules.keys import Ties
from app.rules.rule import Rule
from app.rules.sentences import say_rule

Entry = dict[str, Any]  # a line of the log: title, state, why, verdicts
PLACES_SHOWN = 10
CLOSED_SHOWN = 3
WAITING_SHOWN = 20


def describe_scene(guerdon: Guerdon, players: Sequence[Player]) -> dict[str, Any]:
    """The clock, what each player has, the goals, the rankings, what waits, and the rules."""
    calendar, now = guerdon.rules.calendar, guerdon.now()
    named = {server for rule in guerdon.rules.all for server in rule.servers or ()}
    return {
        "time": write_moment(calendar, now),
        "zone": calendar.zone.key,
        "field": f"{calendar.read_clock(now):%Y-%m-%dT%H:%M}",
        "day": calendar.find_day(now).isoformat(),
        "servers": [*SERVERS, *sorted(named - set(SERVERS))],
        "players": [describe_actor(guerdon, player) for player in players],
        "goals": guerdon.showing.list_goals(now),
        "rankings": list(list_rankings(guerdon)),
        "waiting": list(list_waiting(guerdon)),
        "rules": [say_rule(rule) for rule in guerdon.rules.all],
    }


def describe_actor(guerdon: Guerdon, player: Player) -> dict[str, Any]:
    """A player's votes, streak, and what he has."""
    calendar, now = guerdon.rules.calendar, guerdon.now()
    moments = read_moments(guerdon.database, player.key)
    imported = read_imported(guerdon.database, player.key)
    streak = find_streak(calendar, moments, imported, now)
    known = describe_player(guerdon.plugins, guerdon.database, player, now)
    return {
        "nickname": player.nickname,
        "votes": count_votes(calendar, moments, imported, now),
        "streak": streak.length,
        "breaks": write_moment(calendar, streak.breaks_at) if streak.breaks_at else "",
        "gold": known.pop("gold", None),
        "has": [
            chip for name, value in known.items() for chip in list_chips(name, value, calendar)
        ],
    }


def list_chips(name: str, value: Any, calendar: Calendar) -> Iterator[str]:
    """What a player has of one kind, in a few words each; none for none."""
    match name, value:
        case _, _ if not value:
            return
        case "items", dict():
            yield from (f"{quantity} {TIMES} {item}" for item, quantity in value.items())
        case "roles", dict():
            yield from (f"role {role}{say_end(until, calendar)}" for role, until in value.items())
        case "vip_until", str():
            yield f"VIP{say_end(value, calendar)}"
        case _, str():
            yield f"{name} {value}"
        case _:
            yield f"{name} {json.dumps(value, ensure_ascii=False, default=str)}"


def say_end(until: str | None, calendar: Calendar) -> str:
    """Until when (ISO 8601), by the calendar's clock; None: for ever."""
    if until is None:
        return ", for ever"
    return f", until {datetime.fromisoformat(until).astimezone(calendar.zone):%-d %B %Y, %H:%M}"


def describe_settled(guerdon: Guerdon, row: Event) -> Entry:
    """A settled event, by its row in the ledger: what it is, and what each rule said of it."""
    record = find_record(bytes(row.ordered_key))
    assert record is not None  # it was read a moment ago
    grants = [describe_grant(grant) for grant in record.grants]
    verdicts = [
        {
            "rule": said["rule"],
            "paid": bool(said["paid"]),
            "why": said.get("why", ""),
            "rewards": list_rewards(grants, said["rule"]) or ["nothing, by lot"] * said["paid"],
        }
        for said in list_verdicts(record)
    ]
    facts: dict[str, Any] = json.loads(row.data)
    return {
        "title": name_event(guerdon, row, facts),
        "state": "paid" if grants else "unpaid" if row.earns else "note",
        "why": list_table(guerdon, facts) if "table" in facts else "",
        "verdicts": verdicts,
    }


def list_rewards(grants: Sequence[Mapping[str, Any]], rule: str) -> list[str]:
    """What one rule gave, in a few words each."""
    return [describe_reward(one["reward"], one["params"]) for one in grants if one["rule"] == rule]


def name_event(guerdon: Guerdon, row: Event, facts: Mapping[str, Any]) -> str:
    """What happened, in a line: a vote, a full round, a ranking that was closed, or somebody's part in it."""
    if row.source != SOURCE:
        site = f" by {facts['site']}" if facts.get("site") else ""
        return f"{row.nickname} votes on server {row.server_id}{site}"
    who = name_payee(guerdon, row)
    if row.type == Occasion.PARTY:
        return f"Party, round {facts['round']}: {who or 'it is full'}"
    period = write_period(facts["period"])
    if not who:
        return f"{period} is over: its ranking is closed"
    return f"{period}, place {facts[find_ties(guerdon, facts['name'])]}: {who}"


def find_ties(guerdon: Guerdon, ranking: str) -> Ties:
    """By which of its places a ranking is shown: as the first of its rules says; shared without any."""
    ties = [
        rule.ranking.ties
        for rule in guerdon.rules.all
        if rule.ranking and rule.ranking_name == ranking
    ]
    return ties[0] if ties else Ties.SHARE


def name_payee(guerdon: Guerdon, row: Event) -> str:
    """Whom a party or a ranking pays; "" for the occasion itself."""
    if not row.earns:
        return ""
    if not row.user_id:
        return f"server {row.server_id}"
    key = str(row.user_id)
    return guerdon.showing.name_players([key])[key]


def list_table(guerdon: Guerdon, facts: Mapping[str, Any]) -> str:
    """The table of a closed ranking, in a line."""
    table, is_shared = facts["table"], find_ties(guerdon, facts["name"]) is Ties.SHARE
    names = guerdon.showing.name_players([line[0] for line in table])
    places = [
        f"{shared if is_shared else first}. {names[key]} ({votes})"
        for key, _, votes, shared, first in table
    ]
    return ", ".join(places) or "nobody voted"


def list_rankings(guerdon: Guerdon) -> Iterator[dict[str, Any]]:
    """Each ranking: who leads now, and what its latest closed periods were and paid."""
    rankings: dict[str, Rule] = {}
    for rule in guerdon.rules.all:
        if rule.ranking:
            rankings.setdefault(rule.ranking_name, rule)
    for name, rule in rankings.items():
        assert rule.ranking is not None
        period = guerdon.rules.calendar.name_period(rule.ranking.unit, guerdon.now())
        table = guerdon.rankings.rank(rule.selector.counter, period, PLACES_SHOWN)
        end = guerdon.rankings.find_end(rule, period)
        yield {
            "unit": str(rule.ranking.unit),
            "period": write_period(period),
            "ends": write_moment(guerdon.rules.calendar, end),
            "is_closed": period == Unit.SEASON and guerdon.rankings.is_closed(rule, period),
            "table": list_places(guerdon, table, rule.ranking.ties),
            "closed": list_closed(guerdon, name),
        }


def list_places(guerdon: Guerdon, table: Sequence[Standing], ties: Ties) -> list[dict[str, Any]]:
    """Who leads, by name."""
    names = guerdon.showing.name_players([one.player for one in table])
    return [
        {
            "place": one.shared if ties is Ties.SHARE else one.first,
            "nickname": names[one.player],
            "votes": one.votes,
        }
        for one in table
    ]


def list_closed(guerdon: Guerdon, ranking: str) -> list[dict[str, Any]]:
    """The latest closed periods of a ranking, the last first: the table, and who was paid what."""
    mine = (Event.source == SOURCE) & (Event.type == Occasion.RANKING)
    rows = [(row, json.loads(row.data)) for row in Event.select().where(mine).order_by(Event.id)]
    ours, ties = [one for one in rows if one[1]["name"] == ranking], find_ties(guerdon, ranking)
    tables = {facts["period"]: facts for _, facts in ours if "table" in facts}
    paid: dict[str, list[str]] = {period: [] for period in tables}
    for row, facts in sorted(ours, key=lambda one: int(one[1].get(ties, 0))):
        paid.setdefault(facts["period"], []).extend(list_paid(row.id))
    return [
        {
            "period": write_period(period),
            "table": list_table(guerdon, tables[period]),
            "paid": paid[period],
        }
        for period in list(tables)[: -CLOSED_SHOWN - 1 : -1]
    ]


def list_paid(event: int) -> list[str]:
    """What an event has given, to whom, by its row."""
    return [
        f"{grant.nickname}: {describe_reward(grant.kind, json.loads(grant.params))}"
        for grant in Grant.select().where(Grant.event == event).order_by(Grant.id)
    ]


def list_waiting(guerdon: Guerdon) -> Iterator[dict[str, str]]:
    """What could not be paid yet: what it is, why, and when it is tried again."""
    open_rows = Waiting.select().where(Waiting.state != BoxState.SETTLED).order_by(Waiting.id)
    for row in open_rows.limit(WAITING_SHOWN):
        facts = json.loads(row.data)
        key = facts.get("player", "")
        who = guerdon.showing.name_players([key])[key] if key else facts.get("nickname", "")
        due = max(int(row.due_at), int(row.waiting_since))
        is_dead = row.state == BoxState.DEAD
        yield {
            "what": f"{row.type} of {who or 'nobody'}",
            "why": row.last_error,
            "next": "given up"
            if is_dead
            else f"tried again {write_moment(guerdon.rules.calendar, due)}",
        }
