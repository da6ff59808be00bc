"""Sends one report, outside any transaction, and says what became of it."""

import json
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from traceback import format_exception
from typing import Any

import structlog

from app.failpoints import reach
from app.host.loading import Plugins
from app.porch.errors import DeliveryError, NetworkFailed
from app.porch.json import dump_json, read_json
from app.porch.masking import SHORTEST_MASKED, cut_text, find_credentials, mask_text
from app.porch.types import Http, HttpAnswer, Report

log = structlog.get_logger()

ANSWER_KEPT = 4096  # bytes
LARGEST_REPLY = 1 << 20  # characters, or bytes
LONGEST_ERROR = 500  # characters
USUAL_TOTAL = 5.0  # seconds, as Http has it
TOO_LATE = "nothing was sent: whoever was to send it was held up, and its lease is over"
OVERLOADED = (408, 429)  # statuses that say "later" as 5xx do


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one send."""

    reply: str | None = None  # JSON, byte for byte where it is the platform's own; None: it failed
    error: str = ""
    is_permanent: bool = False
    retry_in: float | None = None  # seconds
    is_down: bool = False  # nobody there, or nobody who could answer: no fault of this report
    is_unsent: bool = False  # no plugin sends it: nothing has left
    is_late: bool = False  # nor here: the lease was over before anything left
    status: int | None = None  # of the last HTTP answer
    answer: str = ""  # the last HTTP answer, masked
    latency: int = 0  # ms


def never_end() -> float:
    return math.inf


class RecordedHttp:
    """The way out for one send: remembers the last answer, and what must not be shown of it.

    It is shut when the lease is over, and a request ends with the lease at the latest.
    """

    def __init__(self, http: Http, count_left: Callable[[], float] = never_end) -> None:
        self._http = http
        self._count_left = count_left
        self.last: HttpAnswer | None = None
        self.is_asked = self.is_late = False
        self.credentials: set[str] = set()

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> HttpAnswer:
        for name, value in (headers or {}).items():
            if name.lower() == "authorization":
                self.credentials |= {value, *value.split()[1:]}
        reach("sending: before the bytes leave")
        left = self._count_left()
        if left <= 0:
            self.is_late = True
            raise NetworkFailed(TOO_LATE)
        if left < options.get("total", USUAL_TOTAL):
            options["total"] = left
        self.last, self.is_asked = None, True
        self.last = self._http.request(method, url, headers=headers, **options)
        return self.last


def send_one(
    plugins: Plugins,
    http: Http,
    report: Report,
    now: int,
    secrets: Sequence[str],
    count_left: Callable[[], float] = never_end,
) -> Sent:
    """Have a plugin send this report. Never raises for what plugin or platform did wrong.

    `count_left` says, right before anything leaves, how many seconds are left for it to be answered.
    """
    recorder = RecordedHttp(http, count_left)
    quoted = find_body_credentials(report.body)

    def hide(text: str) -> str:
        return mask_text(text, [*quoted, *list_long(recorder.credentials)], secrets)

    began = time.monotonic()
    result = try_to_send(plugins, recorder, report, now, hide)
    if "is_unsent" in result:
        return Sent(**result)
    if recorder.is_late and not recorder.is_asked:
        return Sent(error=TOO_LATE, is_late=True)
    reach("sending: answered, not recorded")
    last = recorder.last
    return Sent(
        **result,
        is_down="reply" not in result and seems_down(recorder, result.get("is_permanent", False)),
        status=last.status if last else None,
        answer=cut_text(hide(read_text(last.body)), ANSWER_KEPT) if last else "",
        latency=int((time.monotonic() - began) * 1000),
    )


def try_to_send(
    plugins: Plugins, recorder: RecordedHttp, report: Report, now: int, hide: Callable[[str], str]
) -> dict[str, Any]:
    """As ask_reporter, whatever the plugin does wrong; `hide` masks what an error may quote."""
    try:
        result = ask_reporter(plugins, recorder, report, now)
    except (Exception, SystemExit) as error:
        told = hide("".join(format_exception(error)))  # it may quote a reply, or the report itself
        of_report = log.bind(reporter=report.reporter, report=report.id)
        of_report.error("send_report failed", exception=told)
        result = {"error": f"send_report of {report.reporter} failed: {type(error).__name__}"}
    if "error" in result and "is_unsent" not in result:
        result["error"] = hide(result["error"])[:LONGEST_ERROR] or "it failed"
    return result


def ask_reporter(
    plugins: Plugins, recorder: RecordedHttp, report: Report, now: int
) -> dict[str, Any]:
    """What a plugin makes of a report: its reply, or why there is none, by the names of Sent."""
    try:
        reply = plugins.hook.send_report(
            report=report, http=recorder, settings=plugins.settings, now=now
        )
        if reply is None and not recorder.is_asked:
            error = f"no plugin that is switched on sends the reports of {report.reporter}"
            return {"error": error, "is_unsent": True}
        return {"reply": dump_reply(reply, recorder.last)}
    except DeliveryError as refused:
        return {
            "error": str(refused),
            "is_permanent": getattr(refused, "permanent", False) is True,
            "retry_in": read_seconds(getattr(refused, "retry_in", None)),
        }
    except NetworkFailed as failed:
        return {"error": str(failed)}


def read_seconds(value: Any) -> float | None:
    """A plugin's retry_in, if it is a number that a clock can hold."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and -1e9 < value < 1e9 else None


def list_long(secrets: Iterable[str]) -> list[str]:
    return [one for one in secrets if len(one) >= SHORTEST_MASKED]


def seems_down(recorder: RecordedHttp, is_permanent: bool) -> bool:
    """Whether a failure was nobody's answer: one that a plugin refuses by itself says nothing of that."""
    if recorder.last is not None:
        return is_overloaded(recorder.last.status)
    return recorder.is_asked or not is_permanent


def is_overloaded(status: int) -> bool:
    return status >= 500 or status in OVERLOADED


def dump_reply(reply: Any, last: HttpAnswer | None) -> str:
    """A reply as JSON: the very text that the platform sent, if that is what the reply says.

    Raises DeliveryError for what is no JSON object.
    """
    if not isinstance(reply, dict):
        raise DeliveryError("its reporter returned no reply, a dict")
    if last is not None:
        try:
            if len(last.body) <= LARGEST_REPLY and read_json(last.body) == reply:
                return last.body.decode()
        except ValueError:
            pass  # not JSON: the reporter made the reply itself
    try:
        text = dump_json(reply)
    except (TypeError, ValueError, RecursionError):
        raise DeliveryError("its reporter returned a reply that is no JSON") from None
    if len(text) > LARGEST_REPLY:
        fault = f"it arrived, but its reporter returned more than {LARGEST_REPLY} characters"
        raise DeliveryError(fault, permanent=True)
    return text


def read_text(body: bytes) -> str:
    return body.decode("utf-8", "replace")


def find_body_credentials(body: bytes) -> list[str]:
    """What stands in a report's JSON as a token: an answer may quote it back."""
    try:
        return list(find_credentials(json.loads(body)))
    except (ValueError, RecursionError):
        return []
