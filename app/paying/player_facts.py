"""What plugins know of a player that a rule may ask: `where = { "player.role" = "member" }`."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from app.config.checking import suggest
from app.counting.occasions import Occasion
from app.counting.programme import Programme
from app.database.opening import Database
from app.host.loading import Plugins
from app.porch.errors import NotReady
from app.porch.types import Player
from app.rules.rule import PLAYER, Rules


def list_unknown_facts(rules: Rules, plugins: Plugins, file: str) -> Iterator[str]:
    """A sentence for each fact that a rule asks and no plugin knows."""
    known: set[str] = set()
    for answer in plugins.ask_each("player_fact_names", {"settings": plugins.settings}):
        if answer.error is not None:
            yield f"plugin {answer.plugin}: player_fact_names() failed: {answer.error!r}"
        known.update(name for some in answer.value or () for name in some)
    for rule in rules.all:
        for fact in rule.player_where:
            if fact not in known:
                there = ", ".join(sorted(PLAYER + name for name in known)) or "none"
                yield (
                    f'{file}: rule "{rule.name}": where: no plugin that is switched on knows'
                    f" {PLAYER}{fact} (there are: {there}){suggest(fact, known)}"
                )


def list_asked(programme: Programme, types: Collection[str]) -> list[str]:
    """The facts that rules for these types of events ask of players."""
    rules = programme.rules
    asking = [rule for type in types for rule in rules.by_type.get(type, ())]
    if not set(Occasion).isdisjoint(types):  # which pay what any rule gives
        asking = list(rules.all)
    return sorted({fact for rule in asking for fact in rule.player_where})


def read_facts(
    plugins: Plugins,
    database: Database,
    names: Collection[str],
    players: Iterable[Player],
    now: int,
) -> Mapping[str, Mapping[str, Any]]:
    """Inside, in their turns: what is known of these players, by their keys. Raises what undoes all."""
    found: dict[str, dict[str, Any]] = {}
    if not names:
        return found
    distinct = {player.key: player for player in players}
    heard = plugins.ask(
        "player_facts", names=names, players=list(distinct.values()), db=database,
        settings=plugins.settings, now=now,
    )  # fmt: skip
    for answer in heard.value:
        if not isinstance(answer, dict):
            author = heard.find_author(answer) or "whoever wraps it"
            raise NotReady(f"player_facts of {author} returned no dict")
        for player, known in answer.items():
            found.setdefault(player, {}).update(known)
    return found
