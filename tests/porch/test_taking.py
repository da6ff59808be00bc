"""Fields are taken strictly, and every refusal names the field."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import BadDelivery, read_time, take, take_id, take_text
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


def test_a_path_may_name_what_a_site_called_it_before() -> None:
    assert take_id(BODY, "data.uid|data.user.id") == "7"
    assert take_id({"a": 1, "b": 2}, "b|a") == "2"
    assert take_id({"": "nobody asked for it"}, "", "") == ""
    with pytest.raises(BadDelivery, match=r"a\|b is missing"):
        take_id({}, "a|b")


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("1700000000", 1_700_000_000_000),
        ("1700000000123", 1_700_000_000_123),
        ("2023-11-14T22:13:20Z", 1_700_000_000_000),
        ("2023-11-14T22:13:20.1230000Z", 1_700_000_000_123),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000_000),
        ("2023-11-14 22:13:20", 1_700_000_000_000),
    ],
)
def test_a_time_is_read_as_sites_write_it(text: str, time: int) -> None:
    assert read_time(text, "at") == time


NO_TIMES = (
    "", "now", "700000000", "0700000000", "01700000000", "17000000000",
    "1_700_000_000", "+1700000000", "20231114",
    "\u0661\u0667" + "\u0660" * 8, "1700000000.5", "-1700000000", "1969-01-01", "0001-01-01T00:00:00+14:00",
    "1700000000\n",
)  # fmt: skip


@pytest.mark.parametrize("text", NO_TIMES)
def test_what_is_no_time_is_refused(text: str) -> None:
    """Among them whatever else the digits of a time, and those before them, could be cut up into."""
    with pytest.raises(BadDelivery, match="at is no time"):
        read_time(text, "at")
