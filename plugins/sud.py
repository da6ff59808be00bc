"""Sud's game_start and game_settle: sent to an app's server, and received as such a server."""

import re
from secrets import token_urlsafe
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

import app

NAME, TYPES, LARGEST = "sud", ("game_start", "game_settle"), 1 << 20  # bytes of a body
CUTS = {"report_game_info_extras": 1024, "report_game_info_key": 64}  # bytes (sheet, Request)
HEADERS = ("Sud-AppId", "Sud-Timestamp", "Sud-Nonce", "Sud-Signature")
SIGNATURE = re.compile("[0-9a-f]{40}")
UNSIGNED, BAD_TOKEN, OLD_TOKEN = 1002, 1004, 1005  # sdk_error_code (sheet, Reply)


class Section(Schema):
    report_url = app.HttpAddress(load_default="")  # the app's server; without it nothing is sent
    app_id = app.ReferableString(load_default="")
    app_secret = app.SecretField(load_default=None)
    retry_delays = fields.List(fields.Float(validate=validate.Range(0)), load_default=[60, 60, 60])
    timeout = fields.Float(load_default=10, validate=validate.Range(0.1, 30))  # seconds
    unsigned = fields.Boolean(truthy={True}, falsy={False}, load_default=False)
    verify_ss_token = fields.Boolean(truthy={True}, falsy={False}, load_default=False)
    max_age = fields.Float(load_default=0, validate=validate.Range(0))  # seconds; 0: any age

    @validates_schema
    def check_pair(self, section: dict[str, Any], **kwargs: Any) -> None:
        pair = (section["app_id"], section["app_secret"])
        if not all(pair) and any((*pair, section["verify_ss_token"])):
            raise ValidationError("goes with app_id, and verify_ss_token needs both", "app_secret")
        if section["unsigned"] and all(pair):
            raise ValidationError(
                "true means reports without app_secret: take one away", "unsigned"
            )
        if not (section["unsigned"] or all(pair) or section["report_url"]):
            fault = "is needed to check reports; unsigned = true takes them from anybody"
            raise ValidationError(fault, "app_secret")


@app.hookimpl
def settings_schema() -> type[Schema]:
    return Section


@app.hookimpl
def event_types() -> dict[str, app.EventType]:
    return app.describe_game_events(*TYPES)


@app.hookimpl
def build_report(event: app.Event, settings: app.Settings) -> app.Report | None:
    is_round = event.type in TYPES and not event.earns  # a round as a whole, not one of its players
    if not is_round or event.source == NAME or not settings[NAME]["report_url"]:
        return None  # what we were told this way is not sent on
    message = dict(event.data["report_msg"])
    message |= {key: app.cut_text(message[key], CUTS[key]) for key in CUTS.keys() & message.keys()}
    body = {**event.data, "report_type": event.type, "report_msg": message}
    return app.Report(NAME, event.type, event.id, app.dump_json(body).encode())


@app.hookimpl
def plan_sending(reporter: str, settings: app.Settings) -> app.Schedule | None:
    return app.Schedule(delays=settings[NAME]["retry_delays"]) if reporter == NAME else None


@app.hookimpl
def send_report(report: app.Report, http: app.Http, settings: app.Settings, now: int) -> Any:
    if report.reporter != NAME:
        return None
    section, headers = settings[NAME], {"Content-Type": "application/json"}
    if section["app_secret"]:
        parts = [section["app_id"], str(now // 1000), token_urlsafe(12)]
        signature = app.sign_lines(section["app_secret"], [*parts, report.body], "sha1")
        headers |= zip(HEADERS, [*parts, signature], strict=True)
    url, total = section["report_url"], section["timeout"]
    answer = http.request("POST", url, body=report.body, headers=headers, total=total)
    reply = app.read_reply(answer, now) if answer.status == 200 else {}
    code, said = reply.get("ret_code"), reply.get("ret_msg")
    if type(code) is not int or code != 0:
        raise app.DeliveryError(f"it answered {answer.status}, ret_code {code}: {said}")
    return reply


@app.hookimpl
def read_delivery(source: str, request: "app.Request", settings: app.Settings, now: int) -> Any:
    if source != NAME:
        return None
    section = settings[NAME]
    if not section["unsigned"]:  # who only sends has no secret, and takes nothing
        check_signature(section, section["app_secret"], request, now)
    body = app.read_json_object(request, LARGEST, app.read_float)
    if section["verify_ss_token"]:  # a settle that came late is not lost: its headers are signed
        claims, token = {"app_id": section["app_id"], "uid": body.get("uid")}, body.get("ss_token")
        until = None if body.get("report_type") == "game_settle" else now
        app.check_token(token, section["app_secret"], claims, until, BAD_TOKEN, OLD_TOKEN)
    return app.read_game_delivery(NAME, body.get("report_type"), {**body, "ss_token": ""})


def check_signature(section: Any, secret: Any, request: "app.Request", now: int) -> None:
    """Raise BadSignature for whoever did not sign these bytes; nothing is parsed before."""
    stamp, nonce, given = (request.headers.get(name, "") for name in HEADERS[1:])
    if not secret or not SIGNATURE.fullmatch(given):  # so the body is not even read
        raise app.BadSignature("there is no Sud-Signature, or no app_secret is set", UNSIGNED)
    lines = [section["app_id"], stamp, nonce, app.read_body(request, LARGEST)]
    if not app.is_signature(given, secret, lines, "sha1"):
        raise app.BadSignature("the Sud-Signature is wrong: is this the app's secret?", UNSIGNED)
    if section["max_age"] and not app.is_fresh(stamp, now, section["max_age"]):
        raise app.BadSignature("the Sud-Timestamp is not of now", UNSIGNED)


@app.hookimpl
def write_reply(source: str, outcome: app.Outcome) -> "app.Response | None":
    failed = {"ret_code": outcome.status, "ret_msg": outcome.reason}
    failed |= {"sdk_error_code": outcome.code} if outcome.code else {}
    reply = {"ret_code": 0, "ret_msg": ""} if outcome.is_done else failed
    response = app.Response(app.dump_json(reply | {"data": {}}), mimetype="application/json")
    return response if source == NAME else None
