"""JSON within JSON: a platform's reply comes out byte for byte as it went in."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.porch.json import RawJson, dump_raw_json

SCALARS = st.none() | st.booleans() | st.integers() | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)  # fmt: skip
REPLIES = st.builds(
    lambda value, indent, ascii: json.dumps(value, indent=indent, ensure_ascii=ascii),
    VALUES, st.sampled_from([None, 1, 4]), st.booleans(),
)  # fmt: skip


def test_it_works() -> None:
    reply = '{ "id":"1",\n "n" : 1.50, "é":"\\u00e9" }'

    dumped = dump_raw_json({"reports": [{"response": RawJson(reply)}, {"response": None}]})

    assert dumped == '{"reports": [{"response": ' + reply + '}, {"response": null}]}'


@given(value=VALUES)
def test_without_anything_raw_it_is_json(value: Any) -> None:
    assert json.loads(dump_raw_json(value)) == value


@given(replies=st.lists(REPLIES, max_size=12), beside=VALUES)
def test_each_reply_keeps_its_place_and_its_bytes(replies: list[str], beside: Any) -> None:
    value = {"beside": beside, "all": [{"n": n, "raw": RawJson(r)} for n, r in enumerate(replies)]}

    dumped = dump_raw_json(value)

    read = json.loads(dumped)
    assert read["beside"] == beside
    assert read["all"] == [{"n": n, "raw": json.loads(r)} for n, r in enumerate(replies)]
    for number, reply in enumerate(replies):
        assert f'{{"n": {number}, "raw": {reply}}}' in dumped


def test_a_reply_may_stand_alone_and_more_than_once() -> None:
    raw = RawJson('{"a":1}')

    assert dump_raw_json(raw) == '{"a":1}'
    assert dump_raw_json([raw, raw]) == '[{"a":1}, {"a":1}]'


def test_a_reply_that_names_places_changes_nothing() -> None:
    tricky = RawJson(json.dumps([f"{n}-" for n in range(12)]))

    assert json.loads(dump_raw_json([tricky] * 12)) == [json.loads(tricky.text)] * 12


@pytest.mark.parametrize("value", [Decimal(1), {1, 2}, b"bytes", float("nan"), float("inf")])
def test_what_is_no_json_is_refused(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        dump_raw_json({"value": value})
