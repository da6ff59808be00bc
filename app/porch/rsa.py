"""RSA, for sites that encrypt by it. It needs `guerdon[votifier]`, which is loaded when asked for."""

import base64
import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from marshmallow import ValidationError

from app.porch.errors import BadSignature, GuerdonError
from app.porch.fields import Secret, SecretField

MISSING = "needs the package cryptography: pip install 'guerdon[votifier]'"
BITS = 2048


class RsaKeyField(SecretField):
    """A private key: PEM, or the base64 of PKCS#8, as Minecraft's plugins keep it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Secret:
        secret = super()._deserialize(value, attr, data, **kwargs)
        try:
            key = load_key(secret.reveal())
        except ImportError:
            raise ValidationError(MISSING) from None
        except (ValueError, TypeError):
            raise ValidationError("is no private key of RSA, in PEM or base64") from None
        if key.key_size < BITS:
            raise ValidationError(f"has {key.key_size} bits: {BITS} at least")
        return secret


@lru_cache(maxsize=8)
def load_key(text: str) -> Any:
    """Raises ValueError for what is none."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  (an extra)
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415

    if "-----BEGIN" in text:
        key = serialization.load_pem_private_key(text.encode(), None)
    else:
        key = serialization.load_der_private_key(base64.b64decode(text), None)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError
    return key


def decrypt_rsa(key: Secret, block: bytes) -> str:
    """What was encrypted by the public key (PKCS#1 v1.5), as text; raises BadSignature where nothing was."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415

    with suppress(ValueError):
        plain: bytes = load_key(key.reveal()).decrypt(block, PKCS1v15())
        return plain.decode()
    raise BadSignature("the public key that made it is not ours")


def write_rsa_key(path: Path) -> str:
    """Write a new private key that only its owner may read; the public key in base64 (SPKI).

    Raises GuerdonError where the file is there.
    """
    try:
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415
    except ImportError:
        raise GuerdonError(MISSING) from None
    key = rsa.generate_private_key(65537, BITS)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise GuerdonError(f"{path} cannot be made: {error.strerror}") from None
    with os.fdopen(file, "wb") as out:
        out.write(private)
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(public).decode()
