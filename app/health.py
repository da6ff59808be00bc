"""GET /healthz: the process lives. GET /readyz: it can pay, found out by asking and by writing."""

from flask import current_app
from flask_smorest import Blueprint
from peewee import PeeweeException

from app.answers import Alive, Ready
from app.errors import DatabaseUnavailable
from app.guerdon import Guerdon

health = Blueprint("health", __name__)

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
        return {"ready": False, "reason": str(error)}, 503
    except PeeweeException as error:
        return {"ready": False, "reason": f"the database failed: {type(error).__name__}"}, 503
    return {"ready": True}, 200
