"""SIGHUP with a real gunicorn: what is well is taken over, what is not keeps the workers paying."""

import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from app.guerdon import Guerdon
from app.testing.deliveries import make_delivery
from app.testing.gunicorn import Gunicorn
from app.testing.services import REWARDS
from app.testing.waiting import wait_until

Open = Callable[..., Guerdon]
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
REFUSED = "not reloaded, the workers go on as before: "


@pytest.fixture
def service(
    open_service: Open, start_gunicorn: Callable[..., Gunicorn]
) -> tuple[Guerdon, Gunicorn]:
    """Two workers that pay 100 gold a vote, and a Guerdon to read the books with."""
    guerdon = open_service()
    guerdon.database.close_all()
    server = start_gunicorn(guerdon.config.path)
    wait_until(lambda: all(map(has_database, server.list_workers())), 60)
    return guerdon, server


def has_database(worker: int) -> bool:
    """Whether a worker has begun to work: its dispatcher looks for what waits."""
    with suppress(OSError):
        return any(
            "guerdon.db" in str(fd.readlink()) for fd in Path(f"/proc/{worker}/fd").iterdir()
        )
    return False


def vote(server: Gunicorn, id: str) -> int:
    body = make_delivery(id)
    return requests.post(f"{server.url}/webhooks/gamemonitoring", data=body, timeout=20).status_code


def read_gold(guerdon: Guerdon) -> str:
    with guerdon.database.connection_context():
        [[gold]] = guerdon.database.execute_sql("SELECT gold FROM players").fetchall()
    guerdon.database.close_all()
    return f"{gold:.2f}"


def hang_up(server: Gunicorn) -> None:
    assert server.process is not None
    server.process.send_signal(signal.SIGHUP)


def wait_for_others(server: Gunicorn, old: list[int]) -> None:
    """Until there are two workers, and none of these."""
    wait_until(lambda: len(now := server.list_workers()) == 2 and not set(now) & set(old), 60)
    wait_until(lambda: all(map(has_database, server.list_workers())), 60)


def test_it_works(service: tuple[Guerdon, Gunicorn]) -> None:
    guerdon, server = service
    old = server.list_workers()
    assert vote(server, "v1") == 204
    guerdon.config.rewards_file.write_text(REWARDS.replace("100.00", "7.00"))

    hang_up(server)
    wait_for_others(server, old)

    assert vote(server, "v2") == 204
    assert read_gold(guerdon) == "107.00"
    assert REFUSED not in server.log.read_text()


