"""What the chapters below the pages say in English, the catalogue of spoken sentences knows."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from app.guerdon import Guerdon
from app.languages import add_languages
from app.rules.reading import read_rules
from app.rules.sentences import say_rule
from app.spoken.saying import find_sentence, say
from tests.laws.test_cookbook import CALENDAR, RECIPES
from tests.world.servers import ROOT

ENGLISH = re.compile(r"[A-Za-z]{2,}[,:]? [a-z]{2,}")
IN_CHINESE = {"Accept-Language": "zh-CN"}
# Who says why something waits, was refused, was not paid; what of it is no sentence by itself, or on no page.
SPEAKERS: dict[str, set[str]] = {
    "app/fitness/writing.py": set(),
    "app/fitness/readiness.py": set(),
    "app/fitness/inspection.py": {"; is it your game's own? then name it in [players] table"},
    "app/fitness/gate.py": set(),
    "app/fitness/durability.py": {
        "7 is 7: a power cut can leave torn pages, and whole tables with them",
        "7 is 7: when 7 fails, the last second of paid votes is lost",
        "7 is OFF: when the server fails, the whole database is lost",
        "debug_no_sync is ON: a power cut loses what is paid",
        "innodb_flush_method is 7: a power cut loses what is paid",
        "or say `durable = false` in [database], if paid votes may be lost with it",
        "sync_binlog is 7 and log_bin is ON: after a power cut, commits that the binary log lost are undone",
        "the server or its machine",
        "the server's machine",
    },
    "app/doctor/watching.py": {"mkdir -p 7; chown guerdon 7"},
    "app/doctor/secrets.py": {"openssl rand -hex 24"},
    "app/doctor/process.py": {
        "7: none serves",
        "7: they wait for each other",
        "^Max open files\\s+\\S+\\s+(\\S+)",
    },
    "app/doctor/network.py": {
        "7, in plain for all to read",
        "7; its certificate lasts 7 days",
        "curl -w '%{time_total}' 7/   (from this host)",
    },
    "app/doctor/findings.py": {"guerdon check"},
    "app/doctor/examining.py": {"guerdon check"},
    "app/doctor/database.py": {
        "ahead of",
        "guerdon check",
        "this host's clock is 7 s 7 the database's",
    },
    "app/doctor/boxes.py": {
        "7 7 given up",
        "7 7, the oldest since 7",
        "guerdon 7 list   (says why)",
        "guerdon dispatch",
        "guerdon serve",
    },
    "app/doctor/backups.py": {"guerdon restore-check 7"},
    "app/alarms/conditions.py": set(),
    "app/counting/deciding.py": {
        ", and no mark is left",
        "came after the ranking was closed:",
        "counts in the ranking:",
        "the 7 is counted already",
    },
    "app/counting/limits.py": {"for all"},
    "app/counting/verdicts.py": set(),
    "app/dashboard/errands.py": set(),
    "app/dashboard/slots.py": {"others are at it: try again in a moment"},
    "app/delivering/console.py": set(),
    "app/delivering/courier.py": set(),
    "app/delivering/resolving.py": set(),
    "app/delivering/store.py": set(),
    "app/history/acts.py": set(),
    "app/history/filters.py": set(),
    "app/history/qualifiers.py": set(),
    "app/history/reports.py": set(),
    "app/history/timeline.py": {
        ", signed with 7",
        "7 7 to 7 by the rule 7; the plugin 7 says 7",
        "7 had it paid by the rules of then: 7",
        "it earned nothing: no rule is for 7 on server 7 with these facts",
        "it earned nothing: the same player had one at 7",
    },
    "app/network/client.py": set(),
    "app/network/rcon.py": set(),
    "app/network/websockets.py": {"websocket-client is missing: pip install 'guerdon[webrcon]'"},
    "app/paying/fetching.py": set(),
    "app/paying/granting.py": set(),
    "app/paying/ledger.py": {
        "grant_reward, whose receipt is no JSON",
        "grant_reward, whose receipt is too long",
        "is longer than 7 characters",
        "is not a string",
        "is not valid Unicode",
        "more than 7 bytes",
        "the event's 7 7",
    },
    "app/paying/payments.py": set(),
    "app/paying/players.py": set(),
    "app/paying/recipients.py": {"whoever wraps it"},
    "app/paying/repaying.py": set(),
    "app/porch/commands.py": {
        "is needed where a check is to find out",
        "must be 1 to 32 of A-Z a-z 0-9 _ . -",
        "must be one line, without control characters",
    },
    "app/porch/http.py": {
        ": are the credentials right?",
        ": may these credentials do that?",
        "the body is longer than 7 bytes",
        "the body is nested too deeply",
        "the body is not valid Unicode",
    },
    "app/privacy/erasing.py": {". Wait for it, or end it by --cancel", "unpaid deliveries"},
    "app/privacy/erasures.py": {"erase player"},
    "app/privacy/open_work.py": set(),
    "app/reconciling/listing.py": set(),
    "app/reconciling/reconciler.py": {"reconcile and heal"},
    "app/reporting/queue.py": {
        "it returned no Report",
        "it returned no list",
        "its 7 has a space at an end, or what is not printable",
        "its 7 is not a string of 1 to 7 characters",
        "its body is not bytes, at most 7",
        "that wraps it",
    },
    "app/reporting/sender.py": set(),
    "app/reporting/store.py": set(),
    "app/rules/when.py": {
        "asks nothing: say from, to, days or hours, or leave it out",
        "days are of 7",
        'hours are two, as ["18:00", "22:00"]',
        "must be a day, as 2026-12-31",
        'must be an hour, as "18:00"',
        "not on a 7",
    },
    "app/upkeep/acts.py": {"retry event", "retry report", "stop act"},
    "app/upkeep/planning.py": {" AND stripped_at IS NULL", "retry events", "retry reports"},
    "app/upkeep/running.py": set(),
}
SAYS = (ast.Raise, ast.Return, ast.Yield, ast.Assign, ast.AnnAssign)


def read_text(node: ast.AST) -> str | None:
    """What stands in a string, with its gaps filled; None for what is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"\{[\w:%.]*\}", "7", node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(one.value) if isinstance(one, ast.Constant) else "7" for one in node.values
        )
    return None


