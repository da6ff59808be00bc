"""What nobody honest sends: bodies, values, headers, and how many of them are tried."""

import codecs
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from app.testing.deliveries import API_KEY, sign

KEY = {"Authorization": f"Bearer {API_KEY}"}
POSTS = [
    "/webhooks/gamemonitoring", "/webhooks/sud", "/webhooks/nobody", "/v1/events/level_up",
    "/v1/events/game_start", "/v1/events/game_settle", "/v1/claims/lease", "/v1/claims/1/ack",
]  # fmt: skip
GETS = [
    "/healthz", "/readyz", "/openapi.json", "/docs", "/static/docs.js", "/v1/players/Bob",
    "/v1/events/server.vote/v1", "/v1/reports/1",
]  # fmt: skip
NAMES = st.sampled_from([
    "event_id", "event_type", "is_test", "signature", "uid", "server_id", "level", "data", "custom",
    "report_msg", "report_type", "results", "players", "rank", "is_ai", "lease", "limit", "seconds",
    "timestamp", "mg_id", "game_round_id", "ss_token", "role", "",
]) | st.text(st.characters(), max_size=5)  # fmt: skip
NUMBERS = st.sampled_from([0, -0.0, 1, -1, 2**31, 2**63, -(2**63) - 1, 2**64, 1e308, 10**400])
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | NUMBERS
    | st.text(st.characters(), max_size=9)
    | st.sampled_from(["server.vote", "game_start", "game_settle", "\0", "\ud800", "\ufeff", "1"])
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=8)
HOSTILE_BYTES = [
    b"", b"\0", b"null", b"{}", b"[]", b"{" * 50_000, b"[" * 100_000, b'{"a":' * 50_000,
    b"[" * 99 + b"]" * 99, b'{"a":' * 101 + b"1" + b"}" * 101, b"9" * 60_000, b"-", b"-0", b"1e999999999",
    b'{"level":' + b"1" * 5000 + b"}", b"NaN", b'{"a":Infinity}', b'{"uid":"\\ud800"}',
    b'{"uid":"\xed\xa0\x80"}', b'{"uid":"\\u0000"}', b'{"event_id":"a","event_id":"b"}', b"\xff\xfe{",
    codecs.BOM_UTF8 + b"{}", "{}".encode("utf-16"), "{}".encode("utf-32"), b'"' + b"\\" * 9999,
    b'{"a":1}{"a":2}', b'{"a":1,}', b"/*x*/{}", b"{'a':1}", b"<?xml version='1.0'?><a/>",
    b"a=1&b=2", b'{"uid":"' + b"\xf0\x9f\x92\xa9" * 200 + b'"}', b" " * 70_000, b"x" * (1 << 20),
    b"x" * ((1 << 20) + 1), b'{"__proto__":{}}', b'{"":{"":{"":[]}}}', b'{"signature":null}',
]  # fmt: skip
FLAT = st.dictionaries(
    NAMES.filter(lambda name: name != "signature"),
    SCALARS.filter(lambda value: not isinstance(value, float)),
    max_size=6,
)
IDS = st.text(st.characters(), max_size=20) | st.from_regex(r"[\w-]{1,9}", fullmatch=True)

# Headers in environ as WSGI has them: bytes as Latin-1.
LATIN = st.binary(max_size=30).map(lambda raw: raw.decode("latin-1"))
HEADERS = {
    "HTTP_AUTHORIZATION": ["Bearer", "Bearer ,", f"Bearer {API_KEY}, Bearer {API_KEY}", "Basic Og==",
                           "Digest a=\"", "Bearer \xff", "Basic \xff", "Basic " + "é" * 99],
    "HTTP_PREFER": ["wait", "wait=", "wait=x", "wait=-1", "wait=1e9", "wait=\x00", 'wait="', "wait=0;",
                    "wait=" + "9" * 5000, "wait=0, wait=0", "wait*=UTF-8''0", ",,;=", "\xb2"],
    "CONTENT_TYPE": ["", ";", "multipart/form-data", "multipart/form-data; boundary=",
                     "application/x-www-form-urlencoded", "application/json; charset=none", "a/b;" * 99,
                     "text/plain; charset=\xff", "application/json\x00", 'a/b; c="'],
    "CONTENT_LENGTH": ["", "-1", "x", "1e3", "0x10", "1,1", " 5", "+5", "9" * 30, "\xb2", "0", "1_0"],
    "HTTP_TRANSFER_ENCODING": ["chunked", "identity", "gzip, chunked", "\xff", "chunked, chunked"],
    "HTTP_HOST": ["", "a b", "[::1", "x" * 300, "\xff", "a,b", "evil.example:99999", "a/b", "..", "a@b"],
    "HTTP_ACCEPT": ["", "*/*;q=x", ",", "\xff", "text/html;q=nan"],
    "HTTP_COOKIE": ["=", ";;;", "a=\xff; b", "session=" + "x" * 4000],
    "HTTP_RANGE": ["bytes=", "bytes=9-1", "bytes=0-0,2-2", "bytes=-", "x=1-2", "bytes=0-" + "9" * 30],
    "HTTP_IF_MODIFIED_SINCE": ["x", "Thu, 99 Foo 0000 99:99:99 GMT", "\xff", "Mon, 01 Jan 0001 00:00:00"],
    "HTTP_IF_NONE_MATCH": ['"', "*", "W/", "\xff", '"a', ","],
    "HTTP_EXPECT": ["100-continue", "nothing"],
    "HTTP_X_FORWARDED_FOR": ["\xff", "a" * 999],
    "HTTP_X_FORWARDED_PROTO": ["javascript", ","],
    "HTTP_UPGRADE": ["h2c", "websocket"],
    "HTTP_SUD_TIMESTAMP": ["", "x", "-1", "9" * 400, "nan", "\xb2"],
    "HTTP_SUD_SIGNATURE": ["", "\xff", "é" * 40, "0" * 40],
    "HTTP_SUD_NONCE": ["", "\xff\n"],
    "SERVER_PROTOCOL": ["HTTP/1.0", "HTTP/9.9", ""],
    "REMOTE_ADDR": ["", "\xff"],
}  # fmt: skip


def try_many(examples: int) -> Any:
    return settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))


def list_signed(fields: dict[str, Any], event_id: str) -> Iterator[bytes]:
    """Deliveries of a vote with these fields, signed as the platform would."""
    vote = {"event_id": event_id, "event_type": "server.vote", "is_test": False}
    for signed in (
        fields,
        vote,
        vote | fields,
        vote | {"is_test": True},
        fields | {"is_test": 1},
    ):
        try:
            signature = sign(signed)
        except UnicodeEncodeError:  # a lone surrogate: nobody can sign that
            signature = "0" * 64
        yield json.dumps(signed | {"signature": signature}).encode()
