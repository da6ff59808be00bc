"""One send: what a plugin or a platform does wrong is told in words, and nothing of it is shown."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from app.guerdon import Guerdon
from app.network.client import HttpResponse
from app.porch.errors import NetworkFailed
from app.porch.types import Report
from app.reporting.sender import LARGEST_REPLY, RecordedHttp, Sent, seems_down, send_one
from tests.world.studio import Asked, Network, reply

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
NOW = 1_800_000_000_000
SECRET = 'a "secret"'
HEAD = """
import decimal
import app
from app import DeliveryError, NetworkFailed, hookimpl

class Mine(DeliveryError):
    def __init__(self, message):
        Exception.__init__(self, message)

@hookimpl
def send_report(report, http, now):
    if report.reporter != "studio":
        return None
    def ask(**options):
        return http.request("POST", "https://studio.example/in", body=report.body, **options)
"""
Send = Callable[..., Sent]


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def send(
    open_service: Callable[..., Guerdon], add_plugin: Callable[..., str], network: Network
) -> Send:
    """Send a report of studio's, by a plugin whose send_report ends with `deed`."""

    def send_it(deed: str, reporter: str = "studio", body: bytes = b"{}") -> Sent:
        guerdon = open_service(rewards="", plugins=add_plugin(f"{HEAD}    {deed}\n"))
        report = Report(reporter, "paid", "v1", body, 7, 1)
        return send_one(guerdon.plugins, network, report, NOW, [SECRET])

    return send_it


def test_it_works(send: Send, network: Network) -> None:
    network.answer = lambda asked: reply('{"a" : 1}')

    sent = send("return app.read_reply(ask(), now)", body=b"the bytes")

    assert network.asked == [Asked("https://studio.example/in", b"the bytes")]
    assert (sent.reply, sent.error, sent.status) == ('{"a" : 1}', "", 200)
    assert json.loads(sent.answer) == {"a": 1}
    assert [sent.is_permanent, sent.is_down, sent.is_unsent] == [False] * 3
    assert sent.latency >= 0


@pytest.mark.parametrize(
    ("text", "deed", "kept"),
    [
        ('{ "n":1.10,\n"é": "\\u00e9" }', "app.read_reply(ask(), now)", None),
        ('{"id": 12345678901234567890}', "app.read_reply(ask(), now)", None),
        ('{"lone": "\\ud800"}', "app.read_reply(ask(), now)", None),
        ('{"a":1,"a":2}', "app.read_reply(ask(), now)", None),
        ('{"a": 1}', "app.read_reply(ask(), now) | {'b': 2}", '{"a":1,"b":2}'),
        ("thanks", "{'status': ask().status}", '{"status":200}'),
        ("[1]", "ask() and {}", "{}"),
        ("{}", "{'rate': decimal.Decimal('1.10'), 'lone': chr(0xD800)}",
         '{"rate":"1.10","lone":"\\ud800"}'),
    ],
)  # fmt: skip
def test_a_reply_is_kept_as_the_platform_sent_it_or_as_the_reporter_made_it(
    send: Send, network: Network, text: str, deed: str, kept: str | None
) -> None:
    network.answer = lambda asked: reply(text)

    sent = send(f"return {deed}")

    assert (sent.reply, sent.error) == (kept or text, "")
    assert sent.reply
    assert sent.reply.encode()


