"""guerdon doctor: each thing that is wrong is found, with a remedy, and nothing is done about it."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.backups.making import make_backup
from app.backups.notes import Note, write_note
from app.config.sections import Dispatcher, Network
from app.database.clock import Clock
from app.database.models import Report, Waiting
from app.database.states import BoxState
from app.doctor.database import MIB, judge_cluster, judge_memory
from app.doctor.examining import list_findings
from app.doctor.findings import Check, Finding, Level, run_checks, say_ok
from app.doctor.secrets import KNOWN, judge_values
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.own_signature import check_signature, is_believed
from app.playground import sections, webhook
from app.porch.fields import Secret
from app.testing.deliveries import API_KEY, TOKEN, post_vote
from app.testing.gunicorn import Gunicorn
from app.testing.services import ALL_PLUGINS
from app.testing.vote_api import VoteApi
from tests.network.test_tls import SecurePeer, make_certificate
from tests.world.books import run_apart

Open = Callable[..., Guerdon]
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
OWN_TOKEN = ALL_PLUGINS.replace("{token}", "a-token-that-nobody-else-knows")


def find(guerdon: Guerdon, about: str) -> list[Finding]:
    """What is found of this, from a thread whose connection ends."""
    return [one for one in run_apart(list_findings, guerdon) if one.about == about]


def judge(guerdon: Guerdon, about: str) -> Finding:
    """The worst finding of this."""
    levels = list(Level)
    return max(find(guerdon, about), key=lambda one: levels.index(one.level))


def test_it_works(
    open_service: Open, start_gunicorn: Callable[..., Gunicorn], tmp_path: Path
) -> None:
    """Of a service that runs and was backed up; as lines, and as JSON."""
    guerdon = open_service(plugins=OWN_TOKEN)
    config = guerdon.config.path
    config.write_text(config.read_text().replace(API_KEY, "a-key-of-this-studio-alone"))
    config.chmod(0o600)
    make_backup(guerdon, tmp_path / "copy")
    guerdon.close()
    server = start_gunicorn(config, by_command=True)
    environment = {"GUERDON_CONFIG": str(config), "GUERDON_BIND": f"127.0.0.1:{server.port}"}

    def run(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "app.cli", "doctor", *words]
        return subprocess.run(
            command, check=False, capture_output=True, text=True, env=environment | more
        )

    told = run("--json")
    found = json.loads(told.stdout)
    assert told.stderr == ""
    bad = [one for one in found if one["level"] != "ok"]
    # They stand in the config of this test, and its database's password is short.
    assert {one["about"] for one in bad} == {"secrets"}, bad
    assert told.returncode == 0
    assert {one["about"] for one in found} >= {
        "check", "clock", "database", "room", "dispatcher", "inbox", "reports", "service", "limits",
        "backup", "host of gamemonitoring", "signature",
    }  # fmt: skip
    service = next(one["text"] for one in found if one["about"] == "service")
    assert "2 workers" in service
    lines = run()
    assert "ok       check" in lines.stdout
    assert "→ write { env" in lines.stdout
    assert not [
        word for word in (TOKEN, "of-this-studio", "p%40ss", "p@ss") if word in lines.stdout
    ]


@on_sqlite
def test_a_config_at_fault_is_a_finding_too(open_service: Open, tmp_path: Path) -> None:
    guerdon = open_service()
    path = guerdon.config.path
    path.write_text(f"{path.read_text()}\n[plugins.gold2]\n[inbox]\nretries = 1\n")
    command = [sys.executable, "-m", "app.cli", "doctor", "--json"]
    environment = {"GUERDON_CONFIG": str(path)}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)

    assert done.returncode == 1
    texts = [one["text"] for one in json.loads(done.stdout)]
    assert any("retries" in text for text in texts)
    assert any("gold2" in text for text in texts)


@on_sqlite
def test_what_check_says_it_says_too(open_service: Open) -> None:
    guerdon = open_service()
    guerdon.database.execute_sql("DROP TABLE guerdon_claims")

    assert judge(guerdon, "check").level == Level.FAULT
    assert "guerdon migrate" in judge(guerdon, "check").text


@on_sqlite
def test_secrets_that_everybody_knows_or_may_read_are_found(
    open_service: Open, tmp_path: Path
) -> None:
    guerdon = open_service()
    levels = {one.text: one.level for one in find(guerdon, "secrets")}
    assert any("everybody knows" in text for text in levels)
    path = guerdon.config.path
    assert f"everybody on this machine may read {path}" in levels
    path.chmod(0o640)
    (tmp_path / ".env").touch(0o644)
    texts = [one.text for one in find(guerdon, "secrets")]
    assert f"everybody on this machine may read {tmp_path}/.env" in texts
    assert f"everybody on this machine may read {path}" not in texts
    rules = guerdon.config.rewards_file
    rules.chmod(0o644)
    whole = rules.resolve()
    path.write_text(f'{path.read_text()}\n[rewards]\nfile = "{whole}"\n')
    named = open_guerdon(path)
    try:
        assert not any(str(whole) in one.text for one in find(named, "secrets"))
    finally:
        named.close()
    ours = {*sections.SECRETS.values(), sections.APP_SECRET, webhook.SECRET, TOKEN, API_KEY}
    assert ours <= KNOWN
    [short] = judge_values({"short": Secret("short", "mine")})
    assert (short.level, "short:" in short.text) == (Level.WARNING, False)


@pytest.mark.on_servers
def test_a_host_whose_clock_is_wrong_is_found(open_service: Open) -> None:
    guerdon = open_service()

    def ask() -> int:
        return time.time_ns() // 1_000_000 - 5_000

    assert judge(guerdon, "clock").level == Level.OK
    guerdon.now = Clock(ask=ask)
    found = judge(guerdon, "clock")
    assert (found.level, "5.0 s ahead" in found.text) == (Level.FAULT, True)
    assert "timedatectl" in found.remedy


def test_a_pool_that_is_too_small_for_rules_that_count_is_found() -> None:
    tables = 1900 * MIB

    small = judge_memory(128 * MIB, tables, counts=True)
    assert (small.level, small.remedy.split("   ")[0]) == (
        Level.WARNING, "innodb_buffer_pool_size = 512M",
    )  # fmt: skip
    assert "1,900 MiB of tables, a pool of 128 MiB" in small.text
    assert judge_memory(512 * MIB, tables, counts=True).level == Level.OK
    assert judge_memory(128 * MIB, tables, counts=False).level == Level.OK
    assert judge_memory(128 * MIB, 0, counts=True).level == Level.OK


@pytest.mark.on_servers
def test_the_server_says_how_large_its_pool_and_its_tables_are(open_service: Open) -> None:
    found = judge(open_service(), "memory")

    assert found.level == Level.OK
    assert "a pool of 128 MiB" in found.text


def test_each_state_of_a_cluster_is_judged() -> None:
    well = {
        "wsrep_cluster_size": "3", "wsrep_local_state_comment": "Synced", "wsrep_ready": "ON",
        "wsrep_cluster_status": "Primary", "wsrep_flow_control_paused": "0.01",
    }  # fmt: skip

    def tell(**changes: str) -> list[Level]:
        return [one.level for one in judge_cluster({**well, **changes})]

    assert tell() == [Level.OK]
    assert tell(wsrep_cluster_status="non-Primary") == [Level.FAULT]
    assert tell(wsrep_ready="OFF") == [Level.FAULT]
    assert tell(wsrep_cluster_size="2") == [Level.WARNING]
    assert tell(wsrep_local_state_comment="Joined") == [Level.WARNING]
    assert tell(wsrep_flow_control_paused="0.4") == [Level.OK, Level.WARNING]
    assert list(judge_cluster({"wsrep_cluster_size": "0"})) == []


def test_what_nobody_tries_and_what_was_given_up_is_found(
    open_service: Open, vote_api: VoteApi, clock: Any
) -> None:
    guerdon = open_service()
    vote_api.votes["v1"] = {}
    post_vote(guerdon, "v1")
    assert judge(guerdon, "dispatcher").level == Level.OK
    assert judge(guerdon, "inbox").text.startswith("1 event waits, the oldest since 20")

    clock.advance(3600)
    found = judge(guerdon, "dispatcher")
    assert (found.level, found.remedy) == (Level.FAULT, "guerdon serve")
    assert judge(guerdon, "inbox").level == Level.WARNING
    guerdon.config = replace(guerdon.config, dispatcher=Dispatcher(in_workers=False))
    assert judge(guerdon, "dispatcher").remedy == "guerdon dispatch"

    guerdon.deliveries.retry(1, guerdon.inbox.take_due(1).token)
    with guerdon.database.connection_context():
        Waiting.update(state=BoxState.DEAD).execute()
    assert "the last lease ran until" in judge(guerdon, "dispatcher").text
    dead = judge(guerdon, "inbox")
    assert (dead.level, dead.text) == (Level.WARNING, "1 event was given up")
    assert "guerdon events retry --dead" in dead.remedy
    with guerdon.database.connection_context():
        Report.insert(
            report_key=b"1" * 32, reporter="r", kind="k", key="k", event=1, body=b"", state=BoxState.DEAD,
            due_at=0, lease_token="", lease_until=0, takes=0, sends=0, sends_before=0, last_error="",
            created_at=0, waiting_since=0,
        ).execute()  # fmt: skip
    assert "guerdon reports retry" in judge(guerdon, "reports").remedy


@on_sqlite
def test_backups_that_are_old_or_not_what_they_were_are_found(
    open_service: Open, clock: Any, tmp_path: Path
) -> None:
    guerdon, copy = open_service(), tmp_path / "copy.db"
    assert "made none" in judge(guerdon, "backup").text
    make_backup(guerdon, copy)
    assert judge(guerdon, "backup").level == Level.OK
    copy.write_bytes(copy.read_bytes()[:1000])
    assert "restore-check" in judge(guerdon, "backup").remedy
    clock.advance(30 * 3600)
    assert (judge(guerdon, "backup").level, "30 hours ago" in judge(guerdon, "backup").text) == (
        Level.WARNING, True,
    )  # fmt: skip
    write_note(guerdon.config.path, Note(guerdon.now(), "/elsewhere/copy.db", 5))
    assert judge(guerdon, "backup").level == Level.OK  # it may have been carried elsewhere


@on_sqlite
def test_hosts_that_do_not_answer_or_soon_will_not_are_found(
    open_service: Open,
    vote_api: VoteApi,
    clock: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock.advance(
        (time.time_ns() // 1_000_000 - clock()) / 1000
    )  # certificates go by the real time
    about = "host of gamemonitoring"
    peers, certificates = {}, {}
    for days in (1.5, 7.5, 90.5):
        (folder := tmp_path / str(days)).mkdir()
        certificates[days] = make_certificate(folder, "127.0.0.1", days)
        peers[days] = SecurePeer(certificates[days])
    guerdon = open_service()
    assert judge(guerdon, about).level == Level.OK
    assert vote_api.asked == [""]  # its front page, and no vote

    def point(url: str) -> Finding:
        section = {**guerdon.plugins.settings["gamemonitoring"], "api_url": url}
        guerdon.plugins.settings["gamemonitoring"] = section
        return judge(guerdon, about)

    for days, level in {1.5: Level.FAULT, 7.5: Level.WARNING, 90.5: Level.OK}.items():
        monkeypatch.setenv("SSL_CERT_FILE", str(certificates[days]))
        found = point(peers[days].url)
        assert (found.level, f"lasts {int(days)} days" in found.text) == (level, True), found
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        found = point(address)
        assert (found.level, "no answer" in found.text or "within" in found.text) == (
            Level.FAULT, True,
        )  # fmt: skip
    found = point(address)
    assert (found.level, "cannot be reached" in found.text) == (Level.FAULT, True)
    guerdon.config = replace(guerdon.config, network=Network(only_to=("https://other.example",)))
    assert "is not asked" in judge(guerdon, about).text
    for peer in peers.values():
        peer.close()


@on_sqlite
def test_a_token_that_signs_nothing_is_found(open_service: Open) -> None:
    guerdon = open_service()
    assert [one.level for one in check_signature(guerdon)] == [Level.OK]
    assert is_believed(guerdon, TOKEN)
    assert not is_believed(guerdon, f"{TOKEN} ")
    broken = Secret("\ud800", "broken")
    section = {**guerdon.plugins.settings["gamemonitoring"], "tokens": [broken]}
    guerdon.plugins.settings["gamemonitoring"] = section
    [found] = run_checks(guerdon, [Check("signature", check_signature)])
    assert found.level == Level.FAULT


@on_sqlite
def test_a_check_that_hangs_or_fails_is_told_and_no_secret_is(open_service: Open) -> None:
    guerdon = open_service()

    def hang(guerdon: Guerdon) -> list[Finding]:
        time.sleep(30)
        return []

    def fall(guerdon: Guerdon) -> list[Finding]:
        raise RuntimeError("a-secret")

    def babble(guerdon: Guerdon) -> list[Finding]:
        return [say_ok("babbling", "it is a-secret")]

    checks = [Check("hanging", hang, 0.1), Check("falling", fall), Check("babbling", babble)]
    found = run_checks(guerdon, checks, ["a-secret"])

    assert [(one.about, one.level) for one in found] == [
        ("hanging", Level.FAULT), ("falling", Level.FAULT), ("babbling", Level.OK),
    ]  # fmt: skip
    assert "a-secret" not in str(found)
    assert all(one.remedy for one in found[:2])


@pytest.mark.on_servers
def test_without_its_database_it_says_so_and_goes_on(
    open_service: Open, own_database_server: Any, database_url: str
) -> None:
    server = own_database_server
    guerdon = open_service(url=server.url(server.create_database()))
    guerdon.database.close_all()
    server.stop()

    found = run_apart(list_findings, guerdon)
    levels = {one.about: one.level for one in found}
    assert (levels["check"], levels["inbox"], levels["backup"]) == (
        Level.FAULT, Level.FAULT, Level.WARNING,
    )  # fmt: skip
    server.start()
