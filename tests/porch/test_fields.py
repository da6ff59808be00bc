"""Fields for what strangers write."""

import pytest
from marshmallow import Schema, ValidationError

from app import PlainText


class Vote(Schema):
    nickname = PlainText(longest=16, required=True)


def test_it_works() -> None:
    assert Vote().load({"nickname": "Zoë 7"}) == {"nickname": "Zoë 7"}


@pytest.mark.parametrize(
    ("nickname", "fault"),
    [
        ("", "Length must be between 1 and 16"), ("x" * 17, "Length must be between 1 and 16"),
        ("Bo\0b", "holds a control character"), ("Bob\n", "holds a control character"),
        ("\x85", "holds a control character"), ("\ud800", "is not valid Unicode"),
        (7, "Not a valid string"), (None, "may not be null"), (["Bob"], "Not a valid string"),
    ],
)  # fmt: skip
def test_what_is_no_plain_text_is_refused(nickname: object, fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        Vote().load({"nickname": nickname})