@pytest.mark.parametrize(
    ("deed", "expected"),
    [
        ('raise DeliveryError("later", retry_in=7)', {"error": "later", "retry_in": 7}),
        ('raise DeliveryError("never", permanent=True)', {"error": "never", "is_permanent": True}),
        ('raise DeliveryError("odd", permanent="no")', {"error": "odd"}),
        ('raise DeliveryError("")', {"error": "it failed"}),
        ('raise DeliveryError("x" * 900)', {"error": "x" * 500}),
        ('raise DeliveryError(chr(0xD800))', {"error": "\\ud800"}),
        ('raise NetworkFailed("no answer")', {"error": "no answer"}),
        ('raise LookupError("the key")', {"error": "send_report of studio failed: LookupError"}),
        ("raise RecursionError", {"error": "send_report of studio failed: RecursionError"}),
        ("raise SystemExit(3)", {"error": "send_report of studio failed: SystemExit"}),
        ('raise Mine("mine")', {"error": "mine"}),
        ('raise DeliveryError("x", retry_in=10**400)', {"error": "x"}),
        ('raise DeliveryError("x", retry_in=-10**400)', {"error": "x"}),
        ('raise DeliveryError("x", retry_in=float("nan"))', {"error": "x"}),
        ('raise DeliveryError("x", retry_in="7")', {"error": "x"}),
        ('raise DeliveryError("x", retry_in=True)', {"error": "x"}),
        ("return [1]", {"error": "its reporter returned no reply, a dict"}),
        ("return 'ok'", {"error": "its reporter returned no reply, a dict"}),
        ("return {'x': {1, 2}}", {"error": "its reporter returned a reply that is no JSON"}),
        ("return {'x': float('nan')}", {"error": "its reporter returned a reply that is no JSON"}),
        ("return {(1, 2): 3}", {"error": "its reporter returned a reply that is no JSON"}),
    ],
)  # fmt: skip
def test_whatever_a_reporter_does_wrong_is_a_failure_in_words(
    send: Send, deed: str, expected: dict[str, Any]
) -> None:
    sent = send(deed)

    found = {name: getattr(sent, name) for name in ("error", "retry_in", "is_permanent")}
    assert found == {"retry_in": None, "is_permanent": False} | expected
    assert sent.reply is None
    assert not sent.is_unsent
    assert (sent.status, sent.answer) == (None, "")


def test_a_report_that_no_plugin_sends_is_unsent(send: Send, network: Network) -> None:
    sent = send("return {}", reporter="nobody")

    assert sent.is_unsent
    assert not sent.is_down
    assert sent.error == "no plugin that is switched on sends the reports of nobody"
    assert network.asked == []


@pytest.mark.parametrize("status", [200, 503])
def test_who_asks_and_returns_nothing_has_sent_and_failed(
    send: Send, network: Network, status: int
) -> None:
    network.answer = lambda asked: reply(status=status)

    sent = send("ask()")

    assert not sent.is_unsent
    assert (sent.reply, sent.error) == (None, "its reporter returned no reply, a dict")
    assert (sent.status, sent.is_down, sent.is_permanent) == (status, status == 503, False)


@pytest.mark.parametrize("make", ["'x' * size", "'é' * size", "['x'] * size"])
def test_a_reply_too_large_to_keep_is_final(send: Send, make: str) -> None:
    sent = send(f"size = {LARGEST_REPLY}; return {{'x': {make}}}")

    assert (sent.reply, sent.is_permanent) == (None, True)
    assert sent.error.startswith("it arrived, but its reporter returned more than 1048576")


def test_a_reply_of_the_largest_size_is_kept(send: Send) -> None:
    sent = send(f"return {{'x': 'y' * ({LARGEST_REPLY} - 8)}}")

    assert (len(sent.reply or ""), sent.error) == (LARGEST_REPLY, "")


@pytest.mark.parametrize(
    "raising", ['KeyError(f"no id in {said} for {report.body}")', "SystemExit(str(said))"]
)
def test_what_a_plugin_quotes_of_reply_and_body_stands_in_no_log(
    send: Send, network: Network, capsys: pytest.CaptureFixture[str], raising: str
) -> None:
    network.answer = lambda asked: reply('{"token": "theirs-1", "more": "hush-hush"}')
    body = b'{"ss_token": "hush-hush", "deep": [{"appSecret": "body-2"}]}'

    sent = send(f"said = app.read_reply(ask(), now); raise {raising}", body=body)

    logged = capsys.readouterr().err
    assert "send_report failed" in logged
    assert "Traceback" in logged
    for hidden in ("theirs-1", "hush-hush", "body-2"):
        assert hidden not in logged + sent.error + sent.answer


