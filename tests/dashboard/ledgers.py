"""Two ledgers to look at: a small one as it usually is, and one in which an enemy wrote everything."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from app.database.keys import make_event_key
from app.database.models import Attempt, Claim, Event, Grant, Report, Send, Waiting
from app.database.states import AttemptKind, BoxState
from app.guerdon import Guerdon
from app.testing.players import add_player

MINUTE = 60_000  # ms
ATTACK = "<script>window.pwned=1</script><img src=x onerror=window.pwned=1>'\"--><b>{{7*7}}</b>%n\\"
TURNED = "\u202e\u2066gnp.evil\u2069 \u200b\u00ad"
CONTROL = "\x00\x01\x1b[31mred\x07\r\n\t\x7f\u2028end"
LONG = "W" * 255


@dataclass(frozen=True)
class Ledger:
    """What there is in a ledger, by name."""

    player: str
    event: str
    type: str
    stuck: str
    report: int
    dead_report: int


def write_small(guerdon: Guerdon) -> Ledger:
    """Some votes of Bob, one that waits, two dead ones, reports in each state."""
    with guerdon.database.connection_context():
        return Writer(guerdon).write(
            "Bob", "v{}", "server.vote", "gold", "every vote", "g123",
            "there is no player 'Robert'", '{"code": 0, "message": "ok"}',
        )  # fmt: skip


def write_hostile(guerdon: Guerdon) -> Ledger:
    """Every text of it is markup, turns the writing around, steers a terminal, or is as long as can be."""
    name = ATTACK[:200]  # a nickname there may be; in rows that an older game wrote, there is any
    add_player(guerdon, name)
    with guerdon.database.connection_context():
        writer = Writer(guerdon)
        writer.write(LONG, LONG[:250] + "{}", "t" * 64, "k" * 64, LONG, "r" * 64, LONG * 2, LONG)
        return writer.write(
            name, (ATTACK + CONTROL)[:240] + "{}", ATTACK[:64], ATTACK[:64], ATTACK + CONTROL,
            ATTACK[:60], ATTACK + TURNED + CONTROL, json.dumps({ATTACK: [CONTROL, {TURNED: ATTACK}]}),
        )  # fmt: skip


class Writer:
    """Writes rows as the service would, but with any text at all."""

    def __init__(self, guerdon: Guerdon) -> None:
        self._guerdon = guerdon
        self._now = guerdon.now()

    def write(
        self, player: str, event: str, type: str, kind: str, rule: str, reporter: str, why: str,
        answer: str,
    ) -> Ledger:  # fmt: skip
        """Rows in every table; `event` has a place for a number."""
        found = self._guerdon.find_player(player) if player != LONG else None
        key = str(found.key) if found else "nobody"
        rows = [self._settle(number_id(event, n), type, player, key, kind, rule)
                for n in range(60)]  # fmt: skip
        stuck = list(self._park(event, type, player, why))
        reports = [
            self._report(rows[0], reporter, kind, state, why, answer)
            for state in (BoxState.DELIVERED, BoxState.READY, BoxState.DEAD)
        ]
        for state in (BoxState.READY, BoxState.DONE, "unknown", "refused"):
            Claim.insert(
                server_id=kind, player_id=key, nickname=player, event_type=type, event_id=stuck[0],
                payload=json.dumps({"give": why, "to": player}), state=state, lease_token="", lease_until=0,
                takes=0, created_at=self._now - MINUTE, done_at=self._now if state == "done" else None,
                sends=2, sent_at=self._now - MINUTE, console="rcon/survival", last_error=why[:500],
                answer=answer,
            ).execute()  # fmt: skip
        first = number_id(event, 0)
        return Ledger(player, first, type, stuck[0], reports[0], reports[-1])

    def _settle(self, id: str, type: str, player: str, key: str, kind: str, rule: str) -> int:
        at = self._now - 3 * MINUTE
        row = Event.insert(
            ordered_key=make_event_key("gamemonitoring", type, id), source="gamemonitoring", type=type,
            event_id=id, server_id=kind, nickname=player, user_id=player, occurred_at=at, token=kind,
            settled_at=at, data=json.dumps({"nickname": player, "text": rule, "token": "a secret"}),
            earns=True, player_id=key, counted_at=at,
            verdicts=json.dumps([{"rule": rule, "paid": 1}, {"rule": rule, "paid": 0, "why": rule}]),
        ).execute()  # fmt: skip
        Grant.insert(
            event=row, rule=rule[:255], plugin=kind, kind=kind, params=json.dumps({"amount": rule}),
            player_id=key, nickname=player, server_id=kind, user_id=player,
            receipt=json.dumps({"balance": rule}), granted_at=at,
        ).execute()  # fmt: skip
        return int(row)

    def _park(self, event: str, type: str, player: str, why: str) -> Iterator[str]:
        states = (BoxState.DEAD, BoxState.READY, BoxState.DEAD)
        for number, state in enumerate(states, 100):
            id = number_id(event, number)
            key = make_event_key("gamemonitoring", type, id)
            since = self._now - number * MINUTE
            Waiting.insert(
                ordered_key=key, source="gamemonitoring", type=type, event_id=id, token="token 1",
                data=json.dumps({"nickname": player, "why": why}), state=state,
                due_at=self._now + 60 * MINUTE, lease_token="", lease_until=since, takes=0, attempts=3,
                retries=2, last_error=why[:500], received_at=since, waiting_since=since,
            ).execute()  # fmt: skip
            for what in (AttemptKind.DELIVERY, AttemptKind.RETRY):
                Attempt.insert(ordered_key=key, at=since, what=what, detail=why[:500]).execute()
            yield id

    def _report(
        self, event: int, reporter: str, kind: str, state: str, why: str, answer: str
    ) -> int:
        key = f"{kind}{state}"
        row = Report.insert(
            report_key=make_event_key(reporter, kind, key), reporter=reporter, kind=kind, key=key,
            event=event, body=json.dumps({"text": why, "app_secret": "hidden"}).encode(), state=state,
            due_at=self._now + 60 * MINUTE, lease_token="", lease_until=self._now, takes=0, sends=2,
            sends_before=0, response=answer, last_error="" if state == "delivered" else why[:500],
            created_at=self._now - MINUTE, waiting_since=self._now,
            delivered_at=self._now if state == "delivered" else None,
        ).execute()  # fmt: skip
        for number in (1, 2):
            Send.insert(
                report=row, number=number, begun_at=self._now - MINUTE, ended_at=self._now, status=500,
                latency=1234, error=why[:500] if number == 1 else "", answer=answer,
            ).execute()  # fmt: skip
        return int(row)


def number_id(event: str, number: int) -> str:
    """The id of an event: `event` with a number where its last {} is."""
    return f"{number}".join(event.rsplit("{}", 1))
