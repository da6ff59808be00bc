"""Signatures of platforms: over lines, and in JSON web tokens (HS256, by PyJWT); and their age."""

import hmac
from collections.abc import Iterable, Mapping
from typing import Any

import jwt

from app.porch.errors import BadSignature
from app.porch.fields import Secret

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


def is_fresh(stamp: str, now: int, max_age: float) -> bool:
    """Whether a time in seconds or ms since the epoch is at most `max_age` seconds away from `now` (ms)."""
    if not stamp.isascii() or not stamp.isdigit() or len(stamp) > 15:
        return False
    time = int(stamp) if int(stamp) > 10**11 else int(stamp) * 1000
    return abs(now - time) <= max_age * 1000
