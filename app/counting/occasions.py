"""Parties and rankings as events: what is paid is an event with a key, so it is paid once.

A round of votes, or a period that is over, becomes a delivery of our own, and so does each whom it pays: what
cannot be given to one, as to a name that no command may hold, costs no other anything.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from app.porch.rounds import join_key
from app.porch.types import Delivery, Event
from app.rules.keys import Payees, Ties
from app.rules.rule import Rule, Rules

SOURCE = "guerdon-rules"  # no plugin can have such a name


class Occasion(StrEnum):
    """The types of our own events."""

    PARTY = "party"
    RANKING = "ranking"
    BACKFILL = "backfill"  # what a rule would have paid for an event of before
    TOTALS = "totals"  # what another plugin had counted; it is counted, and nothing is paid for it


def make_party(party: str, period: str, number: int, data: Mapping[str, Any]) -> Delivery:
    """The delivery of a party's round; `data` has `voters`, `servers` and `moment`.

    Its number comes first, so that its rows are beside each other in the indexes of events and of the inbox,
    which begin like ids: after the party's name they would be among those of all its rounds.
    """
    within = () if ":" not in period else (period.partition(":")[2],)
    id = join_key(str(number), party, *within)
    said = {"name": party, "period": period, "round": number, **data}
    return Delivery(SOURCE, Occasion.PARTY, id, data=said)


def make_ranking(ranking: str, period: str, data: Mapping[str, Any]) -> Delivery:
    """The delivery of a period that is over; `data` has `table` and `moment`."""
    id = join_key(ranking, period.rpartition(":")[2])
    return Delivery(SOURCE, Occasion.RANKING, id, data={"name": ranking, "period": period, **data})


def make_backfill(rule: Rule, paid_for: Event, player: str, moment: int, times: int) -> Event:
    """What pays a rule's past for one event, once, however often it is asked for."""
    id = join_key(rule.name, paid_for.type, paid_for.id)
    data = {"name": rule.name, "times": times, "type": paid_for.type, "id": paid_for.id}
    return Event(
        SOURCE,
        Occasion.BACKFILL,
        id,
        paid_for.server_id,
        user_id=player,
        occurred_at=moment,
        data=data,
    )


def list_events(delivery: Delivery) -> list[Event]:
    """The event of an occasion, which earns nothing itself; or of one whom it pays."""
    data = delivery.data
    if "facts" not in data:
        whole = Event(
            SOURCE, delivery.type, delivery.id, occurred_at=data["moment"], data=data, earns=False
        )
        return [whole]
    return [
        Event(
            SOURCE, delivery.type, delivery.id, data["server"], user_id=data["player"],
            occurred_at=data["moment"], data=data["facts"],
        )
    ]  # fmt: skip


def list_payees(occasion: Delivery, rules: Rules) -> Iterator[Delivery]:
    """A delivery for each whom a rule pays: nobody waits for what cannot be given to another."""
    for payee in list_candidates(occasion):
        if list_paying_rules(rules, list_events(payee)[0]):
            yield payee


def list_candidates(occasion: Delivery) -> Iterator[Delivery]:
    """A delivery for each who was part of an occasion."""
    data = occasion.data
    shared = {name: data[name] for name in ("name", "period", "round") if name in data}
    for player, server in data.get("voters", ()):
        yield make_payee(occasion, player, server, {**shared, "to": Payees.VOTERS})
    for server in data.get("servers", ()):
        facts = {**shared, "to": Payees.SERVER}
        yield make_payee(occasion, "", server, facts, f"server {server}")
    for player, server, votes, shared_place, first_place in data.get("table", ()):
        places = {str(Ties.SHARE): shared_place, str(Ties.FIRST): first_place}
        yield make_payee(occasion, player, server, {**shared, "votes": votes, **places})


def make_payee(
    occasion: Delivery, player: str, server: str, facts: Mapping[str, Any], name: str = ""
) -> Delivery:
    """What one payee gets of an occasion, as a delivery of its own; `player` is his key."""
    id = join_key(*occasion.id.split(":"), name or player)
    moment = occasion.data["moment"]
    data = {"player": player, "server": server, "moment": moment, "facts": facts}
    return Delivery(SOURCE, occasion.type, id, data=data)


def list_paying_rules(rules: Rules, event: Event) -> Sequence[Rule]:
    """The rules that pay this payee of an occasion, in the file's order."""
    named = rules.find_named(str(event.data.get("name", "")))
    return [rule for rule in named if does_pay(rule, event)]


def find_orphan(rules: Rules, event: Event) -> str:
    """Why somebody whom an occasion pays has to wait; "" where a rule pays him."""
    is_paid = event.source == SOURCE and event.earns and event.type != Occasion.TOTALS
    if not is_paid or list_paying_rules(rules, event):
        return ""
    return f"the rule that paid this {event.type} is not there any more: put it back, and retry"


def does_pay(rule: Rule, event: Event) -> bool:
    facts = event.data
    if event.type == Occasion.TOTALS:
        return False
    if event.type == Occasion.BACKFILL:
        return facts.get("name") == rule.name
    if event.type == Occasion.PARTY:
        if rule.party is None or facts.get("name") != rule.party_name:
            return False
        is_for_server = rule.party.to == Payees.SERVER
        if facts.get("to") != rule.party.to:
            return False
        return not is_for_server or (rule.servers is not None and event.server_id in rule.servers)
    if rule.ranking is None or facts.get("name") != rule.ranking_name:
        return False
    place = facts.get(rule.ranking.ties)
    return isinstance(place, int) and rule.ranking.first <= place <= rule.ranking.last
