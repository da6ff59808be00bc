"""G123's level_up: reports it server to server, and keeps the platform's reply for the game's page."""

import base64
from typing import Any

from marshmallow import Schema, fields, validate

import app
from app import Event, Report, Schedule, hookimpl

NAME, LEVEL_UP = "g123", "level_up"
PATH = "/api/v1/cp/game_event/level_up"  # sheet g123, the request
SERVER_FIELDS = [
    "server_id",
    "game_server_id",
]  # the document's table has one, its sample the other


class Section(Schema):
    host = app.HttpAddress(load_default="https://h5.stg.g123.jp")  # staging; live: h5.g123.jp
    app_id = app.ReferableString(required=True, validate=validate.Regexp(r"^[^:]+\Z"))
    app_secret = app.SecretField(required=True)
    server_id_fields = fields.List(
        fields.String(validate=validate.OneOf(SERVER_FIELDS)),
        load_default=SERVER_FIELDS, validate=validate.Length(min=1),
    )  # fmt: skip
    mirror_custom = fields.Boolean(truthy={True}, falsy={False}, load_default=True)
    timeout = fields.Float(load_default=10, validate=validate.Range(min=0.1, max=30))  # seconds
    give_up_after = fields.Float(load_default=86400, validate=validate.Range(min=1))  # seconds


@hookimpl
def settings_schema() -> type[Schema]:
    return Section


@hookimpl
def build_report(event: Event, settings: app.Settings) -> Report | None:
    if event.type != LEVEL_UP or not {"uid", "server_id", "level", "data"} <= event.data.keys():
        return None  # a level of another game than G123's
    section, facts = settings[NAME], dict(event.data)
    server_id, custom = facts.pop("server_id"), facts.pop("custom", {})
    data = dict(facts.pop("data"))
    physical = {"physical_server": {**custom, **data["custom"]}["physical_server"]}
    data["custom"] = {**data["custom"], **physical}
    body = {
        "uid": facts.pop("uid"),
        **dict.fromkeys(section["server_id_fields"], server_id),
        **facts,
        "data": data,
    }
    if section["mirror_custom"]:
        body["custom"] = {**custom, **physical}
    elif custom:
        body["custom"] = custom
    key = app.join_key(section["app_id"], body["uid"], server_id, str(body["level"]))
    return Report(NAME, LEVEL_UP, key, app.dump_json(body).encode())


@hookimpl
def plan_sending(reporter: str, settings: app.Settings) -> Schedule | None:
    if reporter != NAME:
        return None
    return Schedule(first=2, longest=600, give_up_after=settings[NAME]["give_up_after"])


@hookimpl
def send_report(
    report: Report, http: app.Http, settings: app.Settings, now: int
) -> dict[str, Any] | None:
    if report.reporter != NAME:
        return None
    section = settings[NAME]
    user = f"{section['app_id']}:{section['app_secret'].reveal()}".encode()
    headers = {
        "Content-Type": "application/json",
        "Authorization": f"Basic {base64.b64encode(user).decode()}",
    }
    url = section["host"].rstrip("/") + PATH
    answer = http.request("POST", url, body=report.body, headers=headers, total=section["timeout"])
    return app.read_reply(answer, now)
