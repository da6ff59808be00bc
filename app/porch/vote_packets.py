"""Votes in packets, as Minecraft's lists send them over TCP: RSA blocks (v1), and frames of JSON (v2)."""

import json
from collections.abc import Mapping
from typing import Any

from app.porch.json import dump_json

FRAME, BLOCK = b"\x73\x3a", 256  # how a frame begins; bytes of a block
FIELDS = ("serviceName", "username", "address", "timestamp")


def is_frame(raw: bytes) -> bool:
    """A block may begin with the same two bytes, but hardly goes on with an object."""
    return raw[:2] == FRAME and raw[4:5] == b"{"


def is_whole_packet(raw: bytes) -> bool:
    """Whether no more of a packet has to come."""
    return len(raw) >= 5 and (read_frame(raw) is not None if is_frame(raw) else len(raw) >= BLOCK)


def read_frame(raw: bytes) -> Any:
    """What a frame holds; None where more has to come: some count letters, and send bytes."""
    return read_text(raw[4:]) if len(raw) >= 4 + int.from_bytes(raw[2:4]) else None


def read_text(text: str | bytes) -> Any:
    """The value of a JSON text; None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def read_lines(text: str) -> Mapping[str, str]:
    """The fields of a block once it is decrypted; {} where it is no vote."""
    kind, *lines = text.removesuffix("\n").split("\n")
    is_vote = kind == "VOTE" and len(lines) == len(FIELDS)
    return dict(zip(FIELDS, lines, strict=True)) if is_vote else {}


def write_status(fault: str, cause: str) -> bytes:
    """What whoever sent a frame is answered: all is well where there is no `fault`."""
    told = {"status": "error", "cause": cause, "error": fault} if fault else {"status": "ok"}
    return dump_json(told).encode()
