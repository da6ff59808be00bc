"""Keys of a rule that do not go together, told before they can mean anything."""

from collections.abc import Mapping
from typing import Any

from app.rules.calendar import Unit
from app.rules.keys import Count, Counted, Party, Payees, Ranking, Streak
from app.rules.when import When

COUNTING = ("count", "streak", "party", "ranking")
KINDS = {
    "count": Count,
    "streak": Streak,
    "party": Party,
    "ranking": Ranking,
    "limit": tuple,
    "when": When,
}
PLAYER = "player."


def list_contradictions(
    original: Mapping[str, Any], loaded: Mapping[str, Any]
) -> dict[str, list[str]]:
    """What a rule cannot mean, by key; of what is wrong by itself nothing more is said."""
    broken = {key for key in original if not isinstance(loaded.get(key), KINDS.get(key, object))}
    said = {key: value for key, value in loaded.items() if key not in broken}
    faults: dict[str, list[str]] = {}
    counting = [key for key in COUNTING if key in original]
    for key in counting[1:]:
        faults[key] = [
            f"cannot stand beside {counting[0]}: write two rules, which may give the same"
        ]
    found = [*judge_payees(said, "server" in original), *judge_counts(said)]
    found += [] if "when" in broken else judge_seasons(said)
    for key, fault in found:
        faults.setdefault(key, []).append(fault)
    return faults


def judge_seasons(said: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A season is the rule's own `when`: it has to begin there, and to end where it is closed."""
    when = said.get("when")
    found = []
    for key in COUNTING:
        if getattr(said.get(key), "unit", None) == Unit.SEASON:
            needed = ("first", "last") if key == "ranking" else ("first",)
            if when is None or not all(getattr(when, name) for name in needed):
                dates = "from and to" if key == "ranking" else "from"
                found.append((key, f'in = "season" needs the rule\'s own when, with {dates}'))
    limits = [one.unit for one in said.get("limit", ())]
    if Unit.SEASON in limits and (when is None or not when.first):
        found.append(("limit", "per season needs the rule's own when, with from"))
    return found


def judge_payees(said: Mapping[str, Any], has_server: bool) -> list[tuple[str, str]]:
    """A party for servers has to know which, and has no player to ask anything of."""
    party = said.get("party")
    if party is None or party.to != Payees.SERVER:
        return []
    found = []
    if not has_server:
        found.append(("party", 'to = "server" needs server = "…": who gets what it gives'))
    if any(not limit.for_all for limit in said.get("limit", ())):
        found.append(("limit", 'player limits a player, and to = "server" pays none: say all'))
    if any(fact.startswith(PLAYER) for fact in said.get("where", ())):
        found.append(("where", f'{PLAYER}… asks a player, and to = "server" pays none'))
    return found


def judge_counts(said: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Different sites are few, and a streak of none is not one."""
    count: Count | None = said.get("count")
    if count is not None and count.of == Counted.SITES and count.marks.every:
        return [("count", 'of = "site" counts different sites: say at, as at = 5')]
    return []
