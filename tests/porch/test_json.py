"""JSON from outside: what only Python would accept is refused, and nothing grows beyond measure."""

from decimal import Decimal

import pytest

from app.porch.json import read_json


def test_it_works() -> None:
    assert read_json(b'{"a": [1, 1.50, -0, null, true], "b": "\xc3\xab"}') == {
        "a": [1, Decimal("1.50"), Decimal("-0"), None, True], "b": "\u00eb",
    }  # fmt: skip


@pytest.mark.parametrize(
    "raw",
    [
        b"NaN", b"[Infinity]", b'{"a": -Infinity}', b"[" * 100_000, b"\xff",
        b"", b"{", b"'a'", b"01", b"[1,]",
    ],
)  # fmt: skip
def test_what_only_python_would_accept_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (whatever its words)
        read_json(raw)
