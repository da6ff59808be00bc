"""gunicorn's settings where a request has 8 seconds, and a worker minutes for its signs of life.

One setting of gunicorn is for both; a machine that stands still for so long is no worker that hangs.
"""

from typing import Any

from app.serving import hooks
from app.serving.settings import *  # noqa: F403  (gunicorn finds its settings by their names)

timeout = 8
SIGNS_OF_LIFE = 120  # seconds


def on_starting(server: Any) -> None:
    hooks.on_starting(server)
    server.timeout = SIGNS_OF_LIFE