MISTAKES = {
    "a rule": ("rewards.toml", ('amount = "100.00"', 'ammount = "100.00"'), 'did you mean "amount"?'),
    "a setting": ("guerdon.toml", ("[plugins.gold]", "[plugins.golf]"), 'did you mean "gold"?'),
    "what only the database knows": (
        "guerdon.toml", ("[plugins.gold]", "[plugins.gold]\ncolumn = 'coins'"), "no column coins",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_keeps_the_workers_paying_until_it_is_mended(
    service: tuple[Guerdon, Gunicorn], mistake: str
) -> None:
    guerdon, server = service
    name, (right, wrong), fault = MISTAKES[mistake]
    path = guerdon.config.path.with_name(name)
    text = path.read_text()
    old = server.list_workers()
    path.write_text(text.replace(right, wrong))

    hang_up(server)
    wait_until(lambda: REFUSED in server.log.read_text(), 60)

    lines = [line for line in server.log.read_text().splitlines() if REFUSED in line]
    assert fault in json.loads(lines[0])["event"].partition(REFUSED)[2]
    assert server.list_workers() == old
    assert vote(server, "v1") == 204
    path.write_text(text)
    guerdon.config.rewards_file.write_text(REWARDS.replace("100.00", "7.00"))
    hang_up(server)
    wait_for_others(server, old)
    assert vote(server, "v2") == 204
    assert read_gold(guerdon) == "107.00"
    assert server.log.read_text().count(REFUSED) == 1


def test_a_worker_that_dies_over_a_mistake_ends_nobody_else(
    service: tuple[Guerdon, Gunicorn],
) -> None:
    """Nobody asked for a reload; a worker was killed, as by the system for want of memory."""
    guerdon, server = service
    first, second = server.list_workers()
    guerdon.config.rewards_file.write_text("[[rules]]\n")
    os.kill(first, signal.SIGKILL)
    wait_until(
        lambda: "this worker cannot start, and is started again" in server.log.read_text(), 60
    )

    assert "rule 1: on: is missing" in server.log.read_text()
    assert vote(server, "v1") == 204
    guerdon.config.rewards_file.write_text(REWARDS)
    os.kill(second, signal.SIGKILL)
    wait_for_others(server, [first, second])
    assert vote(server, "v2") == 204
    assert read_gold(guerdon) == "200.00"


SECOND_IS_SLOW = """
import time
from pathlib import Path
from app import hookimpl

@hookimpl
def event_settled(event):
    pass

before = Path({folder!r})
number = len(list(before.iterdir()))
(before / str(number)).touch()
time.sleep(3 * (number == 2))  # after the test and the first worker
"""


def test_a_mistake_before_the_second_worker_serves_ends_not_the_first(
    open_service: Open, start_gunicorn: Callable[..., Gunicorn], add_plugin: Callable[..., str],
    tmp_path: Path,
) -> None:  # fmt: skip
    """As it is made while `guerdon run --reload` welcomes: the service has begun."""
    (tmp_path / "imports").mkdir()
    slow = add_plugin(SECOND_IS_SLOW.format(folder=str(tmp_path / "imports")), "slow")
    guerdon = open_service(more=slow)
    guerdon.database.close_all()
    server = start_gunicorn(guerdon.config.path)
    guerdon.config.rewards_file.write_text("[[rules]]\n")

    wait_until(lambda: "this worker cannot start" in server.log.read_text(), 60)

    assert vote(server, "v1") == 204
    guerdon.config.rewards_file.write_text(REWARDS)
    wait_until(lambda: len(now := server.list_workers()) == 2 and all(map(has_database, now)), 60)


def test_a_mistake_at_the_start_still_ends_it(write_config: Any, tmp_path: Path) -> None:
    server = Gunicorn(write_config(rewards="[[rules]]\n"), by_command=True)
    server.start(wait=False)
    assert server.process is not None
    started = time.monotonic()

    assert server.process.wait(60) == 1
    assert "rule 1: on: is missing" in server.log.read_text()
    print(f"ended after {time.monotonic() - started:.1f} s")


SLOW = """
import time
from app import hookimpl

@hookimpl
def event_settled(event):
    pass

time.sleep(2)
"""


def test_a_mistake_that_is_made_after_the_checks_keeps_the_old_workers_paying(
    open_service: Open, start_gunicorn: Callable[..., Gunicorn], add_plugin: Callable[..., str]
) -> None:
    """The new workers read all once more as they start, first plugins and then rules; nobody has left."""
    guerdon = open_service(more=add_plugin(SLOW, "slow"))
    guerdon.database.close_all()
    server = start_gunicorn(guerdon.config.path)
    old = set(server.list_workers())

    hang_up(server)
    # What checks is a child too; then there are two more, which import the plugin for two seconds.
    wait_until(lambda: len(server.list_workers()) == 4, 60)
    guerdon.config.rewards_file.write_text("[[rules]]\n")
    wait_until(lambda: REFUSED in server.log.read_text(), 60)

    assert "this worker cannot start" in server.log.read_text()
    wait_until(lambda: set(server.list_workers()) == old)
    assert vote(server, "v1") == 204
    guerdon.config.rewards_file.write_text(REWARDS.replace("100.00", "7.00"))
    hang_up(server)
    wait_for_others(server, list(old))
    assert vote(server, "v2") == 204
    assert read_gold(guerdon) == "107.00"


ONE_FAILS = """
from pathlib import Path
from app import hookimpl

@hookimpl
def event_settled(event):
    pass

armed = Path({armed!r})
if armed.exists() and "app.serving" in Path("/proc/self/cmdline").read_text():
    if "check-config" not in Path("/proc/self/cmdline").read_text():
        try:
            armed.with_suffix(".one").touch(exist_ok=False)
        except FileExistsError:
            raise RuntimeError("the second of them cannot") from None
"""


def test_where_one_new_worker_cannot_start_no_old_one_ends(
    open_service: Open, start_gunicorn: Callable[..., Gunicorn], add_plugin: Callable[..., str],
    tmp_path: Path,
) -> None:  # fmt: skip
    """The other new one, which serves already, takes a while to end, and is none too many meanwhile."""
    armed = tmp_path / "armed"
    guerdon = open_service(more=add_plugin(ONE_FAILS.format(armed=str(armed)), "one"))
    guerdon.database.close_all()
    server = start_gunicorn(guerdon.config.path)
    old = set(server.list_workers())
    armed.touch()

    hang_up(server)
    wait_until(lambda: REFUSED in server.log.read_text(), 60)

    assert "the second of them cannot" in server.log.read_text()
    time.sleep(2.5)  # the arbiter counts its workers each second
    assert set(server.list_workers()) == old
    assert vote(server, "v1") == 204


def test_a_worker_that_gunicorn_itself_cannot_start_ends_nobody(
    guerdon_services: Any, tmp_path: Path
) -> None:
    """As where a hook in a studio's own gunicorn.conf.py raises: the checks do not call it."""
    guerdon = guerdon_services.open()
    guerdon.database.close_all()
    settings = tmp_path / "gunicorn.conf.py"
    settings.write_text("from app.serving.settings import *\n")
    server = Gunicorn(guerdon.config.path, by_command=True)
    server.start()
    try:
        old = set(server.list_workers())
        settings.write_text(
            "from app.serving.settings import *\ndef post_fork(server, worker):\n    raise KeyError('hook')\n"
        )

        hang_up(server)
        wait_until(lambda: REFUSED in server.log.read_text(), 60)

        assert set(server.list_workers()) == old
        assert vote(server, "v1") == 204
    finally:
        server.stop()


NEEDS_A_WORD = """
import sys
import time
from pathlib import Path
from app import hookimpl

@hookimpl
def event_settled(event):
    pass

is_check = any("check" in word for word in sys.argv)
while not is_check and not Path({word!r}).exists():
    time.sleep(0.05)
"""


def test_no_vote_waits_for_workers_that_start_slowly(
    open_service: Open,
    start_gunicorn: Callable[..., Gunicorn],
    add_plugin: Callable[..., str],
    tmp_path: Path,
) -> None:
    """They start when twenty votes were paid: a vote that waited for them would wait in vain."""
    (word := tmp_path / "word").touch()
    section = add_plugin(NEEDS_A_WORD.format(word=str(word)), "slow")
    guerdon = open_service(more=section)
    guerdon.database.close_all()
    server = start_gunicorn(guerdon.config.path)
    old = server.list_workers()

    word.unlink()
    hang_up(server)
    wait_until(lambda: len(server.list_workers()) == 4)  # what checks is one alone
    for number in range(20):
        assert vote(server, f"v{number}") == 204
    assert set(old) <= set(server.list_workers())
    word.touch()

    wait_for_others(server, old)
    assert vote(server, "last") == 204
    assert read_gold(guerdon) == "2100.00"