def list_texts(node: ast.AST) -> Iterator[str]:
    """The strings within, but not those that are parts of another."""
    text = read_text(node)
    if text is not None:
        yield text
        return
    for child in ast.iter_child_nodes(node):
        yield from list_texts(child)


def list_said(path: str) -> set[str]:
    """The English that a file says."""
    tree = ast.parse((ROOT / path).read_text())
    nodes = (node for node in ast.walk(tree) if isinstance(node, SAYS))
    said = {text for node in nodes for text in list_texts(node)}
    return {text for text in said if ENGLISH.search(text) and not re.search(r"\b[A-Z]{4,} ", text)}


@pytest.fixture
def page() -> Iterator[None]:
    """Somebody looks at a page in Chinese."""
    app = Flask(__name__)
    add_languages(app)
    with app.test_request_context(headers=IN_CHINESE):
        yield


def test_it_works(page: None) -> None:
    assert "no player is called 7" in list_said("app/paying/players.py")
    assert say("no player is called Bob") == "没有名为 Bob 的玩家"
    assert say("the game server of a studio says this") == "the game server of a studio says this"


@pytest.mark.parametrize("path", SPEAKERS)
def test_each_sentence_is_known(path: str) -> None:
    unknown = {text for text in list_said(path) if find_sentence(text) is None}

    assert unknown == SPEAKERS[path], "give it to app/spoken, and its Chinese to the catalogue"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_each_rule_is_told_in_chinese(page: None, guerdon: Guerdon, tmp_path: Path) -> None:
    """By every key that a rule may have: each has a recipe."""
    file = tmp_path / "rewards.toml"
    told = {}
    for title, recipe in RECIPES.items():
        file.write_text(CALENDAR + recipe)
        for rule in read_rules(file, guerdon.plugins.kinds).all:
            told[title, rule.name] = say(say_rule(rule))

    assert told
    written = r"“.*?”|\([^()]*\)"  # the rule's name, and what its reward is given
    assert {
        name: text for name, text in told.items() if ENGLISH.search(re.sub(written, "", text))
    } == {}
