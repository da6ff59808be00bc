"""gunicorn's inner names that we reach for are there, and nothing of ours is loaded before its workers."""

import inspect
import subprocess
import sys

import gunicorn
import pytest
from gunicorn import util
from gunicorn.arbiter import Arbiter
from gunicorn.config import KNOWN_SETTINGS
from gunicorn.glogging import Logger
from gunicorn.http import message
from gunicorn.http.body import Body
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.ggevent import GeventWorker
from gunicorn.workers.workertmp import WorkerTmp

from tests.world.servers import ROOT

LOADED = """
import runpy, sys
runpy.run_path("config/gunicorn.conf.py")
ours = {name for name in sys.modules if name.split(".")[0] in ("app", "plugins", "wsgi")}
theirs = {"peewee", "urllib3", "requests", "structlog", "flask"} & set(sys.modules)
print(sorted(name for name in ours if not name.startswith("app.serving")), sorted(theirs))
"""


def test_it_works() -> None:
    """A module that was loaded before gevent patches the standard library keeps what it took of it."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout == "['app', 'app.interrupting'] []\n"


def test_it_was_read_against_this_gunicorn() -> None:
    assert gunicorn.version_info[0] == 27, "read app/serving/ anew, then name the version there"


@pytest.mark.parametrize(
    ("place", "name", "arguments"),
    [
        (GeventWorker, "handle", ["listener", "client", "addr"]),
        (GeventWorker, "handle_request", ["listener_name", "req", "sock", "addr"]),
        (GeventWorker, "init_signals", []),
        (GeventWorker, "load_wsgi", []),
        (Arbiter, "manage_workers", []),
        (Arbiter, "reload", []),
        (WorkerTmp, "last_update", []),
        (WorkerTmp, "notify", []),
        (Logger, "setup", ["cfg"]),
        (Logger, "warning", ["msg", "args", "kwargs"]),
        (message.Request, "set_body_reader", []),
        (message.Request, "should_close", []),
        (message.Request, "force_close", []),
        (util, "http_date", ["timestamp"]),
    ],
)
def test_what_we_put_our_own_in_place_of_is_called_as_ever(
    place: object, name: str, arguments: list[str]
) -> None:
    known = list(inspect.signature(getattr(place, name)).parameters)

    assert [argument for argument in known if argument != "self"] == arguments


def test_the_classes_that_are_exchanged_are_still_looked_up_there() -> None:
    assert "Body(" in inspect.getsource(message.Request.set_body_reader)
    assert "mesg_class" in inspect.getsource(RequestParser.__mro__[1])
    assert "self.max_body_chunk" in inspect.getsource(SocketUnreader) or hasattr(
        SocketUnreader, "max_body_chunk"
    )
    assert "reader" in inspect.signature(Body.__init__).parameters
    hooks = {"on_starting", "when_ready", "pre_request", "post_worker_init", "worker_exit"}
    assert hooks <= {setting.name for setting in KNOWN_SETTINGS}
