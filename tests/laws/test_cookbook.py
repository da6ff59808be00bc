"""The cookbook of docs/rules.md is run: each recipe as it stands pays what its history says."""

import hmac
import json
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from app.config.reading import read_config
from app.counting.trial import Trial
from app.guerdon import Guerdon
from app.paying.settler import Work
from app.porch.rounds import GAME_SERVER
from app.porch.types import Event
from app.rules.calendar import EPOCH
from app.rules.reading import RuleSchema
from app.testing.clock import Clock
from app.testing.players import add_player
from plugins.roles import WITHOUT_END, Role
from tests.laws.cookbook import HISTORIES, Step, give_role, vote
from tests.world.books import serve_once, settle
from tests.world.servers import ROOT

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

Open = Callable[..., Guerdon]
PAGE = (ROOT / "docs" / "rules.md").read_text()
BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE, re.S)
OF_RULES = [one for one in BLOCKS if not one.startswith("[api]")]
CALENDAR = next(block for block in BLOCKS if block.startswith("[calendar]"))
SECRET = b"of the cookbook"
DRAWS = f'[rewards]\ndraw_secrets = ["{SECRET.decode()}"]\n'
PASSES = 4  # of the dispatcher: what one puts into the inbox, the next one pays


def read_section(title: str) -> str:
    """What stands on the page below a heading, up to the next of its rank."""
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def read_recipes() -> list[tuple[str, str]]:
    """Each recipe's title and TOML."""
    some = read_section("The cookbook").split("\n### ")[1:]
    found = [(one.split("\n")[0], re.findall(r"```toml\n(.*?)```", one, re.S)) for one in some]
    return [(title, "\n".join(blocks)) for title, blocks in found]


RECIPES = dict(read_recipes())


class Kitchen:
    """A Guerdon with one recipe, in which a history happens."""

    def __init__(self, open_service: Open, clock: Clock, recipe: str) -> None:
        self._clock = clock
        self._guerdon = open_service(rewards=CALENDAR + recipe, more=DRAWS)
        self._players = {"Bob"}
        self._votes = self._last_grant = 0

    def cook(self, history: Sequence[Step]) -> list[str]:
        """Have it happen; a sentence for each step by which another was earned than is said."""
        self._clock.now = self._read_time(history[0].at)
        self._serve()  # from now on it looks after rankings
        faults = []
        for number, step in enumerate(history, 1):
            self._do(step)
            said = {who: sorted(what) for who, what in step.earned.items()}
            if (earned := self._read_earned()) != said:
                faults.append(f"step {number}, {step.at}: earned {earned}, not {said}")
        return [*faults, *self._guerdon.bookkeeping.recounter.verify(), *self._try_again()]

    def _try_again(self) -> list[str]:
        """What the same rules, tried on the ledger, would have paid otherwise."""
        trial = Trial(self._guerdon.bookkeeping.complete(self._guerdon.programme))
        with self._guerdon.database.connection_context():
            trial.run(self._guerdon.database)
        return [example for result in trial.results.values() for example in result.examples]

    def _do(self, step: Step) -> None:
        names = {who for who, _ in [*step.votes, *step.roles]}
        for name in sorted(names - self._players):
            add_player(self._guerdon, name)
        self._players |= names
        for who, role in step.roles:
            self._give_role(who, role)
        if step.at:
            moment = self._read_time(step.at)
            self._clock.now = max(self._clock.now, moment)
            works = [
                self._make_work(who, moment + number, **says)
                for number, (who, says) in enumerate(step.votes)
            ]
            outcomes = settle(self._guerdon, *works)
            assert {outcome.state for outcome in outcomes} <= {"settled"}, outcomes
        if step.is_served:
            self._serve()

    def _read_time(self, text: str) -> int:
        clock = datetime.fromisoformat(text).replace(tzinfo=self._guerdon.rules.calendar.zone)
        return int((clock - EPOCH).total_seconds() * 1000)

    def _make_work(
        self, who: str, moment: int, on: str = "server.vote", server: str = "",
        source: str = "gamemonitoring", **facts: Any,
    ) -> Work:  # fmt: skip
        self._votes += 1
        id = f"v{self._votes}"
        if on == "server.vote":
            return Work([Event(source, on, id, server, who, occurred_at=moment, data=facts)])
        # A game knows its players by their ids.
        event = Event(GAME_SERVER, on, id, server, user_id=who, occurred_at=moment, data=facts)
        return Work([event])

    def _give_role(self, who: str, role: str) -> None:
        player = self._guerdon.find_player(who)
        assert player is not None
        with self._guerdon.database.connection_context():
            Role.insert(player_id=player.key, name=role, until=WITHOUT_END).execute()

    def _serve(self) -> None:
        for _ in range(PASSES):
            serve_once(self._guerdon)

    def ask(self, sql: str) -> Iterable[Sequence[Any]]:
        with self._guerdon.database.connection_context():
            rows: Iterable[Sequence[Any]] = self._guerdon.database.execute_sql(sql).fetchall()
            return rows

    def _read_earned(self) -> dict[str, list[str]]:
        """What the ledger has got since it was last read, by whom it is for."""
        rows = self.ask(
            "SELECT id, nickname, server_id, kind, params, receipt FROM guerdon_grants"
            f" WHERE id > {self._last_grant} ORDER BY id"
        )
        found: dict[str, list[str]] = {}
        for id, nickname, server, kind, params, receipt in rows:
            self._last_grant = id
            said = json.loads(receipt)["payload"] if kind == "claim" else json.loads(params)
            words = [str(value) for value in said.values() if value is not None]
            found.setdefault(nickname or f"server {server}", []).append(" ".join([kind, *words]))
        return {who: sorted(what) for who, what in found.items()}


