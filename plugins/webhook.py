"""Posts what was settled to your own URL, in the form of Standard Webhooks (standardwebhooks.com)."""

import base64
import hmac
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

import app
from app import Alert, Event, Grant, Report, Schedule, hookimpl

NAME, PREFIX = "webhook", "whsec_"


class SigningSecret(app.SecretField):
    """whsec_ and base64, as Standard Webhooks writes its secrets."""

    def _deserialize(self, *args: Any, **kwargs: Any) -> app.Secret:
        secret = super()._deserialize(*args, **kwargs)
        with suppress(ValueError):
            if decode(secret):
                return secret
        raise ValidationError("must be whsec_ followed by base64")


class Section(Schema):
    url = app.HttpAddress(required=True)
    secret = SigningSecret(required=True)
    types = fields.List(fields.String())  # the event types to post; absent: all
    timeout = fields.Float(load_default=10, validate=validate.Range(0.1, 30))  # seconds


def decode(secret: app.Secret) -> bytes:
    text = secret.reveal().removeprefix(PREFIX)
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


@hookimpl
def settings_schema() -> type[Schema]:
    return Section


@hookimpl
def build_report(
    event: Event, grants: Sequence[Grant], settings: app.Settings, now: int
) -> Report | None:
    if event.type not in settings[NAME].get("types", [event.type]):
        return None
    given = [
        {
            "reward": grant.reward.kind,
            "params": grant.reward.params,
            "receipt": grant.receipt,
            "nickname": grant.player.nickname,
            "player_id": grant.player.key,
            "rule": grant.rule,
        }
        for grant in grants
    ]
    parts = ("source", "type", "id", "server_id", "nickname", "user_id")
    data = {name: getattr(event, name) for name in parts}
    data |= {"facts": app.mask_tokens(event.data), "grants": given}
    body = {"type": "event.settled", "timestamp": app.format_time(now), "data": data}
    key = app.join_key(event.source, event.type, event.id)
    return Report(NAME, "event.settled", key, app.dump_json(body).encode())


@hookimpl
def build_alert(alert: Alert, now: int) -> Report:
    data = {name: getattr(alert, name) for name in ("name", "about", "summary")}
    data["since"] = app.format_time(alert.since)
    types = {"alert": "alert.fired", "recovered": "alert.recovered"}
    body = {"type": types[alert.kind], "timestamp": app.format_time(now), "data": data}
    return Report(NAME, alert.kind, alert.key, app.dump_json(body).encode())


@hookimpl
def plan_sending(reporter: str) -> Schedule | None:
    return Schedule(first=5, longest=3600, give_up_after=3 * 86400) if reporter == NAME else None


@hookimpl
def send_report(
    report: Report, http: app.Http, settings: app.Settings, now: int
) -> dict[str, Any] | None:
    if report.reporter != NAME:
        return None
    section, id_, stamp = settings[NAME], f"guerdon_{report.id}", str(now // 1000)
    signed = f"{id_}.{stamp}.".encode() + report.body
    signature = base64.b64encode(hmac.digest(decode(section["secret"]), signed, "sha256")).decode()
    headers = {
        "Content-Type": "application/json",
        "webhook-id": id_,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{signature}",
    }
    url, total = section["url"], section["timeout"]
    answer = http.request("POST", url, body=report.body, headers=headers, total=total)
    if not 200 <= answer.status < 300:
        wanted = app.read_retry_after(answer, now)
        raise app.DeliveryError(f"it answered {answer.status}", retry_in=wanted)
    return {"status": answer.status}
