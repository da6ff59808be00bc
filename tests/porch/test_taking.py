"""Fields are taken strictly, and every refusal names the field."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import BadDelivery, take, take_id, take_text
from app.porch.json import read_json

BODY: dict[str, Any] = {"data": {"user": {"id": 7, "name": "Ann"}, "ok": True, "none": None}}


def test_it_works() -> None:
    assert take(BODY, "data.user.name", str) == "Ann"
    assert take(BODY, "data.user.id", int) == 7
    assert take(BODY, "data.ok", bool) is True
    assert take_id(BODY, "data.user.id") == take_id({"id": "7"}, "id") == "7"
    assert take_text(BODY, "data.none", "") == take(BODY, "data.nobody.is", str, "") == ""


@pytest.mark.parametrize(
    ("body", "path", "why"),
    [
        ({}, "id", "id is missing"),
        ({"id": None}, "id", "id is missing"),
        ({"id": 7.0}, "id", "id is not a text"),
        ({"id": Decimal("7.0")}, "id", "id is not a text"),
        ({"id": True}, "id", "id is not a text"),
        ({"id": {"id": 7}}, "id", "id is not a text"),
        ({"id": "  "}, "id", "id is empty"),
        ({"id": "a\nb"}, "id", "id holds a control character"),
        ({"id": "\ud800"}, "id", "id holds a control character, or is not valid Unicode"),
        ({"id": "x" * 256}, "id", "id is longer than 255 characters"),
        ({"id": 10**300}, "id", "id is longer than 255 characters"),
        ([], "id", "id is missing"),
        ({"a": "text"}, "a.b", "a.b is missing"),
    ],
)
def test_no_id_is_guessed(body: Any, path: str, why: str) -> None:
    with pytest.raises(BadDelivery, match=why):
        take_id(body, path)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_true_and_fractions_are_no_whole_numbers(value: Any) -> None:
    with pytest.raises(BadDelivery):
        take({"n": value}, "n", int)


def test_a_number_written_as_a_power_is_no_id() -> None:
    with pytest.raises(BadDelivery, match="id is not a text"):
        take_id(read_json(b'{"id": 1e3}'), "id")