@pytest.fixture
def open_kitchen(open_service: Open, clock: Clock) -> Callable[[str], Kitchen]:
    return lambda recipe: Kitchen(open_service, clock, recipe)


@on_sqlite
def test_it_works(open_kitchen: Callable[[str], Kitchen]) -> None:
    """What is not earned as it is said is noticed, whoever it is, and whatever."""
    kitchen = open_kitchen(RECIPES["First vote of the day"])

    faults = kitchen.cook([
        vote("2026-11-02 09:00", "Bob", "gold 50.00"),
        give_role("Eve", "member"),
        vote("2026-11-02 10:00", "Bob", "gold 50.00"),
        vote("2026-11-02 11:00", "Eve"),
    ])  # fmt: skip

    assert faults == [
        "step 3, 2026-11-02 10:00: earned {}, not {'Bob': ['gold 50.00']}",
        "step 4, 2026-11-02 11:00: earned {'Eve': ['gold 50.00']}, not {}",
    ]


@on_sqlite
@pytest.mark.parametrize("title", [*RECIPES, *sorted(HISTORIES.keys() - RECIPES.keys())])
def test_a_recipe_earns_what_its_history_says(
    open_kitchen: Callable[[str], Kitchen], title: str
) -> None:
    assert title in RECIPES, "a history without its recipe"
    assert title in HISTORIES, "a recipe without a history"
    assert any(step.earned for step in HISTORIES[title])

    assert open_kitchen(RECIPES[title]).cook(HISTORIES[title]) == []


@on_sqlite
def test_there_are_thirty_and_they_can_stand_in_one_file(open_service: Open) -> None:
    assert len(read_recipes()) == len(RECIPES) >= 30

    guerdon = open_service(rewards="\n".join([CALENDAR, *RECIPES.values()]))

    assert guerdon.list_warnings() == []
    assert guerdon.inspect() == []


def test_the_table_of_keys_has_each_once_and_recipes_use_them_all() -> None:
    keys = re.findall(r"^\| `(\w+)` \|", read_section("How a rule reads"), re.M)

    assert sorted(keys) == sorted(RuleSchema().fields)
    used = set(re.findall(r"^(\w+) =", "\n".join(RECIPES.values()), re.M))
    assert set(keys) <= used


@on_sqlite
@pytest.mark.parametrize("block", [one for one in OF_RULES if one not in RECIPES.values()])
def test_whatever_else_is_shown_is_well_formed(open_service: Open, block: str) -> None:
    open_service(rewards=block)


def test_what_is_shown_of_the_config_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in re.findall(r'env = "(\w+)"', "".join(BLOCKS)):
        monkeypatch.setenv(name, f"a secret called {name}")
    for number, block in enumerate(one for one in BLOCKS if one not in OF_RULES):
        path = tmp_path / f"{number}.toml"
        path.write_text(block)
        assert read_config(path)[1] == []


@on_sqlite
def test_a_draw_can_be_made_again_as_the_page_says(
    open_kitchen: Callable[[str], Kitchen],
) -> None:
    title, weights = "Always exactly one prize", (70, 25, 5)
    kitchen = open_kitchen(RECIPES[title])
    kitchen.cook(HISTORIES[title])

    lines = set()
    for id, receipt in kitchen.ask(
        "SELECT e.event_id, g.receipt FROM guerdon_grants AS g JOIN guerdon_events AS e ON e.id = g.event"
    ):
        text = f'["draw 1","wheel","server.vote","{id}",0]'
        number = int.from_bytes(hmac.digest(SECRET, text.encode(), "sha256")[:8]) % sum(weights)
        line = 1 + sum(number >= sum(weights[:more]) for more in (1, 2))
        drawn = json.loads(receipt)["draw"]
        assert (drawn["number"], drawn["of"], drawn["line"]) == (number, 100, line)
        lines.add(line)
    assert lines == {1, 2, 3}
