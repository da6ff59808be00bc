"""Rules that are well-formed and yet let events pass unpaid: a type, a fact, a server that never comes."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from app.config.checking import suggest
from app.host.loading import Plugins
from app.paying.ledger import LONGEST
from app.porch.rounds import GAME_EVENTS, GAME_SERVER
from app.porch.types import EventType
from app.rules.rule import Rule, Rules

SOURCE_HOOKS = ("read_delivery", "fetch_events", "poll_source", "open_listeners")


@dataclass
class Supplies:
    """What may come: each type, as each of its sources knows it. Where one does not say, anything."""

    types: dict[str, list[EventType]] = field(default_factory=dict)
    is_open: bool = False
    faults: list[str] = field(default_factory=list)
    sources: Collection[str] = ()  # their names

    def add(self, types: Mapping[str, EventType]) -> None:
        for name, one in types.items():
            self.types.setdefault(name, []).append(one)

    def list_facts(self, type: str) -> set[str] | None:
        """The facts that an event of this type may have; None: any."""
        return gather([one.facts for one in self.types.get(type, ())], self.is_open)

    def list_servers(self, type: str) -> set[str] | None:
        """The servers it may come from; None: any."""
        return gather([one.servers for one in self.types.get(type, ())], self.is_open)


def gather(some: list[Collection[str] | None], is_open: bool) -> set[str] | None:
    if is_open or not some or None in some:
        return None
    return {one for each in some for one in each or ()}


def gather_supplies(plugins: Plugins) -> Supplies:
    """What the plugins bring, as far as they say."""
    supplies = Supplies(sources=[GAME_SERVER, *plugins.sources])
    telling = plugins.list_answerers("event_types")
    sources = {name for hook in SOURCE_HOOKS for name in plugins.list_answerers(hook)}
    supplies.is_open = not sources <= set(telling)

    def add_all(answers: list[Mapping[str, EventType]]) -> None:
        for types in answers:
            supplies.add(require_types(types))

    for answer in plugins.ask_each("event_types", {"settings": plugins.settings}, add_all):
        if answer.error is not None:  # it decides no payment, so it stops none
            fault = f"plugin {answer.plugin}: event_types() failed: {answer.error!r}"
            supplies.faults.append(fault)
            supplies.is_open = True
    return supplies


def require_types(answer: Mapping[str, EventType]) -> Mapping[str, EventType]:
    """The answer of event_types; TypeError if it is another."""
    if not isinstance(answer, dict) or not all(
        isinstance(name, str) and isinstance(one, EventType) for name, one in answer.items()
    ):
        raise TypeError("it must return a dict of types and their EventType")
    return answer


def list_warnings(rules: Rules, supplies: Supplies, file: str) -> list[str]:
    """What is probably not meant as it is written, a sentence each; `file` is the rules' own."""
    found = list(supplies.faults)
    if not rules.by_type:
        return [*found, f"{file}: there is no rule in it: whatever comes is settled with nothing"]
    for type, some in rules.by_type.items():
        for rule in some:
            place = f'{file}: rule "{rule.name}"'
            found += [f"{place}: {warning}" for warning in judge_rule(type, rule, supplies)]
    for type, each in supplies.types.items():
        if type not in rules.by_type and any(one.needs_rule for one in each):
            found.append(
                f'{file}: no rule is on = "{type}": what comes of it is settled with nothing'
            )
    return found


def judge_rule(type: str, rule: Rule, supplies: Supplies) -> Iterator[str]:
    """Why this rule will never pay, as far as that can be known."""
    if type not in supplies.types and not supplies.is_open:
        hint = suggest(type, supplies.types) or list_known("types", supplies.types)
        if type in GAME_EVENTS:
            hint = "; game servers post it to /v1/events, which needs a key in [api] keys"
        yield f'on = "{type}": nothing that is switched on brings such events{hint}'
        return
    facts, servers = supplies.list_facts(type), supplies.list_servers(type)
    for fact in rule.where:
        if facts is not None and fact not in facts:
            hint = suggest(fact, facts) or list_known("facts", facts)
            yield f"where: {fact} is no fact of a {type}, so it never pays{hint}"
    for server in sorted(rule.servers or ()):
        if len(server) > LONGEST["server_id"] or (servers is not None and server not in servers):
            yield f'server = "{server[:80]}": no {type} comes from there{suggest(server, servers or ())}'
    for source in sorted((rule.sources or frozenset()) - set(supplies.sources)):
        hint = suggest(source, supplies.sources) or list_known("sources", supplies.sources)
        yield f'source = "{source[:80]}": nothing that is switched on is called so{hint}'


def list_known(what: str, names: Collection[str]) -> str:
    return f" (the {what} there are: {', '.join(sorted(names)) or 'none'})"
