"""A request as it went over the wire, kept in a file by whoever tries a source."""

import re
from email.parser import BytesHeaderParser
from typing import NamedTuple

from app.porch.errors import GuerdonError

# Of a request that was recorded, what signs nothing.
USUAL = (
    "accept", "cf-", "connection", "content-length", "content-type", "date", "forwarded", "host",
    "user-agent", "via", "x-forwarded", "x-real-ip",
)  # fmt: skip


class RecordedRequest(NamedTuple):
    """The headers that may sign it, its Content-Type, and its body."""

    headers: dict[str, str]
    content_type: str
    body: bytes


def read_recorded(content: bytes) -> RecordedRequest:
    """What was recorded: a line "POST ...", which may be left out, headers, an empty line, the body.

    Raises GuerdonError where it is none.
    """
    end = re.search(rb"\r?\n\r?\n", content)
    head = content[: end.start()] if end else b""
    first, _, others = head.partition(b"\n")
    fields = BytesHeaderParser().parsebytes(others if first.startswith(b"POST ") else head)
    if end is None or not fields.keys() or fields.defects:
        raise GuerdonError(
            "this is no recorded request: write its headers, an empty line, and its body"
        )
    headers = {name: str(value) for name, value in fields.items()}
    body, length = content[end.end() :], str(fields.get("Content-Length", ""))
    if length.isdecimal():  # an editor may have ended the last line
        body = body[: int(length)]
    signing = {name: one for name, one in headers.items() if not name.lower().startswith(USUAL)}
    return RecordedRequest(signing, str(fields.get("Content-Type", "application/json")), body)
