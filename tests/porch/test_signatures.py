"""Signatures of platforms: HMAC over lines, JSON web tokens, and how old a request may be."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.porch.errors import BadSignature
from app.porch.fields import Secret
from app.porch.signatures import check_hmac, check_token, find_named, is_fresh, sign_lines

NOW = 1_800_000_000_000
SECRET = Secret("a-secret-of-thirty-two-bytes-here", "app")
CLAIMS = {"uid": "7", "app_id": "146"}
BAD, OLD = 1004, 1005


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def make_token(
    claims: Any = None, alg: str = "HS256", key: str = SECRET.reveal(), **changes: Any
) -> str:
    """A JSON web token, put together by hand."""
    if claims is None:
        claims = CLAIMS | {"exp": NOW // 1000 + 60} | changes
        claims = {name: value for name, value in claims.items() if value is not None}
    head = {"alg": alg, "typ": "JWT"}
    signed = ".".join(encode(json.dumps(part).encode()) for part in (head, claims))
    digest = {"HS512": hashlib.sha512, "none": None}.get(alg, hashlib.sha256)
    return (
        f"{signed}.{encode(hmac.digest(key.encode(), signed.encode(), digest)) if digest else ''}"
    )


def refuse(token: Any, now: int | None = NOW, secret: Secret = SECRET) -> int:
    """The code with which a token is refused."""
    with pytest.raises(BadSignature) as caught:
        check_token(token, secret, CLAIMS, now, BAD, OLD)
    assert SECRET.reveal() not in str(caught.value)
    return caught.value.code


def test_it_works() -> None:
    check_token(make_token(), SECRET, CLAIMS, NOW)
    check_token(make_token(exp=5), SECRET, CLAIMS, None)

    assert refuse(make_token(), secret=Secret("another-secret-of-thirty-two-bytes", "x")) == BAD
    assert refuse(make_token(exp=5)) == OLD
    with pytest.raises(BadSignature, match="uid is another"):  # whose it should be is not known
        check_token(make_token(uid=None), SECRET, {"uid": None}, NOW)
    lines = [
        "1461564080052506636",
        "1646382565",
        "keVJLJTItd1VBtGT",
        b'{"report_type":"game_start"}',
    ]
    signature = sign_lines(Secret("guerdon-demo-secret", "app"), lines, "sha1")
    assert signature == "1e95fe5ced8e0da93282c88b9a93b14b5088ccf4"  # the sheet's own vector
    assert is_fresh("1800000000", NOW, 60)
    assert not is_fresh("1800000061", NOW, 60)


@pytest.mark.parametrize(
    "token",
    [
        make_token(alg="none"),
        make_token(alg="HS512"),
        make_token(alg="RS256"),
        make_token(uid="8"),
        make_token(uid=7),
        make_token(uid=None),
        make_token(app_id="147"),
        make_token(exp=None),
        make_token(exp="never"),
        make_token(["no", "object"]),
        make_token()[:-2],
        make_token().replace(".", ".e", 1),
        "",
        "a.b.c",
        "..",
        "ümlaut.ü.ü",
        "\ud800",
        "\x00",
        None,
        5,
        {"uid": "7"},
        encode(b"[" * 50_000) + ".e30.x",
        encode(b'{"alg": ' * 50_000) + ".e30.x",
    ],
)
def test_a_token_that_is_not_ours_is_refused_whatever_it_is(token: Any) -> None:
    assert refuse(token) == BAD
    assert refuse(token, None) == BAD


@pytest.mark.parametrize(
    ("exp", "is_old"),
    [(NOW // 1000 + 1, False), (NOW // 1000, True), (0, True), (float("nan"), True)],
)
def test_a_token_is_old_from_its_exp_on_by_the_clock_it_is_given(exp: float, is_old: bool) -> None:
    token = make_token(exp=exp, nbf=2**40, iat=2**40, aud="other", iss=5)

    if is_old:
        assert refuse(token) == OLD
    else:
        check_token(token, SECRET, CLAIMS, NOW, BAD, OLD)


@given(lines=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n"))))
def test_lines_are_signed_each_with_its_newline(lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines).encode()
    expected = hmac.new(SECRET.reveal().encode(), text, hashlib.sha1).hexdigest()

    assert sign_lines(SECRET, lines, "sha1") == expected
    assert sign_lines(SECRET, [line.encode() for line in lines], "sha1") == expected


@pytest.mark.parametrize(
    ("stamp", "answer"),
    [
        ("1800000060", True),
        ("1799999940", True),
        ("1799999939", False),
        ("1800000060000", True),
        ("1799999940000", True),
        ("1799999939999", False),
        ("1800000060001", False),
        ("0", False),
        ("", False),
        ("-1800000000", False),
        ("1800000000.0", False),
        ("٢", False),
        ("²", False),
        ("9" * 15, False),
        ("9" * 5000, False),
    ],
)
def test_a_time_is_fresh_within_its_seconds_on_either_side(stamp: str, answer: bool) -> None:
    assert is_fresh(stamp, NOW, 60) is answer


def test_an_hmac_over_the_body_is_found_among_several_secrets() -> None:
    old, new = Secret("old-secret", "old"), Secret("new-secret", "new")
    body = b'{"vote": 1}'
    hexed = hmac.digest(b"new-secret", body, "sha256").hex()
    based = base64.b64encode(hmac.digest(b"old-secret", body, "sha1")).decode()

    assert check_hmac(body, hexed, [old, new]) == "new"
    assert check_hmac(body, based, [old, new], "sha1", "base64") == "old"
    for shown in ("", hexed[:-1], hexed + "0", hexed.upper(), f" {hexed}", "\u00e9", based):
        with pytest.raises(BadSignature):
            check_hmac(body, shown, [old, new])
    with pytest.raises(BadSignature):
        check_hmac(body, based.swapcase(), [old], "sha1", "base64")


def test_a_bare_secret_is_found_by_its_name() -> None:
    secrets = [Secret("one", "first"), Secret("tw\u00f6", "second")]

    assert find_named("tw\u00f6", secrets) == "second"
    for shown in ("", "on", "one ", "\ud800"):
        with pytest.raises(BadSignature):
            find_named(shown, secrets)
