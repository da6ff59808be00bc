"""GET /healthz: the process lives. GET /readyz: it can pay, found out by asking and by writing."""

from flask import current_app, request
from flask_smorest import Blueprint
from peewee import PeeweeException

from app.config.api_keys import find_key
from app.guerdon import Guerdon
from app.porch.errors import DatabaseUnavailable
from app.web.answers import Alive, Ready

health = Blueprint("health", __name__)

UNTOLD = "the database does not answer, or is not fit: guerdon check says why, guerdon migrate may mend it"
PROBE = bytes(32)  # no event's key


@health.get("/healthz", tags=["Health"])
@health.response(200, Alive)
def tell_alive() -> dict[str, bool]:
    """The process lives."""
    return {"alive": True}


@health.get("/readyz", tags=["Health"])
@health.response(200, Ready)
@health.alt_response(503, schema=Ready, description="It cannot pay now; `reason` says why")
def tell_ready() -> tuple[dict[str, bool | str], int]:
    """It can pay: the database answers a real query, its tables are current, and it keeps a write."""
    guerdon: Guerdon = current_app.extensions["guerdon"]
    try:
        guerdon.require_fit_database()
        guerdon.deliveries.look(PROBE)
        guerdon.readiness.require()
    except DatabaseUnavailable as error:
        return {"ready": False, "reason": tell_reason(guerdon, str(error))}, 503
    except PeeweeException as error:
        reason = f"the database failed: {type(error).__name__}"
        return {"ready": False, "reason": tell_reason(guerdon, reason)}, 503
    return {"ready": True}, 200


def tell_reason(guerdon: Guerdon, reason: str) -> str:
    """Names of tables and columns are for those with a key that may read."""
    key = find_key(request.headers.get("Authorization", ""), guerdon.config.api.keys)
    return reason if key and "read" in key.scopes else UNTOLD
