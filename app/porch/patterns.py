"""What a site signs, written as a pattern: "{body}", "{timestamp}.{body}", "{name}|{time}|{secret}"."""

import re
from collections.abc import Mapping

from app.porch.fields import Secret
from app.porch.signatures import check_hash, check_hmac, find_named

HOLE = re.compile(rb"\{([^{}]+)\}")


def list_holes(pattern: str) -> frozenset[str]:
    """The names that stand in braces in a pattern."""
    return frozenset(hole.decode() for hole in HOLE.findall(pattern.encode()))


def fill_holes(pattern: str, values: Mapping[str, bytes]) -> bytes:
    """The pattern with the value of each name in its place; what braces there are in those stay."""
    return HOLE.sub(lambda hole: values[hole[1].decode()], pattern.encode())


def check_pattern(
    pattern: str, values: Mapping[str, bytes], given: str, secret: Secret, digest: str
) -> str:
    """What was signed, without the secret, as a text. Raises BadSignature unless `given` signs it.

    `values` are those of the pattern's names. A pattern with {secret} is hashed, another is signed by HMAC,
    both in hex, by `digest` as hashlib names it. Without a pattern, `given` is the secret itself.
    """
    if not pattern:
        find_named(given, [secret])
        return ""
    signed = fill_holes(pattern, {**values, "secret": secret.reveal().encode()})
    if "{secret}" in pattern:
        check_hash(signed, given, digest)
    else:
        check_hmac(signed, given, [secret], digest)
    return fill_holes(pattern, {**values, "secret": b""}).decode("utf-8", "replace")
