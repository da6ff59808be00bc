"""Secrets and the values of tokens stay hidden, in JSON and out of it; texts are cut by bytes."""

import base64
import json
import time
import urllib.parse
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.porch.masking import cut_text, find_credentials, mask_secrets, mask_text, mask_tokens

TEXTS = st.text(st.characters(codec=None, categories=None), max_size=400)  # surrogates too
SCALARS = st.none() | st.booleans() | st.integers() | st.text()
NAMES = st.text(max_size=6) | st.sampled_from(["token", "ss_token", "appSecret", "Password"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4)
)  # fmt: skip


def nest(depth: int) -> str:
    return '{"a":' * depth + '{"token": "hush-hush"}' + "}" * depth


def test_it_works() -> None:
    answer = '{"id": "1", "token": "hush-hush", "by": "a-secret"}'

    assert json.loads(mask_text(answer, ["a-secret"])) == {"id": "1", "token": "***", "by": "***"}
    assert mask_text("refused: a-secret", ["a-secret"]) == "refused: ***"
    assert mask_tokens({"ss_token": "x", "uid": "7"}) == {"ss_token": "***", "uid": "7"}
    assert list(find_credentials(json.loads(answer))) == ["hush-hush"]
    assert cut_text("añb", 2) == "a"


@pytest.mark.parametrize(
    "text",
    [
        '{"token": "hush-hush"}',
        '{"a": [{"b": {"SS_TOKEN": "hush-hush"}}]}',
        '{"accessToken": ["hush-hush"]}',
        '{"token": {"value": "hush-hush"}}',
        '{"app_secret": "hush-hush", "x": 1',  # cut off: no JSON
        '"token": "a\\"hush-hush"',
        "'token': 'hush-hush'",
        "token=hush-hush&x=1",
        "Authorization: hush-hush",
        "x-api-token : hush-hush",
        "password=hush-hush",
        "<b>token: hush-hush</b>",
        nest(400),
        nest(700),
        nest(3000),
        '["hush-hush", {"token": "hush-hush"}]'.replace('["hush-hush", ', "["),
    ],
)
def test_what_is_called_a_token_is_hidden_wherever_it_stands(text: str) -> None:
    masked = mask_text(text, [])

    assert "hush" not in masked
    assert "***" in masked


@pytest.mark.parametrize(
    "text",
    ['{"tokens": 3, "id": "1"}', "the token was refused", '{"token": "", "x": null}', "[1, 2]"],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert mask_text(text, []) == text


SECRET = 'pa"ss\\wörd/x'


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        f"it says: {SECRET}!",
        json.dumps({"said": SECRET}),
        json.dumps({"said": SECRET}, ensure_ascii=False),
        json.dumps({"said": SECRET})[:-1],
        json.dumps([SECRET, {SECRET: SECRET}]),
    ],
)
def test_a_secret_is_hidden_however_it_is_spelt(text: str) -> None:
    masked = mask_text(text, [SECRET])

    assert "***" in masked
    for part in ("pa", "ss", "rd/x"):
        assert part not in masked


def spell_out(secret: str) -> dict[str, str]:
    """What others make of a secret; none of it by app.porch.masking's own means."""
    raw = secret.encode()
    basic = base64.b64encode(b"user:" + raw).decode()
    return {
        "in an address": urllib.parse.quote(secret, safe=""),
        "in small hex": urllib.parse.quote(secret, safe="").lower() if secret.islower() else "x",
        "in a path": urllib.parse.quote(secret),
        "in a form": urllib.parse.urlencode({"x": secret}),
        "hex": raw.hex(),
        "HEX": raw.hex().upper(),
        "base64": base64.b64encode(raw).decode(),
        "without its end": base64.b64encode(raw).decode().rstrip("="),
        "of addresses": base64.urlsafe_b64encode(raw).decode().rstrip("="),
        "Basic": f"Basic {basic}",
        "in a longer one": base64.b64encode(b"ab" + raw + b"cdefg").decode(),
        "in JSON in base64": base64.b64encode(json.dumps({"t": secret}).encode()).decode(),
    }


