"""What Prometheus and Grafana are given: tried by promtool, and compared with what /metrics really shows."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.alarms.conditions import CONDITIONS
from app.metrics.families import FAMILIES
from app.testing.requiring import require
from tests.world.servers import ROOT

DEPLOY = ROOT / "deploy"
RULES, BOARD = DEPLOY / "prometheus-rules.yml", DEPLOY / "grafana" / "guerdon.json"
SERVICE = """
[database]
url = "sqlite:///guerdon.db"
[plugins.gamemonitoring]
tokens = ["t"]
[plugins.gold]
[plugins.promo_codes]
[plugins.webhook]
url = "http://127.0.0.1:9"
secret = "whsec_c2VjcmV0"
[plugins.rcon.servers.survival]
address = "127.0.0.1:9"
password = "p"
servers = ["1"]
"""
REWARDS = """
[[rules]]
name = "every vote"
on = "server.vote"
give = [{ reward = "gold", amount = "1.00" }]
"""
# It counts, as a worker does; a process of its own, for counting never ends.
COUNTING = """
import sys
from pathlib import Path
from app.opening import open_guerdon
from plugins.promo_codes import PromoCode
guerdon = open_guerdon(Path("guerdon.toml"))
guerdon.migrate()
PromoCode.create(pool="coffee", code="one")
guerdon.start_measuring("serve")
sys.stdout.buffer.write(guerdon.watch.write_metrics())
guerdon.close()
"""
NAME = re.compile(r"\bguerdon_[a-z0-9_]+\b")
PYTHON_ONLY = {"GuerdonDown", "GuerdonNotReady"}  # which could not be told through the database


def promtool(*words: str, text: str = "") -> None:
    require(shutil.which("promtool"), "prometheus")
    command = ["promtool", *words]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What /metrics shows of a service that has just begun."""
    folder = tmp_path_factory.mktemp("counting")
    (folder / "guerdon.toml").write_text(SERVICE)
    (folder / "rewards.toml").write_text(REWARDS)
    done = subprocess.run(
        [sys.executable, "-c", COUNTING], check=False, capture_output=True, text=True, cwd=folder,
        env={"PATH": "", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def names(shown: str) -> set[str]:
    return set(re.findall(r"^# TYPE (\S+)", shown, re.MULTILINE))


def list_panels() -> list[Any]:
    return list(json.loads(BOARD.read_text())["panels"])


def list_targets() -> Iterator[str]:
    for panel in list_panels():
        yield from (target["expr"] for target in panel["targets"])


def test_it_works() -> None:
    """The rules are rules, and each alert fires where its test says, and only there."""
    promtool("check", "rules", str(RULES))
    promtool("test", "rules", str(DEPLOY / "prometheus-rules.test.yml"))


def test_what_is_shown_is_well_formed(shown: str, names: set[str]) -> None:
    promtool("check", "metrics", text=shown)
    assert {one.name for one in FAMILIES} <= names


@pytest.mark.parametrize(
    "path", [RULES, DEPLOY / "prometheus-rules.test.yml", BOARD, ROOT / "docs" / "operating.md"]
)
def test_every_number_that_is_named_is_shown(path: Path, names: set[str]) -> None:
    text = path.read_text()
    if path.suffix == ".md":
        text = re.split(r"(?m)^## ", text.partition("## What to watch\n")[2])[0]
    named = {re.sub(r"_(bucket|count|sum)$", "", one) for one in NAME.findall(text)}

    assert named - names == set()
    assert len(named) > 5


def test_every_number_is_on_the_board() -> None:
    told = " ".join(list_targets())

    assert [one.name for one in FAMILIES if one.name not in told] == []


def test_the_board_asks_in_a_language_that_prometheus_knows(tmp_path: Path) -> None:
    known = {"$__rate_interval": "5m", '"$job"': '".*"', '"$instance"': '".*"'}
    lines = ["groups:", "- name: board", "  rules:"]
    for number, expression in enumerate(list_targets()):
        asked = re.sub("|".join(map(re.escape, known)), lambda found: known[found[0]], expression)
        assert "$" not in asked
        lines += [f"  - record: panel:{number}", f"    expr: {json.dumps(asked)}"]
    rules = tmp_path / "rules.yml"
    rules.write_text("\n".join(lines))

    promtool("check", "rules", str(rules))


def test_the_board_can_be_taken_over_anywhere() -> None:
    """Its data source is a choice, not the one of whoever drew it."""
    board = json.loads(BOARD.read_text())

    assert (board["id"], board["uid"]) == (None, "guerdon")
    assert [one["name"] for one in board["templating"]["list"]] == ["datasource", "job", "instance"]
    sources = re.findall(r'"uid": "([^"]*)"', BOARD.read_text())
    assert set(sources) == {"${datasource}", "guerdon"}
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))


def test_the_same_is_told_without_prometheus() -> None:
    alerts = set(re.findall(r"alert: (\w+)", RULES.read_text()))

    assert {one.name for one in CONDITIONS} == alerts - PYTHON_ONLY
