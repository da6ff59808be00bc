"""Logs: a line of JSON for each event, with its id, and never a secret."""

import base64
import io
import json
import logging
import socket
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from app import create_app
from app.logs import set_up_logs
from app.porch.fields import Secret
from app.testing.clock import Clock
from app.testing.deliveries import TOKEN, post_vote
from app.testing.waiting import wait_until

SECRET = "sesame-0pen-wide"
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def stream() -> io.StringIO:
    stream = io.StringIO()
    set_up_logs([Secret(SECRET, "x"), Secret("short", "y"), Secret('quo"ted\\ß', "z")], stream)
    return stream


def read_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_it_works(stream: io.StringIO) -> None:
    structlog.get_logger().info("settled", event_id="v1", grants=2)

    [line] = read_lines(stream.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "settled", "event_id": "v1", "grants": 2, "level": "info"}


def test_a_line_is_ascii_whatever_is_in_it(stream: io.StringIO) -> None:
    hostile = "Bob\x1b[2J\x7f\x9b\u202e\u2028\u3164\n{}"
    for value in (hostile, {hostile: [hostile]}, ValueError(hostile), {1: {hostile}}):
        structlog.get_logger().info(hostile, value=value)
    logging.getLogger("a.library").warning("%s", hostile)

    lines = stream.getvalue().splitlines()
    assert len(lines) == 5
    assert all(line.isascii() and line.isprintable() for line in lines)
    assert json.loads(lines[0])["value"] == hostile


def test_the_standard_librarys_logging_comes_as_json_too(stream: io.StringIO) -> None:
    logging.getLogger("a.library").warning("%s is\nodd", "this")

    [line] = read_lines(stream.getvalue())
    assert (line["event"], line["level"]) == ("this is\nodd", "warning")


def test_a_warning_hides_a_secret_in_every_form(stream: io.StringIO) -> None:
    forms = [base64.b64encode(b"user:" + SECRET.encode()).decode(), SECRET.encode().hex()]
    for form in forms:
        structlog.get_logger().warning("refused", reason=f"what is {form}?")
        logging.getLogger("a.library").error(form)

    assert stream.getvalue().count("***") == 4
    assert not [form for form in forms if form[8:-8] in stream.getvalue()]


def fail() -> None:
    raise ValueError(f"{SECRET} in an error")


def log_error(log: Any) -> None:
    try:
        fail()
    except ValueError as error:
        log.error("failed", exc_info=error)


def log_chain(log: Any) -> None:
    try:
        try:
            fail()
        except ValueError as error:
            raise RuntimeError("another") from error
    except RuntimeError:
        log.error("failed", exc_info=True)


class Holder:
    def __str__(self) -> str:
        return f"holds {SECRET}"


@pytest.mark.parametrize(
    "write",
    [
        lambda log: log.error(f"with {SECRET}{SECRET} inside"),
        log_error,
        log_chain,
        lambda log: log.error(f"{Holder()}"),
    ],
)
@pytest.mark.parametrize("library", ["structlog", "logging"])
def test_a_secret_is_masked(
    write: Callable[[Any], None], library: str, stream: io.StringIO
) -> None:
    write(structlog.get_logger() if library == "structlog" else logging.getLogger("x"))

    [line] = read_lines(stream.getvalue())
    assert SECRET not in stream.getvalue()
    assert "***" in stream.getvalue()
    if "failed" in line["event"]:
        assert "*** in an error" in line["exception"]
        assert "Traceback" in line["exception"]


@pytest.mark.parametrize(
    "value",
    [[SECRET], {"a": {"b": (SECRET,)}}, {SECRET: 1}, Holder(), {SECRET}, 'a quo"ted\\ß word'],
)
def test_a_secret_is_masked_however_deep(value: Any, stream: io.StringIO) -> None:
    structlog.get_logger().info("settled", value=value)

    [line] = read_lines(stream.getvalue())
    assert "***" in json.dumps(line["value"])
    assert SECRET not in stream.getvalue()
    assert "ted" not in json.dumps(line["value"])


def test_a_word_too_short_for_a_secret_stays(stream: io.StringIO) -> None:
    structlog.get_logger().info("a short line", number=1.5, nothing=None, yes=True)

    [line] = read_lines(stream.getvalue())
    assert line["event"] == "a short line"
    assert (line["number"], line["nothing"], line["yes"]) == (1.5, None, True)


