"""Reward plugins that are wrong, each in one way that its author would not notice on his machine."""

from typing import NamedTuple

HEAD = """
import socket, sqlite3, threading, time, datetime
from marshmallow import Schema, fields
from peewee import CharField, IntegerField, IntegrityError, Model
from app import hookimpl

class Xp(Model):
    player_id = CharField(64, unique=True)
    xp = IntegerField(default=0)

class XpReward(Schema):
    xp = fields.Integer(load_default=30, strict=True)

@hookimpl
def plugin_models():
    return [Xp]

@hookimpl
def reward_schemas():
    return {"xp": XpReward}

def add(player, xp):
    row, _ = Xp.get_or_create(player_id=player.key)
    row.xp += xp
    row.save()
    return {"xp": row.xp}
"""
USUAL = """
@hookimpl
def grant_reward(reward, player, db):
    if reward.kind != "xp":
        return None
    DEED
    return add(player, 30)
"""


class Wrong(NamedTuple):
    """A plugin, the clause of the contract that notices it, and what its author is told."""

    code: str
    clause: str
    sentence: str


def does(deed: str) -> str:
    """One that does something before it gives."""
    return HEAD + USUAL.replace("DEED", deed)


REMEMBERS = HEAD + "totals = {}\n" + USUAL.replace(
    "DEED",
    "row, _ = Xp.get_or_create(player_id=player.key)\n"
    "    row.xp = totals[player.key] = totals.get(player.key, 0) + 30\n"
    "    row.save()\n"
    "    return {}",
)  # fmt: skip
WRONG = {
    "another connection": Wrong(
        does("sqlite3.connect(':memory:').close()"),
        "test_inside_it_touches_our_database_alone",
        r"xp.py, line \d+, opens a connection of its own.*: do that outside",
    ),
    "commit": Wrong(does("db.commit()"), "test_a_vote_is_paid", "vote v1 was not paid: .*commit"),
    "sleep": Wrong(
        does("time.sleep(0.01)"),
        "test_inside_it_touches_our_database_alone",
        r"xp.py, line \d+, sleeps",
    ),
    "network": Wrong(
        does("\n    with __import__('contextlib').suppress(OSError):"
             "\n        socket.create_connection(('127.0.0.1', 9), 0.1).close()"),
        "test_inside_it_touches_our_database_alone",
        "speaks to the network",
    ),
    "receipt": Wrong(
        HEAD + USUAL.replace("DEED", "return {**add(player, 30), 'at': datetime.date.min}"),
        "test_a_vote_is_paid",
        r"its receipt is no JSON \(Object of type date is not JSON serializable\): make it text",
    ),
    "memory": Wrong(REMEMBERS, "test_votes_of_one_player_add_up", "keep nothing between calls"),
    "memory of what was undone": Wrong(
        REMEMBERS, "test_what_fails_leaves_nothing", "remembered between calls"
    ),
    "swallowed error": Wrong(
        HEAD + USUAL.replace(
            "DEED",
            "try:\n        Xp.create(player_id=player.key, xp=30)\n"
            "    except IntegrityError:\n        pass\n    return {}",
        ),
        "test_a_vote_is_paid",
        "vote v2 was not paid|a second vote gave nothing: is an error swallowed",
    ),
    "another's kind": Wrong(
        HEAD + "@hookimpl\ndef grant_reward(player):\n    return add(player, 30)\n",
        "test_it_answers_for_its_own_kinds_alone",
        "let grant_reward return None unless reward.kind is yours",
    ),
    "import": Wrong(
        HEAD + "threading.Thread(target=print).start()\n" + USUAL.replace("DEED", "pass"),
        "test_importing_it_does_nothing",
        r"xp.py, line \d+, starts a thread: do it in a hook",
    ),
    "blocking": Wrong(
        does("threading.Event().wait(0.3)"),
        "test_inside_it_touches_our_database_alone",
        r"each call waits 0\.[3-9]\d s for something",
    ),
    "clock": Wrong(
        does("time.time()"), "test_time_is_an_argument", r"calls time.time\(\): take .* `now`"
    ),
    "parameters": Wrong(
        does("pass").replace('{"xp": XpReward}', '{"xp": Anything}').replace(
            "class XpReward",
            "class Anything(Schema):\n    class Meta:\n        unknown = 'include'\n\nclass XpReward",
        ),
        "test_parameters_are_checked_at_the_start",
        "no_such_parameter.* is taken: let the schema in reward_schemas refuse it",
    ),
    "a change that cannot be run again": Wrong(
        does("pass") + """
@hookimpl
def plugin_migrations():
    return {"add level": lambda db: db.execute_sql("ALTER TABLE xp ADD COLUMN xp INTEGER")}
""",
        "test_its_tables_are_made_once",
        '"add level" of plugin_migrations, run again, fails: .* look first, as add_column does',
    ),
    "nothing": Wrong(
        HEAD + "@hookimpl\ndef grant_reward(reward):\n    return {} if reward.kind == 'xp' else None\n",
        "test_a_vote_is_paid",
        "it gave nothing: no row",
    ),
}  # fmt: skip
