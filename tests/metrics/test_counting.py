"""What the processes of a real service count, read by another process."""

import base64
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from app.metrics.families import FAMILIES
from app.testing.deliveries import make_delivery
from app.testing.gunicorn import Gunicorn
from app.testing.platforms import Platform, answer_status
from app.testing.waiting import wait_until
from tests.world.servers import ROOT

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SECRET = base64.b64encode(b"of thirty-two bytes, and no more").decode()
BROKEN = """
from app import hookimpl

@hookimpl
def event_settled(event):
    raise ValueError("no luck")
"""
Numbers = dict[tuple[str, ...], float]


def read_numbers(text: bytes) -> Numbers:
    """Each sample by its name and its labels' values, in the order of the labels' names."""
    return {
        (one.name, *(value for _, value in sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text.decode())
        for one in family.samples
    }


def count(studio: Any, outcome: str) -> float:
    numbers = read_numbers(studio.watch.write_metrics())
    return numbers["guerdon_deliveries_total", outcome, "gamemonitoring"]


def deliver(server: Gunicorn, id: str, **changes: Any) -> int:
    body = make_delivery(id, **changes)
    return requests.post(f"{server.url}/webhooks/gamemonitoring", body, timeout=10).status_code


@pytest.fixture
def studio(
    open_service: Callable[..., Any], add_plugin: Callable[..., str], platform: Platform
) -> Any:
    """A studio that tells a platform of each event, and whose plugin fails after each."""
    platform.behave = answer_status(204)
    webhook = f'[plugins.webhook]\nurl = "{platform.url}"\nsecret = "whsec_{SECRET}"\n'
    console = '[plugins.rcon.servers.a]\naddress = "127.0.0.1:9"\npassword = "p"\nservers = ["9"]\n'
    guerdon = open_service(more=add_plugin(BROKEN, "unlucky") + webhook + console)
    guerdon.database.close_all()
    return guerdon


@pytest.fixture
def server(studio: Any, start_gunicorn: Callable[..., Gunicorn]) -> Gunicorn:
    return start_gunicorn(studio.config.path, workers=2)


@on_sqlite
def test_it_works(studio: Any, server: Gunicorn) -> None:
    """Votes over real HTTP, to two workers; every number is where the board looks for it."""
    assert [deliver(server, f"v{n}") for n in range(20)] == [204] * 20
    assert deliver(server, "v1") == 204
    assert deliver(server, "x", token="another") == 401
    assert requests.post(f"{server.url}/webhooks/sneak", b"", timeout=10).status_code == 404

    sent = ("guerdon_report_sends_total", "webhook", "delivered")
    wait_until(lambda: read_numbers(studio.watch.write_metrics())[sent] == 20, 20)
    wait_until(lambda: count(studio, "refused") == 1, 10)  # each worker writes once a second
    text = studio.watch.write_metrics()
    numbers = read_numbers(text)

    came = "guerdon_deliveries_total"
    assert numbers[came, "settled", "gamemonitoring"] == 20
    assert numbers[came, "known", "gamemonitoring"] == 1
    assert numbers[came, "refused", "gamemonitoring"] == 1
    assert numbers[came, "unavailable", "gamemonitoring"] == 0, "each begins with 0"
    assert b"sneak" not in text, "a stranger's word is no label"
    assert numbers["guerdon_delivery_seconds_count", "gamemonitoring"] == 22
    assert numbers["guerdon_fetch_seconds_count", "fetched", "gamemonitoring"] == 20
    assert 0 < numbers["guerdon_commit_seconds_count",] <= 20
    assert numbers["guerdon_grants_total", "gold", "every vote"] == 20
    assert numbers["guerdon_plugin_errors_total", "event_settled", "unlucky"] == 20
    assert numbers["guerdon_inbox_events", "waiting"] == 0
    assert numbers["guerdon_ready",] == 1
    assert numbers["guerdon_report_send_seconds_count", "webhook"] == 20
    assert numbers["guerdon_reporter_paused", "webhook"] == 0
    for family in FAMILIES:
        assert f"# TYPE {family.name} {family.kind}".encode() in text


@on_sqlite
def test_a_killed_worker_takes_no_count_with_it(studio: Any, server: Gunicorn) -> None:
    assert [deliver(server, f"v{n}") for n in range(10)] == [204] * 10
    wait_until(lambda: count(studio, "settled") == 10, 10)
    folder = studio.metrics_folder / "serve"
    pids = {int(path.stem.rpartition("_")[2]) for path in folder.iterdir()}
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: deliver_or_fail(server, "v10") == 204, 30)

    wait_until(lambda: count(studio, "settled") == 11, 10)
    assert not [
        path
        for path in folder.glob("gauge_live*")
        if str(path.stem).endswith(tuple(map(str, pids)))
    ]


