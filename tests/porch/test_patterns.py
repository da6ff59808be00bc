"""Patterns of what is signed: what a stranger put in braces into a value stays as it is."""

import hashlib
import hmac

import pytest

from app import BadSignature, Secret, check_pattern, list_holes

SECRET = Secret("s3cret", "a site's")


def check(pattern: str, given: str, digest: str = "sha256", **values: bytes) -> str:
    return check_pattern(pattern, values, given, SECRET, digest)


def test_it_works() -> None:
    signed = hmac.digest(b"s3cret", b"17.{}", "sha256").hex()

    assert check("{timestamp}.{body}", signed, timestamp=b"17", body=b"{}") == "17.{}"
    assert list_holes("{timestamp}.{body}") == {"timestamp", "body"}


def test_a_pattern_with_the_secret_is_a_hash_and_what_is_told_of_it_is_without() -> None:
    given = hashlib.md5(b"Bob|17|s3cret").hexdigest().upper()

    assert check("{name}|{time}|{secret}", given, "md5", name=b"Bob", time=b"17") == "Bob|17|"
    with pytest.raises(BadSignature):
        check("{name}|{time}|{secret}", given, "md5", name=b"Bob", time=b"18")


def test_braces_in_a_value_are_no_holes() -> None:
    given = hashlib.md5(b"{secret}|{time}|s3cret").hexdigest()

    told = check("{name}|{time}|{secret}", given, "md5", name=b"{secret}", time=b"{time}")

    assert told == "{secret}|{time}|"


def test_without_a_pattern_the_secret_comes_bare() -> None:
    assert check("", "s3cret") == ""
    for wrong in ("", "S3cret", "s3cret2", "\xfc"):
        with pytest.raises(BadSignature):
            check("", wrong)


@pytest.mark.parametrize("given", ["", "0" * 64, "\xfc", "x" * 5000])
@pytest.mark.parametrize("pattern", ["{body}", "{body}{secret}"])
def test_another_signature_is_refused(pattern: str, given: str) -> None:
    with pytest.raises(BadSignature):
        check(pattern, given, body=b"a body")
