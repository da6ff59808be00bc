"""What a rule asks of an event's facts: `where = { rank = 1, level = { at_least = 10 } }`."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from app.rules.conditions import Condition, ConditionField

NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)


def read(value: Any) -> Condition:
    condition: Condition = ConditionField().deserialize(value)
    return condition


def test_it_works() -> None:
    assert read(1)(1)
    assert not read(1)(2)
    assert read(["gold", "silver"])("silver")
    assert not read(["gold", "silver"])("bronze")
    assert read({"at_least": 10, "at_most": 20})(15)
    assert not read({"at_least": 10, "at_most": 20})(21)


@pytest.mark.parametrize(
    ("value", "fact", "does_hold"),
    [
        (1, "1", True),
        ("1", 1, True),
        (1, 1.0, True),
        (1, Decimal("1.0"), True),
        (1.5, Decimal("1.5"), True),
        ("1.5", 1.5, True),
        (1, "1.0", False),  # a text is what it says
        (1, "01", False),
        (1, True, True),
        ("1", True, True),
        (0, False, True),
        ("0", False, True),
        (1, False, False),
        (0, True, False),
        (0, None, False),
        (0, "", False),
        ("", "", True),
        ("", None, False),
        (True, True, True),
        (True, 1, True),
        (True, 1.0, True),
        (True, "1", True),
        (True, 2, False),
        (True, "true", False),  # a text is what it says
        (False, 0, True),
        (False, "0", True),
        (False, "", False),
        (False, None, False),
        (False, False, True),
        ("a", "A", False),
        ("a", ["a"], False),
        ("a", {"a": 1}, False),
        (2**53 + 1, 2**53 + 1, True),
        (2**53 + 1, 2**53, False),
        (2**53 + 1, str(2**53 + 1), True),
        (1461564080052506636, 1461564080052506637, False),
        ([1, "two", True], 1, True),
        ([1, "two", True], "two", True),
        ([1, "two", True], True, True),
        ([1, "two", True], 2, False),
        (1, Decimal("1E+999999"), False),
        (1, Decimal("1E-999999"), False),
        (1, 10**400, False),
        (1, float("inf"), False),
        (1, Decimal("NaN"), False),
        (1, Decimal("sNaN"), False),
    ],
)
def test_numbers_and_strings_mean_the_same(value: Any, fact: Any, does_hold: bool) -> None:
    assert read(value)(fact) is does_hold


@pytest.mark.parametrize(
    ("bounds", "fact", "does_hold"),
    [
        ({"at_least": 10}, 10, True),
        ({"at_least": 10}, 9, False),
        ({"at_least": 10}, Decimal("9.99"), False),
        ({"at_least": 10}, 10**400, True),
        ({"at_most": 10}, 10, True),
        ({"at_most": 10}, 11, False),
        ({"at_most": 10}, -5, True),
        ({"at_most": 0.5}, Decimal("0.5"), True),
        ({"at_least": 10}, "15", False),
        ({"at_least": 0}, True, False),
        ({"at_most": 10}, None, False),
        ({"at_most": 10}, [5], False),
        ({"at_least": 5, "at_most": 5}, 5, True),
        ({"at_least": 0}, Decimal("1E+999999"), True),
        ({"at_least": 0}, Decimal("NaN"), False),
    ],
)
def test_bounds_take_numbers_and_hold_for_numbers(bounds: Any, fact: Any, does_hold: bool) -> None:
    assert read(bounds)(fact) is does_hold


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"at_lest": 10},
        {"at_least": 10, "more": 1},
        {"at_least": "10"},
        {"at_least": True},
        {"at_least": None},
        {"at_least": [10]},
        [],
        [[1]],
        [{"at_least": 1}],
        [None],
    ],
)
def test_what_no_condition_can_be_made_of_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError, match="at_least = 10"):
        read(value)


@pytest.mark.parametrize("bounds", [(5, 4), (0.5, 0), (1, -1), (2**63, 2**63 - 1)])
def test_bounds_that_would_never_hold_are_refused(bounds: tuple[float, float]) -> None:
    with pytest.raises(ValidationError, match="it would never hold"):
        read({"at_least": bounds[0], "at_most": bounds[1]})


@given(bounds=st.tuples(NUMBERS, NUMBERS).map(sorted), fact=NUMBERS)
def test_both_bounds_hold_together_as_each_does_alone(bounds: list[float], fact: float) -> None:
    lowest, highest = bounds
    both = read({"at_least": lowest, "at_most": highest})

    assert both(fact) is (lowest <= fact <= highest)
    assert both(fact) is (read({"at_least": lowest})(fact) and read({"at_most": highest})(fact))


@given(value=NUMBERS | st.text() | st.booleans(), others=st.lists(st.text() | NUMBERS))
def test_a_fact_is_always_one_of_a_list_it_stands_in(value: Any, others: list[Any]) -> None:
    assert read([*others, value])(value)
    assert read(value)(value)


FACTS = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.decimals() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(value=NUMBERS | st.text() | st.booleans(), fact=FACTS)
def test_no_fact_makes_a_condition_fail(value: Any, fact: Any) -> None:
    assert read(value)(fact) in (True, False)
    assert read({"at_least": 0})(fact) in (True, False)
