"""Two ledgers to look at: a small one as it usually is, and one in which an enemy wrote everything."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.database.keys import make_event_key
from app.database.models import Attempt, Claim, Event, Grant, Report, Send, Waiting
from app.database.reconciliation_models import Reconciliation
from app.database.states import AttemptKind, BoxState
from app.database.watching_models import AlarmRow
from app.guerdon import Guerdon
from app.history.acts import BEGUN, write_act
from app.history.filters import EventFilter, ReportFilter
from app.history.states import EventState, ReportState
from app.numbers.sampling import Sampler
from app.testing.players import add_player
from app.upkeep.planning import RETRY_EVENTS

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
    act: int
    plan: int
    running: int
    comparison: int


def write_small(guerdon: Guerdon) -> Ledger:
    """Some votes of Bob, one that waits, two dead ones, reports in each state."""
    with guerdon.database.connection_context():
        return Writer(guerdon).write(
            "Bob", "v{}", "server.vote", "gold", "every vote", "g123",
            "no player is called Robert", '{"code": 0, "message": "ok"}', "Robert said so",
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
        self._written = ""

    def write(
        self, player: str, event: str, type: str, kind: str, rule: str, reporter: str, why: str,
        answer: str, written: str = "",
    ) -> Ledger:  # fmt: skip
        """Rows in every table; `event` has a place for a number; `written` is what persons wrote."""
        self._written = written or why
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
                payload=json.dumps({"give": self._written, "to": player}), state=state, lease_token="",
                lease_until=0, takes=0, created_at=self._now - MINUTE,
                done_at=self._now if state == "done" else None,
                sends=2, sent_at=self._now - MINUTE, console="rcon/survival", last_error=why[:500],
                answer=answer,
            ).execute()  # fmt: skip
        self._add_codes(kind)
        first = number_id(event, 0)
        acts = self._act(type, reporter, why)
        comparison = self._compare(type, event, rule, why)
        self._alarm(kind, reporter, why)
        return Ledger(player, first, type, stuck[0], reports[0], reports[-1], *acts, comparison)

    def _act(self, type: str, reporter: str, why: str) -> list[int]:
        """One that is over, a plan of anna's, and one that is half done, and not ours."""
        about = str(EventFilter(EventState.DEAD, type))
        times = {"oldest": self._now - 60 * MINUTE, "ceiling": 3}
        person, reason = self._written[:200], self._written[:500]
        over = write_act(person, self._written[:32], self._written, self._now, reason, number=3, done=2,
                         error=why[:500], ended_at=self._now, **times)  # fmt: skip
        acts = self._guerdon.acts
        plan = acts.plan_act(ReportFilter(ReportState.DEAD, reporter), "anna", reason).id
        running = write_act(person, RETRY_EVENTS, about, self._now, reason, number=1000, done=390,
                            state=BEGUN, place=2, **times)  # fmt: skip
        return [over, plan, running]

    def _add_codes(self, pool: str) -> None:
        """Three promo codes nobody has, where there is a table of them; and a sample of what waits."""
        database = self._guerdon.database
        if "guerdon_promo_codes" in database.get_tables():
            columns, mark = "pool, code, player_id, event_type, event_id", database.param
            sql = f"INSERT INTO guerdon_promo_codes ({columns}) VALUES ({mark}, {mark}, '', '', '')"
            for code in range(3):
                database.execute_sql(sql, (pool, f"{pool}{code}"))
        Sampler(database).sample(self._now)

    def _compare(self, type: str, event: str, person: str, why: str) -> int:
        """Comparisons with a site's list, in each state; the one that found something."""
        vote = {
            "type": type,
            "id": number_id(event, 0),
            "server_id": self._written,
            "occurred_at": self._now,
        }
        found = {"missing": [vote], "differs": [{**vote, "how": self._written}], "unknown": [vote]}
        usual: dict[str, Any] = {
            "source": "gamemonitoring", "person": person[:255], "begun_at": self._now - MINUTE,
            "since": self._now - 60 * MINUTE, "lease_until": self._now, "holder": "", "reason": "",
            "listed": 61, "waiting": 1, "healed": 1, "ended_at": self._now, "heals": True,
        }  # fmt: skip
        none = {"missing": 0, "differs": 0, "unknown": 0, "found": "{}"}
        Reconciliation.insert(**usual | none | {"state": "running", "ended_at": None}).execute()
        Reconciliation.insert(**usual | none | {"state": "done", "person": ""}).execute()
        some = {"missing": 1, "differs": 1, "unknown": 1, "found": json.dumps(found)}
        last = usual | some | {"state": "not known", "reason": why[:500]}
        return int(Reconciliation.insert(**last).execute())

    def _alarm(self, about: str, reporter: str, why: str) -> None:
        """One that fires, one that seems over; and what was told of them."""
        for name, over in (("GuerdonVoteWaits", None), ("GuerdonReportsDied", self._now)):
            AlarmRow.insert(
                name=name, about=about, summary=why[:500], since=self._now - 5 * MINUTE, over_since=over,
                fired_at=self._now - MINUTE, told_by=reporter if over else "", told_until=self._now,
            ).on_conflict_ignore().execute()  # fmt: skip
        for kind in ("alert", "recovered"):
            turn = "0/" if kind == "alert" else ""
            key = f"GuerdonVoteWaits/{self._now}/{turn}{about}"
            Report.insert(
                report_key=make_event_key(reporter, kind, key), reporter=reporter, kind=kind, key=key[:255],
                event=0, body=why.encode(), state=BoxState.READY, due_at=self._now + 60 * MINUTE,
                lease_token="", lease_until=self._now, takes=0, sends=0, sends_before=0, last_error="",
                created_at=self._now, waiting_since=self._now,
            ).execute()  # fmt: skip

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
