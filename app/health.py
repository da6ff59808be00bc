"""GET /healthz: the process lives. GET /readyz: it can pay, found out by asking the database."""

from flask import Blueprint, current_app
from peewee import PeeweeException

from app.errors import DatabaseUnavailable
from app.guerdon import Guerdon

health = Blueprint("health", __name__)

PROBE = bytes(32)  # no event's key


@health.get("/healthz")
def tell_alive() -> dict[str, bool]:
    return {"alive": True}


@health.get("/readyz")
def tell_ready() -> tuple[dict[str, bool | str], int]:
    guerdon: Guerdon = current_app.extensions["guerdon"]
    try:
        guerdon.require_fit_database()
        guerdon.deliveries.look(PROBE)
    except DatabaseUnavailable as error:
        return {"ready": False, "reason": str(error)}, 503
    except PeeweeException as error:
        return {"ready": False, "reason": f"the database failed: {type(error).__name__}"}, 503
    return {"ready": True}, 200
