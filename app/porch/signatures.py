"""Signatures of platforms: over lines, and in JSON web tokens (HS256, by PyJWT); and their age."""

import base64
import hmac
from collections.abc import Iterable, Mapping
from typing import Any

import jwt

from app.porch.errors import BadSignature
from app.porch.fields import Secret, find_secret

OURS: Any = {
    f"verify_{claim}": False for claim in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")
} | {"verify_signature": True}


def check_token(
    token: Any,
    secret: Secret,
    claims: Mapping[str, Any],
    now: int | None,
    bad: int = 0,
    old: int = 0,
) -> None:
    """Raise BadSignature unless `secret` signed a token with these claims that is not expired.

    `now` in ms; None: it may be expired. `bad` and `old` become the error's code. Time is an
    argument, so PyJWT looks at the signature alone.
    """
    # HMAC itself fills a short key up with zeros; of one as short as it came PyJWT would warn.
    key = secret.reveal().encode().ljust(32, b"\0")
    try:
        found: dict[str, Any] = jwt.decode(str(token), key, algorithms=["HS256"], options=OURS)
    except (jwt.PyJWTError, ValueError):  # ValueError: it has no UTF-8
        raise BadSignature("the token is not one that this secret signed", bad) from None
    for name, value in claims.items():
        if value is None or found.get(name) != value:
            raise BadSignature(f"the token's {name} is another", bad)
    expires = found.get("exp")
    if not isinstance(expires, int | float):
        raise BadSignature("the token has no exp", bad)
    if now is not None and not expires * 1000 > now:
        raise BadSignature("the token is expired", old)


def sign_lines(secret: Secret, lines: Iterable[str | bytes], digest: str) -> str:
    """The HMAC, in hex, of these lines, each ended by a newline; `digest` as hashlib names it."""
    raw = [line if isinstance(line, bytes) else line.encode() for line in lines]
    return hmac.digest(secret.reveal().encode(), b"".join(r + b"\n" for r in raw), digest).hex()


def is_signature(given: str, secret: Secret, lines: Iterable[str | bytes], digest: str) -> bool:
    """Whether `given` is what sign_lines makes; compared in constant time."""
    return hmac.compare_digest(sign_lines(secret, lines, digest).encode(), given.encode())


def check_hmac(
    signed: bytes, given: str, secrets: Iterable[Secret], digest: str = "sha256", form: str = "hex"
) -> str:
    """The name of the secret whose HMAC over these bytes is `given`, in "hex" or "base64".

    `signed` are the bytes as they came, of app.read_body, with what the site puts around them; `given` is
    the signature alone, in small letters, without a "sha256=" before it. Every secret is tried, in constant
    time. Raises BadSignature where it is none's.
    """
    shown, found = given.encode("utf-8", "surrogatepass"), ""
    for secret in secrets:
        mac = hmac.digest(secret.reveal().encode(), signed, digest)
        expected = mac.hex().encode() if form == "hex" else base64.b64encode(mac)
        if hmac.compare_digest(expected, shown):
            found = secret.name
    if not found:
        raise BadSignature(
            "the signature is missing or wrong: is the secret it is made with configured?"
        )
    return found


def find_named(given: str, secrets: Iterable[Secret]) -> str:
    """The name of the secret that a site sends bare, as in Authorization; compared in constant time.

    Raises BadSignature where it is none of these.
    """
    found = find_secret(given.encode("utf-8", "surrogatepass"), secrets)
    if found is None:
        raise BadSignature("the secret is missing or wrong: is it the one that this site sends?")
    return found.name


def is_fresh(stamp: str, now: int, max_age: float) -> bool:
    """Whether a time in seconds or ms since the epoch is at most `max_age` seconds away from `now` (ms)."""
    if not stamp.isascii() or not stamp.isdigit() or len(stamp) > 15:
        return False
    time = int(stamp) if int(stamp) > 10**11 else int(stamp) * 1000
    return abs(now - time) <= max_age * 1000
