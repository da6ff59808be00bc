"""One life of Guerdon beside its model: its process, its database, its time, and what must hold."""

from collections.abc import Sequence
from contextlib import nullcontext, suppress
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)
from peewee import PeeweeException

from app.porch.errors import DatabaseUnavailable
from tests.model.agreement import (
    Books,
    learn_jitter,
    read_books,
    read_event,
    read_player,
    read_rows,
    tell_books,
    tell_event,
    tell_player,
)
from tests.model.model import VOTE_API, Model
from tests.model.model_reports import PLATFORM
from tests.model.model_rules import RULES, Event, Rule, write_rules
from tests.model.stage import DISTURBANCES, G123, VOTES, Stage

nicknames = st.sampled_from(["Bob", "bob", "Ann", "ZOË", "zoë"])
rule_sets = st.lists(
    st.sampled_from(RULES), unique_by=lambda rule: rule.name, min_size=2, max_size=4
)
matches = st.sampled_from(["exact", "casefold"])
unknowns = st.sampled_from(["fail", "hold", "create"])
servers = st.sampled_from(["1", "2", ""])
votes = st.tuples(nicknames, servers)  # whose, and on which server
events: Bundle[Event] = Bundle("events")
seconds = st.sampled_from([0, 2, 5, 30, 61, 600, 3600, 7200, 90_000])
# What the world does from now on; None: as before.
apis = st.sampled_from([None, "up", "up", *VOTE_API])
platforms = st.sampled_from([None, "up", "down", *PLATFORM])
hows = st.sampled_from(["plainly"] * 4 + list(DISTURBANCES))


def is_here(machine: Any) -> bool:
    return not machine.model.gone


def has_lived(machine: Any) -> bool:
    """A process that was just opened first does something: opening takes longer than most steps."""
    return bool(machine.steps >= machine.opened + 4)


class Life(RuleBasedStateMachine):
    """The service, the model, and what must hold of the two after every step."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.steps = self.opened = 0
        self.stage = stage
        stage.store.renew()
        stage.begin()
        self.model = Model(stage.clock.now)

    def teardown(self) -> None:
        self.stage.close()
        self.stage.store.come_back()

    # The process and its database

    def open(self) -> None:
        model = self.model
        self.stage.open(write_rules(model.rules), model.match, model.unknown)
        model.outbox.forget()
        self.opened = self.steps

    @precondition(has_lived)
    @rule(rules=st.none() | rule_sets, match=matches, unknown=unknowns)
    def restart(self, rules: Sequence[Rule] | None, match: str, unknown: str) -> None:
        """With other rules, or as it was."""
        if rules is not None:
            self.model.rules, self.model.match, self.model.unknown = rules, match, unknown
        self.open_again()

    def open_again(self) -> None:
        self.stage.close()
        self.open()

    @precondition(is_here)
    @rule(how=st.sampled_from(["locked", "away"]))
    def lose_database(self, how: str) -> None:
        store = self.stage.store
        self.model.gone = how if how in store.outages else "away"
        if self.model.gone == "locked":
            store.lock()
        elif store.family == "sqlite":  # an open file would stay there for whoever has it open
            self.stage.close()
            store.go_away()
            self.open()
        else:
            store.go_away()

    @precondition(lambda self: self.model.gone)
    @rule()
    def find_database(self) -> None:
        self.stage.come_back()
        self.model.gone = ""

    def pass_time(self, after: int) -> None:
        self.stage.clock.advance(after)
        self.model.now += 1000 * after

    # What must hold

    def allow_outage(self) -> Any:
        errors = (PeeweeException, DatabaseUnavailable)
        return suppress(*errors) if self.model.gone else nullcontext()

    def look_at(self, event: Event) -> None:
        response = self.stage.get(f"events/{event.type}/{quote(event.id)}")
        self.learn()
        expected = tell_event(self.model, event)
        status = 503 if self.model.gone == "away" else 404 if expected is None else 200
        assert response.status_code == status, response.text
        if status == 200:
            told = read_event(response.get_json())
            assert told == expected, f"it tells {told} instead of {expected}"
        self.look_at_player(event.nickname or event.uid)

    def look_at_player(self, nickname: str) -> None:
        response = self.stage.get(f"players/{quote(nickname)}")
        found = self.model.find_players(nickname)
        status = 503 if self.model.gone == "away" else {0: 404, 1: 200}.get(len(found), 409)
        assert response.status_code == status, response.text
        if status == 200:
            told = read_player(response.get_json())
            expected = tell_player(found[0], self.model.now)
            assert told == expected, f"it tells {told} instead of {expected}"

    def learn(self) -> Books:
        rows = read_rows(self.stage.store)
        learn_jitter(self.model, rows)
        return read_books(rows)

    @invariant()
    def agree(self) -> None:
        if self.stage.is_closed:
            return  # it has not begun
        self.steps += 1
        world, model = self.stage.world, self.model
        found, expected = self.learn(), tell_books(model)
        for name, value in expected.items():
            assert found[name] == value, f"{name}: {found[name]} instead of {value}"
        assert self.stage.clock.now == model.now
        assert (world.count(VOTES), world.count(G123)) == (model.asked, model.outbox.posted)
        assert all(len(bodies) == 1 for bodies in world.posted.values()), (
            "another send, other bytes"
        )
        assert self.stage.is_ready() == (not model.gone)
        if known := [*model.settled, *model.inbox]:  # one after the other
            key = known[self.steps % len(known)]
            self.look_at(model.settled[key][0] if key in model.settled else model.inbox[key].event)