@on_sqlite
def test_nothing_unverified_makes_a_long_line(
    open_service: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    guerdon = open_service(more="[plugins.sud]\nunsigned = true")
    client = create_app(guerdon).test_client()
    capsys.readouterr()

    client.post("/webhooks/sud", data=json.dumps({"report_type": "x" * 100_000}))
    client.post(f"/webhooks/{'y' * 4000}", data=b"")

    # Another test's service may still say something of its own, as that a connection was lost.
    told = [
        line
        for line in read_lines(capsys.readouterr().err)
        if line["event"] in ("ignored", "refused")
    ]
    lines = [(line["event"], len(json.dumps(line))) for line in told]
    assert [event for event, _ in lines] == ["ignored", "refused"]
    assert max(length for _, length in lines) < 1000


@on_sqlite
def test_each_line_about_an_event_names_it_and_none_holds_a_secret(
    open_service: Callable[..., Any],
    add_plugin: Callable[..., str],
    vote_api: Any,
    clock: Clock,
    capsys: pytest.CaptureFixture[str],
) -> None:
    section = add_plugin("""
        from app import hookimpl

        @hookimpl
        def grant_reward(reward, event, settings):
            if event.id == "bad":
                raise RuntimeError(settings["gamemonitoring"]["tokens"][0].reveal())

        @hookimpl
        def event_settled(event, settings):
            raise RuntimeError(settings["gamemonitoring"]["tokens"][0].reveal())
    """)
    guerdon = open_service(more=section)
    vote_api.nickname = lambda id: "Nobody" if id == "unknown" else "Bob"
    capsys.readouterr()
    for id in ("good", "bad", "unknown"):
        post_vote(guerdon, id)
    post_vote(guerdon, "test", is_test=True)
    post_vote(guerdon, "other", event_type="server.unvote")
    lease = guerdon.inbox.take_due(10)
    clock.advance(1000)
    lease = guerdon.inbox.take_due(10)
    for id_ in lease.ids:
        guerdon.deliveries.retry(id_, lease.token)
    post_vote(guerdon, "forged", token="another token")

    text = capsys.readouterr().err
    lines = read_lines(text)
    said = {(line.get("event_id"), line["event"]) for line in lines}
    assert said == {
        ("good", "settled"), ("good", "event_settled failed"), ("bad", "not settled"),
        ("bad", "waiting"), ("unknown", "waiting"), ("bad", "retried"), ("unknown", "retried"),
        ("test", "test delivery"), ("other", "ignored"), (None, "refused"),
    }  # fmt: skip
    assert TOKEN not in text
    tracebacks = [line["exception"] for line in lines if "exception" in line]
    assert len(tracebacks) >= 3
    assert all("RuntimeError: ***" in traceback for traceback in tracebacks)


def test_what_json_cannot_write_is_written_all_the_same(stream: io.StringIO) -> None:
    circle: dict[str, Any] = {"token": SECRET}
    circle["again"] = circle

    structlog.get_logger().info("odd", circle=circle, keys={(1, 2): 3})

    [line] = stream.getvalue().splitlines()
    assert json.loads(line)["event"] == "'odd'"
    assert SECRET not in line


@on_sqlite
def test_every_line_of_a_service_is_json_and_no_http_is_counted_like_other_refusals(
    open_service: Any, start_gunicorn: Any, tmp_path: Any
) -> None:
    open_service()
    names = {"HTTPS_PROXY": "http://127.0.0.1:9", "http_proxy": f"http://{TOKEN}@127.0.0.1:9"}
    server = start_gunicorn(tmp_path / "guerdon.toml", workers=1, **names)
    for _ in range(100):
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(f"{TOKEN} \x01 is no HTTP\r\n\r\n".encode())
            client.recv(1000)
    wait_until(lambda: "refused more" in server.log.read_text())
    server.stop()

    text = server.log.read_text()
    lines = read_lines(text)
    assert TOKEN not in text
    said = [line["event"] for line in lines]
    assert any(event.startswith("Starting gunicorn") for event in said)
    assert any(event.startswith("Booting worker") for event in said)
    assert {line["address"] for line in lines if line["event"] == "refused"} == {"127.0.0.1"}
    counted = sum(line["count"] for line in lines if line["event"] == "refused more")
    assert counted + said.count("refused") == 100
    assert said.count("refused") < 60
    unused = [line["variable"] for line in lines if line["event"] == "proxy not used"]
    assert sorted(unused) == ["HTTPS_PROXY", "http_proxy"]
    assert all(line["level"] and line["timestamp"] for line in lines)