def deliver_or_fail(server: Gunicorn, id: str) -> int:
    try:
        return deliver(server, id)
    except requests.ConnectionError:
        return 0


@on_sqlite
def test_a_worker_that_is_told_to_end_writes_what_it_counted(
    studio: Any, start_gunicorn: Callable[..., Gunicorn]
) -> None:
    server = start_gunicorn(studio.config.path, workers=1)
    assert [deliver(server, f"v{n}") for n in range(5)] == [204] * 5

    server.stop()

    assert count(studio, "settled") == 5


@on_sqlite
def test_a_start_forgets_those_who_are_gone_and_nobody_else(
    studio: Any, start_gunicorn: Callable[..., Gunicorn], tmp_path: Path
) -> None:
    """As `guerdon serve` does it; what `guerdon dispatch` counts is not its to forget."""
    folder = tmp_path / "var" / "metrics"
    for kind in ("serve", "dispatch"):
        (folder / kind).mkdir(parents=True)
        (folder / kind / "counter_999999999.db").write_bytes(b"")
        (folder / kind / f"counter_{os.getpid()}.db").write_bytes(b"")

    start_gunicorn(studio.config.path, workers=1, by_command=True)

    assert not (folder / "serve" / "counter_999999999.db").exists()
    assert (folder / "serve" / f"counter_{os.getpid()}.db").exists(), "it lives"
    assert (folder / "dispatch" / "counter_999999999.db").exists()


@on_sqlite
def test_where_it_is_off_nothing_is_written(
    open_service: Callable[..., Any], start_gunicorn: Callable[..., Gunicorn], tmp_path: Path
) -> None:
    guerdon = open_service(more="[metrics]\non = false\n")
    guerdon.database.close_all()

    server = start_gunicorn(guerdon.config.path, workers=1)

    assert deliver(server, "v1") == 204
    assert not (tmp_path / "var" / "metrics").exists()
    assert read_numbers(guerdon.watch.write_metrics())["guerdon_ready",] == 1


@on_sqlite
def test_votes_are_paid_where_nothing_can_be_counted(
    open_service: Callable[..., Any], start_gunicorn: Callable[..., Gunicorn], tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("a file, no folder")
    guerdon = open_service(more='[metrics]\nfolder = "taken/here"\n')
    guerdon.database.close_all()
    log = tmp_path / "log"

    server = start_gunicorn(guerdon.config.path, workers=1, log=log)

    assert deliver(server, "v1") == 204
    assert "nothing is counted" in log.read_text()


def test_gunicorns_arbiter_never_loads_the_library() -> None:
    """It would have a lock there that a signal's handler may meet."""
    script = (
        "import sys, app.serving.settings, app.metrics.families, app.opening\n"
        "assert 'prometheus_client' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)


@on_sqlite
@pytest.mark.parametrize(("left", "warnings"), [(b"", 0), (b"\x01", 1)])
def test_a_file_without_a_number_yet_hides_none_and_a_damaged_one_is_told(
    left: bytes, warnings: int, studio: Any, server: Gunicorn
) -> None:
    """A process that begins just now has a file before it has room for a number."""
    wait_until(lambda: count(studio, "settled") == 0, 10)
    (studio.metrics_folder / "serve" / "counter_1.db").write_bytes(left)

    with capture_logs() as logs:
        text = studio.watch.write_metrics()

    assert (b"guerdon_deliveries_total{" in text) == (not left)
    assert [one["event"] for one in logs].count("counts not read") == warnings
