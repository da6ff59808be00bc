"""Rules: which rewards an event earns, and what is said of a rule file that is wrong."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema, fields

from app.porch.errors import ConfigError
from app.porch.json import dump_json
from app.porch.types import Event, Reward
from app.rules.conditions import ConditionField
from app.rules.gifts import Gift, RewardKind
from app.rules.reading import read_rules
from app.rules.rule import Rule, Rules
from plugins.gold import Gold
from plugins.items import ItemReward


class Anything(Schema):
    payload = fields.Dict()


KINDS = {
    "gold": RewardKind("gold", Gold),
    "item": RewardKind("items", ItemReward),
    "any": RewardKind("studio", Anything),
}


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], Rules]:
    def read(text: str) -> Rules:
        path = tmp_path / "rewards.toml"
        path.write_text(text)
        return read_rules(path, KINDS)

    return read


def make_event(
    type: str = "server.vote", server_id: str = "1", earns: bool = True, **facts: Any
) -> Event:
    return Event("gamemonitoring", type, "v1", server_id, data=facts, earns=earns)


def choose(rules: Rules, **event: Any) -> list[tuple[str, str, Any]]:
    return [
        (gift.rule, gift.reward.kind, gift.reward.params)
        for gift in rules.choose_gifts(make_event(**event))
    ]


GIVE = 'give = [{ reward = "gold", amount = "1.00" }]\n'
RULES = """
[[rules]]
name = "every vote"
on = "server.vote"
give = [{ reward = "gold", amount = "100.00" }, { reward = "item", item = "sword" }]
[[rules]]
name = "one or two"
on = "server.vote"
server = ["1", 2]
give = [{ reward = "gold", amount = 7 }]
[[rules]]
on = "server.vote"
server = 3
give = [{ reward = "item", item = "bow", quantity = 2 }]
[[rules]]
name = "another event"
on = "level_up"
give = [{ reward = "gold", amount = "0.1" }]
"""


def test_it_works(read: Callable[[str], Rules]) -> None:
    rules = read(RULES)

    everywhere = [
        ("every vote", "gold", {"amount": Decimal("100.00")}),
        ("every vote", "item", {"item": "sword", "quantity": 1}),
    ]
    seven = [("one or two", "gold", {"amount": Decimal(7)})]
    bow = [("rule 3", "item", {"item": "bow", "quantity": 2})]
    assert choose(rules) == everywhere + seven
    assert choose(rules, server_id="2") == everywhere + seven
    assert choose(rules, server_id="3") == everywhere + bow
    assert choose(rules, server_id="") == everywhere
    assert choose(rules, type="level_up") == [("another event", "gold", {"amount": Decimal("0.1")})]
    assert choose(rules, type="other") == []
    assert len(rules.rewards) == 5


def test_a_gift_knows_its_giver_and_its_parameters_as_the_ledger_keeps_them(
    read: Callable[[str], Rules],
) -> None:
    gift = read(RULES).choose_gifts(make_event())[0]

    assert (gift.plugin, gift.params_json) == ("gold", '{"amount":"100.00"}')


WHERE = """
[[rules]]
name = "first"
on = "game_settle"
server = 146
where = { rank = 1 }
give = [{ reward = "gold", amount = 3 }]
[[rules]]
name = "on the podium, not escaped"
on = "game_settle"
where = { rank = { at_least = 1, at_most = 3 }, is_escaped = 0, mode = ["ranked", 2] }
give = [{ reward = "gold", amount = 1 }]
"""
SETTLED = {"type": "game_settle", "server_id": "146", "rank": 1, "is_escaped": 0, "mode": 2}


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({}, ["first", "on the podium, not escaped"]),
        ({"server_id": "147"}, ["on the podium, not escaped"]),
        ({"rank": "1"}, ["first"]),  # a text has no bounds
        ({"rank": 3, "mode": "ranked"}, ["on the podium, not escaped"]),
        ({"rank": 4}, []),
        ({"rank": None}, []),
        ({"is_escaped": 1}, ["first"]),
        ({"mode": 3}, ["first"]),
        ({"mode": None}, ["first"]),
        ({"earns": False}, []),
        ({"type": "game_start"}, []),
    ],
)
def test_a_rule_pays_where_all_its_facts_hold(
    read: Callable[[str], Rules], changes: Any, rules: list[str]
) -> None:
    assert [name for name, *_ in choose(read(WHERE), **SETTLED | changes)] == rules


def test_an_event_that_lacks_a_fact_earns_nothing_by_it(read: Callable[[str], Rules]) -> None:
    assert choose(read(WHERE), type="game_settle", server_id="146") == []


@pytest.mark.parametrize("text", ["", "rules = []", "# nothing"])
def test_a_file_without_rules_gives_nothing(read: Callable[[str], Rules], text: str) -> None:
    assert choose(read(text)) == []


BAD_RULES = [
    (
        f'on = "x"\n{GIVE}nmae = "y"',
        'rule 1: nmae: is not a setting we know; did you mean "name"?',
    ),
    (GIVE, "rule 1: on: is missing"),
    ('name = "n"\non = "x"', 'rule 1 "n": give: is missing'),
    ('on = "x"\ngive = []', "rule 1: give: Shorter than minimum length 1"),
    ('on = "x"\ngive = ["gold"]', "rule 1: give[0]: must be a table"),
    (f"on = 5\n{GIVE}", "rule 1: on: must be a string"),
    (f'on = ""\n{GIVE}', "rule 1: on: Length must be between 1 and 64"),
    (f'name = ""\non = "x"\n{GIVE}', 'rule 1 "": name: Length must be'),
    (f'on = "x"\nserver = []\n{GIVE}', "rule 1: server: must be a server's id, or a list of them"),
    (f'on = "x"\nserver = ""\n{GIVE}', "rule 1: server: must be a server's id"),
    (f'on = "x"\nserver = 1.5\n{GIVE}', "rule 1: server: must be a server's id"),
    (f'on = "x"\nserver = true\n{GIVE}', "rule 1: server: must be a server's id"),
    (f'on = "x"\nwhere = "rank = 1"\n{GIVE}', "rule 1: where: must be a table"),
    (f'on = "x"\nwhere = {{}}\n{GIVE}', "rule 1: where: Shorter than minimum length 1"),
    (f'on = "x"\nwhere = {{ rank = [] }}\n{GIVE}', "rule 1: [where] rank: must be a value, a list"),
    (f'on = "x"\nwhere = {{ rank = {{}} }}\n{GIVE}', "rule 1: [where] rank: takes numbers as"),
    (
        f'on = "x"\nwhere = {{ rank = {{ at_lest = 1 }} }}\n{GIVE}',
        "rule 1: [where] rank: takes numbers as { at_least = 10, at_most = 20 }",
    ),
    (
        f'on = "x"\nwhere = {{ since = 2026-01-01 }}\n{GIVE}',
        "rule 1: [where] since: must be a value, a list of values, or { at_least = 10 }",
    ),
]
BAD_REWARDS = [
    ('{ amount = "1" }', 'reward is missing: write { reward = "gold", ... }'),
    ('{ reward = "silver", amount = "1" }', 'reward "silver": no plugin that is switched on gives'
     " it (there are: any, gold, item)"),
    ('{ reward = "glod", amount = "1" }', '[plugins.NAME]; did you mean "gold"?'),
    ('{ reward = "gold" }', 'reward "gold": amount: is missing'),
    ('{ reward = "gold", amount = 1.5 }', 'reward "gold": amount: must be a string, as "100.00"'),
    ('{ reward = "gold", amount = 100.0 }', 'reward "gold": amount: must be a string'),
    ('{ reward = "gold", amount = true }', 'reward "gold": amount: must be a string'),
    ('{ reward = "gold", amount = "ten" }', 'reward "gold": amount: must be a number'),
    ('{ reward = "gold", amount = "nan" }', 'reward "gold": amount: Special numeric values'),
    ('{ reward = "gold", amount = "0" }', 'reward "gold": amount: must be more than 0'),
    ('{ reward = "gold", amount = "-1" }', 'reward "gold": amount: must be more than 0'),
    ('{ reward = "gold", amount = "1e15" }', 'reward "gold": amount: must be more than 0 and less'),
    ('{ reward = "gold", amount = "1e-10" }', 'reward "gold": amount: must be more than 0 and'),
    ('{ reward = "gold", amount = "1", to = "x" }', 'reward "gold": to: is not a setting we know'),
    ('{ reward = "item", item = "s", quantitiy = 1 }', 'reward "item": quantitiy: is not a setting'
     ' we know; did you mean "quantity"?'),
    ('{ reward = "item" }', 'reward "item": item: is missing'),
    ('{ reward = "item", item = "s", quantity = 1.5 }', 'reward "item": quantity: must be a whole'),
    ('{ reward = "item", item = "s", quantity = 0 }', 'reward "item": quantity: must be greater'),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "fault"),
    BAD_RULES
    + [(f'on = "x"\ngive = [{reward}]', f"rule 1: {fault}") for reward, fault in BAD_REWARDS],
)
def test_a_wrong_rule_is_named_with_its_reward_and_field(
    read: Callable[[str], Rules], tmp_path: Path, text: str, fault: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read(f"[[rules]]\n{text}\n")

    [line] = caught.value.faults
    assert line.startswith(f"{tmp_path}/rewards.toml: rule 1")
    assert fault.removeprefix("rule 1: ") in line
    assert fault.partition(": ")[0] in line


def test_every_fault_of_a_file_is_listed(read: Callable[[str], Rules]) -> None:
    rewards = ", ".join(reward for reward, _ in BAD_REWARDS)
    rules = "".join(f"[[rules]]\n{text}\n" for text, _ in BAD_RULES)

    with pytest.raises(ConfigError) as caught:
        read(f'{rules}[[rules]]\nname = "last"\non = "x"\ngive = [{rewards}]\n')

    assert len(caught.value.faults) == len(BAD_RULES) + len(BAD_REWARDS)
    assert sum('"last"' in fault for fault in caught.value.faults) == len(BAD_REWARDS)


@pytest.mark.parametrize("names", [("a", "a"), ("rule 2", "")])
def test_two_rules_of_one_name_are_refused(
    read: Callable[[str], Rules], names: tuple[str, str]
) -> None:
    rules = [f'[[rules]]\n{name and f"name = {name!r}"}\non = "x"\n{GIVE}' for name in names]

    with pytest.raises(ConfigError) as caught:
        read("".join(rules))

    [fault] = caught.value.faults
    assert "rule 2" in fault
    assert "another rule has this name" in fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[[rule]]\non = 'x'", "rule: is not a setting we know"),
        ("rules = 5", "rules: must be a list, in [ ]"),
        ("[rules]\non = 'x'", "rules: must be a list, in [ ]"),
        ("rules = [5]", "rules[0]: must be a table"),
        ("[[rules]]\non = server.vote", "is not TOML: Invalid value (at line 2"),
    ],
)
def test_a_wrong_file_is_named(
    read: Callable[[str], Rules], tmp_path: Path, text: str, fault: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)

    [line] = caught.value.faults
    assert line.startswith(f"{tmp_path}/rewards.toml: ")
    assert fault in line


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": Decimal("1E+3")}, '{"a":"1000"}'),
        ({"a": Decimal("0.000000001")}, '{"a":"0.000000001"}'),
        ({"name": "Zoë 😀"}, '{"name":"Zoë 😀"}'),
        ({"name": "\ud83d"}, '{"name":"\\ud83d"}'),
        ({"some": (1, None, True)}, '{"some":[1,null,true]}'),
    ],
)
def test_json_of_the_ledger_is_exact_and_valid(value: Any, text: str) -> None:
    assert dump_json(value) == text


TYPES, SERVERS = st.sampled_from(["a", "b"]), st.sampled_from(["", "1", "2", "3"])
RANKS = st.integers(1, 4)
WHERES = st.fixed_dictionaries(
    {}, optional={"rank": RANKS | st.lists(RANKS, min_size=1) | RANKS.map(lambda n: {"at_most": n}),
                  "role": st.sampled_from(["x", "y"])},
)  # fmt: skip
FACTS = st.fixed_dictionaries({}, optional={"rank": RANKS, "role": st.sampled_from(["x", "y", 1])})
RULE = st.tuples(
    TYPES,
    st.none() | st.frozensets(SERVERS.filter(bool), min_size=1),
    WHERES,
    st.lists(st.integers(1, 9), min_size=1, max_size=3),
)


def holds(where: dict[str, Any], facts: dict[str, Any]) -> bool:
    """As a reader understands `where`."""
    for name, wanted in where.items():
        fact = facts.get(name)
        if isinstance(wanted, dict):
            if fact is None or fact > wanted["at_most"]:
                return False
        elif fact not in (wanted if isinstance(wanted, list) else [wanted]):
            return False
    return True


@given(
    rules=st.lists(RULE, max_size=6), type=TYPES, server=SERVERS, facts=FACTS, earns=st.booleans()
)
def test_rules_choose_as_a_reader_of_the_file_would(
    rules: list[Any], type: str, server: str, facts: dict[str, Any], earns: bool
) -> None:
    by_type: dict[str, tuple[Rule, ...]] = {}
    for number, (on, servers, where, amounts) in enumerate(rules):
        gifts = tuple(Gift(str(number), "p", Reward("k", {"n": n}), "") for n in amounts)
        conditions = {name: ConditionField().deserialize(one) for name, one in where.items()}
        by_type[on] = (*by_type.get(on, ()), Rule(servers, conditions, gifts))
    made = Rules(by_type)
    expected = []
    for number, (on, servers, where, amounts) in enumerate(rules):
        if earns and on == type and (not servers or server in servers) and holds(where, facts):
            expected += [(str(number), n) for n in amounts]

    for _ in range(2):  # nothing is used up
        chosen = made.choose_gifts(make_event(type, server, earns, **facts))
        assert [(gift.rule, gift.reward.params["n"]) for gift in chosen] == expected