@pytest.mark.parametrize(
    "secret", ["pa/ss+wo rd?&=", "sesame", "a-secret-of-thirty-two-bytes-here~", "ключ-ключ"]
)
def test_no_form_of_a_secret_survives(secret: str) -> None:
    for name, form in spell_out(secret).items():
        if name == "in JSON in base64" and not secret.isascii():
            continue  # JSON has escaped it before
        if form == "x":
            continue

        masked = mask_text(f"it says {form} and more", [secret])

        assert "***" in masked, name
        # Of base64 a letter on either side may stay, whose bits are its neighbours' too.
        middle = form[len(form) // 2 - 3 : len(form) // 2 + 3]
        assert middle not in masked, name


def test_many_credentials_cost_no_more_than_few_and_none_is_shown() -> None:
    body = {"players": [{"token": f"token-number-{number}"} for number in range(40_000)]}
    hidden = list(find_credentials(body))
    answer = "token-number-" * 5000  # 64 KiB

    began = time.process_time()
    masked = mask_text(answer, hidden)
    spent = time.process_time() - began

    assert masked == "***"
    assert "token-number" not in mask_text(json.dumps(body), [])
    assert spent < 0.25  # each of them was looked for: 0.8 s, several times a report
    few = [f"token-number-{number}" for number in range(100)]
    assert mask_text("token-number-99 is old", few) == "*** is old"
    ours = [f"key-of-game-server-{number}" for number in range(500)]
    assert mask_text("token-number-99, key-of-game-server-499: it answered 500", few, ours) == (
        "***, ***: it answered 500"
    )


def test_of_two_secrets_that_overlap_nothing_is_left() -> None:
    assert mask_text("abcdef-and-more", ["abcdef", "abcdef-and-more"]) == "***"


@given(value=VALUES)
def test_masking_a_value_changes_nothing_but_credentials(value: Any) -> None:
    def compare(before: Any, after: Any) -> None:
        if isinstance(before, dict):
            assert before.keys() == after.keys()
            for name, inner in before.items():
                if name.lower().endswith(("token", "secret", "password")) and inner:
                    assert after[name] == "***"
                else:
                    compare(inner, after[name])
        elif isinstance(before, list):
            assert len(before) == len(after)
            for one, other in zip(before, after, strict=True):
                compare(one, other)
        else:
            assert before == after

    original = json.dumps(value)
    compare(value, mask_tokens(value))
    assert json.dumps(value) == original  # a copy was masked


@given(value=VALUES, secret=st.text('abc"\\é😀', min_size=6, max_size=8))
def test_no_secret_survives_in_any_json(value: Any, secret: str) -> None:
    text = json.dumps({"before": secret, "value": value, secret: [secret + "x"]})

    masked = mask_text(text, [secret])

    assert secret not in masked
    assert json.dumps(secret)[1:-1] not in masked


@given(text=TEXTS)
def test_what_is_masked_can_always_be_stored(text: str) -> None:
    for kept in (mask_text(text, []), mask_text(json.dumps({"said": text}), [])):
        assert kept.encode().decode() == kept


@given(text=TEXTS, size=st.integers(0, 50))
def test_a_cut_text_is_never_longer_and_is_what_it_began_with(text: str, size: int) -> None:
    cut = cut_text(text, size)

    raw = text.encode("utf-8", "surrogatepass")
    if len(raw) <= size:
        assert cut == text
        return
    assert len(cut.encode()) <= size
    kept = text.encode("utf-8", "ignore")
    assert kept.startswith(cut.encode())
    if raw == kept:  # as much as fits: the next character would not
        assert len(cut.encode()) > size - 4


@pytest.mark.parametrize(
    ("size", "kept"), [(0, ""), (3, ""), (4, "😀"), (5, "😀"), (6, "😀é"), (7, "😀éx"), (9, "😀éx")]
)
def test_no_character_is_cut_in_two(size: int, kept: str) -> None:
    assert cut_text("😀éx", size) == kept


def test_secrets_in_what_is_logged_are_hidden_in_names_and_depths() -> None:
    line = {"a": [{"my-secret": ("x my-secret y", 5, None, True)}]}

    assert mask_secrets(line, ["my-secret"]) == {"a": [{"***": ["x *** y", 5, None, True]}]}
