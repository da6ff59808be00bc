"""`guerdon run --reload`: a change is checked first, and taken over only where it is well."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from app.scaffold.studio import write_studio
from app.testing.waiting import wait_until
from tests.world.browsing import Running, run_guerdon

Studio = tuple[Path, Running]


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    """A studio's folder, and `guerdon run --reload` in it."""
    folder = tmp_path / "shop"
    write_studio(folder)
    config = folder / "config" / "guerdon.toml"
    with run_guerdon(tmp_path / "run", "--reload", GUERDON_CONFIG=str(config)) as running:
        running.wait_until_welcome()
        yield folder, running


def vote(running: Running) -> Any:
    """What a vote of Alice's on server 3 earned, by the receipts."""
    answer = requests.post(
        f"{running.playground}/trigger", json={"nickname": "Alice", "server": "3"}, timeout=30
    )
    return [json.loads(grant.partition(": ")[2]) for grant in answer.json()["grants"]]


def test_it_works(studio: Studio) -> None:
    """A plugin and a rule that change are what the next votes meet."""
    folder, running = studio
    assert {"amount": 5} in vote(running)
    plugin = folder / "plugins" / "experience.py"
    plugin.write_text(plugin.read_text().replace('return {"amount"', 'return {"points"'))

    wait_until(lambda: "reloaded after experience.py" in running.log.read_text())
    wait_until(lambda: any("points" in receipt for receipt in vote(running)))
    for site in ("votifier_v2", "pingback"):  # ports and secrets are those of before
        form = {"nickname": "Alice", "site": site}
        page = requests.post(f"{running.playground}/sites/vote", form, timeout=30).text
        assert 'data-state="paid"' in page
    place = f"{running.playground}/sites"
    wait_until(lambda: requests.get(place, timeout=30).text.count('claim done"') == 2)


def test_what_a_change_does_to_the_tables_is_said(studio: Studio) -> None:
    folder, running = studio
    plugin = folder / "plugins" / "experience.py"
    grown = plugin.read_text().replace(
        "    amount = BigIntegerField(default=0)",
        "    amount = BigIntegerField(default=0)\n    level = BigIntegerField(default=1)",
    )
    change = (
        "\n\n@hookimpl\ndef plugin_migrations():\n    return {'add level': lambda db:"
        " add_column(db, 'plugin_experience', 'level', 'INTEGER NOT NULL DEFAULT 1')}\n"
    )
    plugin.write_text(grown.replace("import Player", "import add_column, Player") + change)

    wait_until(lambda: "reloaded after experience.py" in running.log.read_text())
    assert "change experience: add level" in running.log.read_text()
    assert {"amount": 5} in vote(running)


def test_what_is_at_fault_changes_nothing(studio: Studio) -> None:
    """The fault is said, the service goes on as before, and is well again once it is mended."""
    folder, running = studio
    rules = folder / "config" / "rewards.toml"
    before = rules.read_text()
    rules.write_text(before + '[[rules]]\non = "server.vote"\ngive = [{ reward = "gems" }]\n')

    wait_until(
        lambda: "not reloaded after rewards.toml; what runs goes on:" in running.log.read_text()
    )
    assert 'reward "gems"' in running.log.read_text()
    assert {"amount": 5} in vote(running)
    (folder / "plugins" / "experience.py").write_text("def")
    wait_until(lambda: "not reloaded after experience.py" in running.log.read_text())
    assert {"amount": 10} in vote(running)