def test_credentials_that_a_plugin_quotes_from_its_own_request_stand_in_no_log(
    send: Send, capsys: pytest.CaptureFixture[str]
) -> None:
    headers = "{'Authorization': 'Basic Ym9iOnNlY3JldA=='}"

    send(f"headers = {headers}; ask(headers=headers); raise KeyError(headers['Authorization'])")

    logged = capsys.readouterr().err
    assert "Traceback" in logged
    assert "Ym9iOnNlY3JldA==" not in logged


@pytest.mark.parametrize(
    ("status", "is_down"),
    [(200, False), (302, False), (400, False), (401, False), (404, False), (408, True),
     (429, True), (500, True), (503, True), (None, True)],
)  # fmt: skip
def test_nobody_is_there_where_nothing_answers_or_all_is_too_much(
    send: Send, network: Network, status: int | None, is_down: bool
) -> None:
    def answer(asked: Asked) -> HttpResponse:
        if status is None:
            raise NetworkFailed("no connection")
        return reply("[]", status)

    network.answer = answer

    sent = send("return app.read_reply(ask(), now)")

    assert (sent.status, sent.is_down, sent.reply) == (status, is_down, None)
    assert sent.error


def test_of_several_requests_the_last_tells(send: Send, network: Network) -> None:
    def answer(asked: Asked) -> HttpResponse:
        if len(network.asked) > 1:
            raise NetworkFailed("no connection")
        return reply()

    network.answer = answer

    sent = send("ask(); return app.read_reply(ask(), now)")

    assert (sent.status, sent.answer, sent.is_down) == (None, "", True)


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize(
    "wrap", ['{{"said": {}}}', "<b>{}</b>", "{}", '[{}, "cut', '{{"a": [[{}]]}}']
)
def test_no_secret_stands_in_what_is_kept(
    send: Send, network: Network, status: int, wrap: str
) -> None:
    said = f"you sent hush-hush with Basic Ym9iOnBhc3M= and {SECRET}"
    network.answer = lambda asked: reply(wrap.format(json.dumps(said)), status)
    body = json.dumps({"deep": [{"ss_token": "hush-hush"}]}).encode()

    sent = send(
        'answer = ask(headers={"AUTHORIZATION": "Basic Ym9iOnBhc3M="})\n'
        "    if answer.status == 200: return {}\n"
        "    raise DeliveryError(answer.body.decode())",
        body=body,
    )

    assert "***" in sent.answer
    assert (sent.error == "") is (status == 200)
    for hidden in ("hush-hush", "Ym9iOnBhc3M=", 'a "secret', 'a \\"secret'):
        assert hidden not in sent.answer + sent.error


@pytest.mark.parametrize(
    "body",
    [
        b"\xff" * 9000,
        "é".encode() * 5000,
        b"x" * 4095 + "😀".encode(),
        b'{"lone": "\\ud800"}',
        b'{"a":' * 700 + b"1" + b"}" * 700,
        b"[" * 30_000,
        b"\x00",
        b"",
    ],
)
def test_any_answer_can_be_kept_and_is_at_most_4_KiB(
    send: Send, network: Network, body: bytes
) -> None:
    network.answer = lambda asked: reply(body, 400)

    sent = send("return app.read_reply(ask(), now)")

    assert sent.error.startswith("it answered 400")
    assert len(sent.answer.encode()) <= 4096
    assert len(sent.answer.encode()) >= min(len(body), 4090)


@pytest.mark.parametrize("body", [b"no JSON", b"\xff", b"[" * 100_000, b'{"token": 5}', b""])
def test_any_body_can_be_sent(send: Send, network: Network, body: bytes) -> None:
    assert send("return app.read_reply(ask(), now)", body=body).reply == '{"ok": 1}'


@pytest.mark.usefixtures("database_url")
def test_only_who_was_asked_or_may_be_asked_again_can_be_down() -> None:
    recorder = RecordedHttp(Network())

    assert not seems_down(recorder, is_permanent=True)  # the reporter refused it by itself
    assert seems_down(recorder, is_permanent=False)
    for status, is_down in ((200, False), (404, False), (429, True), (503, True)):
        recorder.last = HttpResponse(status, {}, b"")
        assert seems_down(recorder, is_permanent=False) == is_down
    recorder.last, recorder.is_asked = None, True
    assert seems_down(recorder, is_permanent=True)
