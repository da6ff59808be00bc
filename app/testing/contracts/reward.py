"""The contract of a reward: paid once, wholly or not at all, by any number of processes, killed or not.

class TestPets(RewardContract):
    plugin = "pets"
    reward = {"reward": "pets", "amount": 5}
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from app.failpoints import POINTS
from app.guerdon import Guerdon
from app.porch.errors import ConfigError
from app.porch.types import OutcomeState
from app.testing.contracts import partner
from app.testing.contracts.places import PLAYERS, Batches, Paid, Place, write_rule
from app.testing.contracts.reading import find_clocks
from app.testing.contracts.watching import find_files
from app.testing.databases import Databases

LONGEST_WAIT = 0.05  # seconds in each call
VOTES, AT_ONCE = 200, 8
SETTLED, KNOWN, WAITING = OutcomeState.SETTLED, OutcomeState.KNOWN, OutcomeState.WAITING


def vote(id: str, server: str = "1", nickname: str = "Bob") -> tuple[str, str, str]:
    return (id, server, nickname)


def make_batches(ids: Sequence[str]) -> Batches:
    """Some at a time, as a worker has them."""
    return [
        [vote(id_) for id_ in ids[start : start + AT_ONCE]] for start in range(0, len(ids), AT_ONCE)
    ]


class RewardContract:
    """Name the plugin, and a reward of it as a rule would; `prepare` fills what it gives from."""

    plugin: ClassVar[str] = ""
    section: ClassVar[str] = ""  # the TOML of its section; absent: an empty one
    reward: ClassVar[Mapping[str, Any]] = {}
    wrong: ClassVar[Sequence[Mapping[str, Any]]] = ()  # rewards that must stop the start
    adds_up: ClassVar[bool] = True  # False: a second vote gives a player nothing more

    def prepare(self, guerdon: Guerdon) -> None:
        """Put into the database what rewards are given from, as a pool of codes."""

    @pytest.fixture(autouse=True)
    def _places(
        self, tmp_path: Path, guerdon_databases: Any, guerdon_plugins: Path
    ) -> Iterator[None]:
        with self.open_places(tmp_path, guerdon_databases, guerdon_plugins):
            yield

    @contextmanager
    def open_places(self, folder: Path, databases: Databases, plugins: Path) -> Iterator[None]:
        """Have `make_place` make places in `folder`, each with a database of its own, for a block."""
        section = self.section or f"[plugins.{self.plugin}]\n"
        with ExitStack() as stack:

            def make() -> Place:
                inner = Path(tempfile.mkdtemp(dir=folder))
                url = stack.enter_context(databases.make(inner))
                place = Place(inner, plugins, url, self.plugin, section)
                place.set_up(self.reward, self.prepare)
                return place

            self.make_place: Callable[[], Place] = make
            yield

    def pay_one_by_one(self, ids: Sequence[str]) -> Any:
        """What players have where these votes came one after the other."""
        place = self.make_place()
        [paid] = place.pay([[vote(id_)] for id_ in ids])
        self.require_settled(paid)
        return place.read()

    def require_settled(self, paid: Paid) -> None:
        """Each vote was paid, by this plugin."""
        for id_, (state, reason, givers, faults) in paid.answers.items():
            assert state in (SETTLED, KNOWN), f"vote {id_} was not paid: {reason}\n{paid.raised}"
            assert state == KNOWN or givers == [self.plugin], (
                f"the plugin {givers} gave it: answer grant_reward with a receipt for your own kind"
            )
            assert not faults, f"its receipt is no JSON ({faults[0]}): make it text and numbers"

    def test_a_vote_is_paid(self) -> None:
        """A vote is paid: with a receipt that is JSON, no commit, and no error swallowed."""
        place = self.make_place()
        before = place.read()
        [first] = place.pay([[vote("v1")]])
        self.require_settled(first)
        once = place.read()
        [second] = place.pay([[vote("v2")]])
        self.require_settled(second)

        assert once != before, (
            "it gave nothing: no row of the plugin's, of players or claims changed"
        )
        if self.adds_up:
            assert place.read() != once, (
                "a second vote gave nothing: is an error swallowed? Let it pass. Where a second one is to"
                " give nothing, say adds_up = False"
            )

    def test_it_answers_for_its_own_kinds_alone(self) -> None:
        """A reward of another plugin's kind is left to that one."""
        place = self.make_place()

        [paid] = place.pay([[vote("v1", server="3")]])

        [(state, reason, givers, _)] = paid.answers.values()
        assert (state, givers) == (SETTLED, [partner.NAME]), (
            "it answers for a kind that is not its own: let grant_reward return None unless reward.kind is"
            f" yours {reason}"
        )

    def test_importing_it_does_nothing(self) -> None:
        """No network, no file, no program, no thread: every command imports it, also `guerdon check`."""
        [paid] = self.make_place().pay([])

        assert not paid.imported, (
            "; ".join(paid.imported) + ": do it in a hook, not as it is imported"
        )

    def test_inside_it_touches_our_database_alone(self) -> None:
        """No network, no file, no program, no thread, no sleep, no connection of its own in a payment."""
        place = self.make_place()

        [paid] = place.pay([[vote(f"v{number}") for number in range(8)]])

        assert not paid.seen, "; ".join(paid.seen) + ": do that outside, as in send_report"
        least = min(paid.waits)  # of one alone the machine may be the cause
        assert least < LONGEST_WAIT, (
            f"each call waits {least:.2f} s for something, and everybody's payments with it"
        )

    def test_time_is_an_argument(self) -> None:
        """No clock is read: `now` is the time of the payment, in ms."""
        found = list(find_clocks(find_files(self.make_place().config, self.plugin)))

        assert not found, "; ".join(found) + ": take the hook's argument `now` instead"

    def test_parameters_are_checked_at_the_start(self) -> None:
        """A rule with a parameter that is none, or a wrong one, stops the start."""
        place = self.make_place()
        for wrong in ({**self.reward, "no_such_parameter": 1}, *self.wrong):
            place.write_rules(write_rule("1", [wrong]))
            with pytest.raises(ConfigError), place.use():
                pytest.fail(f"{wrong} is taken: let the schema in reward_schemas refuse it")

    def test_its_tables_are_made_once(self) -> None:
        """`guerdon migrate` again has nothing left to do."""
        with self.make_place().use() as guerdon:
            assert guerdon.migrate() == []
            assert guerdon.inspect() == []
            for one in guerdon.plugins.tables:
                for change in one.changes if one.plugin == self.plugin else ():
                    self.require_repeatable(guerdon, change, one.changes[change])

    def require_repeatable(
        self, guerdon: Guerdon, name: str, change: Callable[[Any], None]
    ) -> None:
        """What was killed on MySQL or MariaDB after its table was changed is run again."""
        with guerdon.database.connection_context():
            try:
                change(guerdon.database)
            except Exception as error:
                pytest.fail(
                    f'the change "{name}" of plugin_migrations, run again, fails: {error!r}. A kill just'
                    " after a table was changed has it run again: look first, as add_column does"
                )

    def test_the_same_vote_is_paid_once(self) -> None:
        """200 times the same vote, in two processes at once."""
        place = self.make_place()
        half = [[vote("v1")] * AT_ONCE] * (VOTES // 2 // AT_ONCE)

        for paid in place.pay(half, half):
            self.require_settled(paid)

        assert place.count() == (1, 1)
        assert place.read() == self.pay_one_by_one(["v1"]), "paid other than once"

    def test_votes_of_one_player_add_up(self) -> None:
        """200 votes of one player, in two processes at once."""
        place = self.make_place()
        ids = [f"v{number}" for number in range(VOTES)]

        for paid in place.pay(make_batches(ids[::2]), make_batches(ids[1::2])):
            self.require_settled(paid)

        assert place.count() == (VOTES, VOTES)
        assert place.read() == self.pay_one_by_one(ids), (
            "two processes give another sum than one: keep nothing between calls, and use no connection but"
            " the one you are lent"
        )

    def test_what_fails_leaves_nothing(self) -> None:
        """An event whose next reward cannot be given is undone, and its batch is paid without it."""
        place = self.make_place()

        batch = [vote("v1"), vote("v2", server="2"), vote("v3")]
        [paid, *_] = place.pay([batch, [vote("v2", server="2")]])

        assert paid.answers.pop("v2")[0] == WAITING
        self.require_settled(paid)
        assert place.count() == (2, 2)
        assert place.read() == self.pay_one_by_one(["v1", "v3"]), (
            "something of a payment that was undone is left: it was written past our transaction, or"
            " remembered between calls"
        )

    def test_killed_anywhere_it_is_paid_once(self) -> None:
        """kill -9 at each point of a payment; then the vote comes again."""
        place = self.make_place()
        points = [point for point in POINTS if point.startswith("settling:")]
        points.remove("settling: reports inserted")  # where no plugin builds any
        ids = [f"v{number}" for number in range(len(points))]

        for id_, point in zip(ids, points, strict=True):
            place.pay([[vote(id_)]], crash=point)
        [paid] = place.pay([[vote(id_)] for id_ in ids])

        self.require_settled(paid)
        assert place.read() == self.pay_one_by_one(ids), "paid other than once after a kill"

    def test_a_batch_is_paid_as_one_by_one(self) -> None:
        """64 votes of 64 players in one commit."""
        batch = [vote(f"v-{nickname}", "1", nickname) for nickname in PLAYERS]
        place, alone = self.make_place(), self.make_place()

        [together] = place.pay([batch])
        [apart] = alone.pay([[one] for one in batch])

        self.require_settled(together)
        self.require_settled(apart)
        assert place.read() == alone.read(), (
            "a batch gives something else than its votes one by one"
        )
