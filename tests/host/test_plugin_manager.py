"""Plugins: found, checked whole at the start, asked in the right order, and kept in their bounds."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.database.models import Event as EventRow
from app.database.models import Grant, OwnPlayer, Waiting
from app.guerdon import Guerdon
from app.paying.settler import Work
from app.porch.errors import ConfigError
from app.porch.types import Event
from app.testing.deliveries import get_v1, post_vote
from app.testing.players import add_player
from tests.world.servers import ROOT

Open = Callable[..., Guerdon]
AddPlugin = Callable[..., str]
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PETS = """
    from marshmallow import Schema, fields
    from peewee import CharField, Model
    import pluggy

    hookimpl = pluggy.HookimplMarker("guerdon")

    class {name}(Model):
        player = CharField(64)
        name = CharField(64, unique=True)
        class Meta:
            table_name = "studio_{kind}"

    class Pet(Schema):
        name = fields.String(required=True)

    @hookimpl
    def plugin_models():
        return [{name}]

    @hookimpl
    def reward_schemas():
        return {{"{kind}": Pet}}

    @hookimpl
    def grant_reward(reward, player, event):
        if reward.kind == "{kind}":
            name = reward.params["name"] + event.id
            {name}.create(player=player.id, name=name)
            return {{"pet": name}}

    @hookimpl
    def describe_player(player):
        mine = {name}.select().where({name}.player == str(player.id))
        return {{"{kind}": [pet.name for pet in mine]}}
"""


def rule(*gifts: str) -> str:
    return f'[[rules]]\nname = "a vote"\non = "server.vote"\ngive = [{", ".join(gifts)}]\n'


GOLD = '{ reward = "gold", amount = "1.00" }'


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Install a distribution with one module and its entry points in the group guerdon."""
    site = tmp_path / "site"
    site.mkdir()
    modules = []

    def install(module: str, source: str, **entries: str) -> Path:
        (site / f"{module}.py").write_text(textwrap.dedent(source))
        info = site / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        lines = [f"{name} = {value}" for name, value in entries.items()]
        (info / "entry_points.txt").write_text("\n".join(["[guerdon]", *lines]) + "\n")
        monkeypatch.syspath_prepend(str(site))
        modules.append(module)
        return site

    yield install
    for module in modules:
        sys.modules.pop(module, None)


def list_faults(open_service: Open, more: str, **kwargs: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        open_service(more=more, **kwargs)
    return list(caught.value.faults)


def count(guerdon: Guerdon, model: Any) -> int:
    with guerdon.database.connection_context():
        return int(model.select().count())


def gold_of(guerdon: Guerdon, nickname: str = "Bob") -> str:
    with guerdon.database.connection_context():
        return f"{OwnPlayer.get(OwnPlayer.nickname == nickname).gold:.2f}"


def test_it_works(open_service: Open, add_plugin: AddPlugin, install: Any) -> None:
    """A plugin dropped into plugins/ and an installed one bring tables and pay, like ours."""
    section = add_plugin(PETS.format(name="Cat", kind="cats"), "studio_cats")
    install("studio_dogs", PETS.format(name="Dog", kind="dogs"), kennel="studio_dogs")
    rewards = rule('{ reward = "cats", name = "Tom" }', '{ reward = "dogs", name = "Rex" }', GOLD)
    guerdon = open_service(rewards=rewards, more=section + "[plugins.kennel]")

    assert [post_vote(guerdon, id).status_code for id in ("1", "2", "2")] == [204, 204, 204]

    bob = get_v1(guerdon, "/players/Bob")
    assert (bob["cats"], bob["dogs"], bob["gold"]) == (["Tom1", "Tom2"], ["Rex1", "Rex2"], "2.00")
    paid = [(grant["plugin"], grant["receipt"].get("pet")) for grant in bob["grants"][:3]]
    assert paid == [("gold", None), ("kennel", "Rex2"), ("studio_cats", "Tom2")]
    origins = {origin.name: origin for origin in guerdon.plugins.origins}
    assert origins["studio_cats"].place == "plugins/studio_cats.py"
    assert origins["kennel"].place == "studio_dogs of studio_dogs"
    assert not origins["kennel"].is_shipped
    assert origins["vip"].is_shipped
    assert "plugin_models" in origins["kennel"].hooks


def test_a_plugins_table_is_looked_for_before_paying(
    open_service: Open, add_plugin: AddPlugin
) -> None:
    section = add_plugin(PETS.format(name="Cat", kind="cats"), "studio_cats")
    guerdon = open_service(more=section)
    guerdon.database.execute_sql("DROP TABLE studio_cats")

    [fault] = guerdon.inspect()
    assert "studio_cats" in fault
    assert "guerdon migrate" in fault
    assert post_vote(guerdon, "v1").status_code == 503
    assert guerdon.migrate() == ["table studio_cats", "index studio_cats (name)"]
    assert guerdon.inspect() == []


@on_sqlite
def test_a_file_is_taken_before_an_entry_point(
    open_service: Open, add_plugin: AddPlugin, install: Any
) -> None:
    section = add_plugin("from app import hookimpl\n@hookimpl\ndef commands(): return []\n", "both")
    install("elsewhere", "raise RuntimeError", both="elsewhere")

    guerdon = open_service(more=section)

    assert [o.place for o in guerdon.plugins.origins if o.name == "both"] == ["plugins/both.py"]


@on_sqlite
def test_an_entry_point_may_be_a_class(open_service: Open, install: Any) -> None:
    source = """
        import pluggy
        hookimpl = pluggy.HookimplMarker("guerdon")

        class Studio:
            def __init__(self):
                self.paid = 0
            @hookimpl
            def grant_reward(self, reward, batch):
                batch.gather(self.write, 1)
                self.paid += 1
                return {"paid": self.paid}
            def write(self, rows, db, settings):
                assert rows == [1]
    """
    install("studio_class", source, studio="studio_class:Studio")
    guerdon = open_service(rewards=rule(GOLD), more="[plugins.studio]")

    post_vote(guerdon, "v1")

    assert get_v1(guerdon, "/players/Bob")["grants"][0]["receipt"] == {"paid": 1}


@on_sqlite
def test_an_absent_section_is_not_imported(write_config: Any) -> None:
    path = write_config(rewards="", plugins="")
    code = (
        "import sys; from pathlib import Path; from app.opening import open_guerdon;"
        f"open_guerdon(Path({str(path)!r}));"
        "print([name for name in sys.modules if name.startswith('plugins.')])"
    )

    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True)

    assert done.stdout.strip() == "[]", done.stderr


HOOK = "from app import hookimpl\n@hookimpl\n"
BAD_PLUGINS = {
    "nothing of a plugin": ("x = 1", "answers no hook; mark its functions with @hookimpl"),
    "a misspelt hook": (f"{HOOK}def grant_rewards(reward): ...", "did you mean grant_reward?"),
    "an unknown argument": (f"{HOOK}def grant_reward(reward, evnt): ...", "{'evnt'}"),
    "a syntax error": ("def :", "plugins/studio.py cannot be imported: SyntaxError"),
    "an import that fails": ("import nowhere_to_be_found", "ModuleNotFoundError"),
    "an error on import": ("1 / 0", "ZeroDivisionError"),
    "a hook that raises": (f"{HOOK}def reward_schemas(): 1 / 0", "reward_schemas() failed"),
    "no settings schema": (f"{HOOK}def settings_schema(): return 5", "settings_schema"),
    "no models": (f"{HOOK}def plugin_models(): return 5", "plugin_models"),
    "no kinds": (f"{HOOK}def reward_schemas(): return ['x']", "reward_schemas"),
}


@on_sqlite
@pytest.mark.parametrize("case", BAD_PLUGINS)
def test_a_bad_plugin_stops_the_start_and_is_named(
    open_service: Open, add_plugin: AddPlugin, case: str
) -> None:
    source, fault = BAD_PLUGINS[case]

    faults = list_faults(open_service, add_plugin(source))

    assert len(faults) == 1, faults
    assert fault in faults[0]
    assert "studio" in faults[0]


@on_sqlite
def test_an_unknown_argument_is_not_taken_for_a_misspelt_hook(
    open_service: Open, add_plugin: AddPlugin
) -> None:
    [fault] = list_faults(open_service, add_plugin(f"{HOOK}def grant_reward(evnt): ..."))
    assert "grant_reward may take: reward, event, player, db, settings, batch, now" in fault

    assert "grant_reward" in fault
    assert "did you mean" not in fault


@on_sqlite
@pytest.mark.parametrize(
    ("section", "fault"),
    [
        ("[plugins.promo_code]", 'there is neither a file plugins/promo_code.py nor an entry point'
         ' "promo_code" in the group "guerdon"; did you mean "promo_codes"?'),
        ("[plugins.weather]", 'no plugin answers to it: there is neither a file plugins/weather.py'),
        ("[plugins.'a.b']", 'no plugin answers to it: there is neither a file plugins/a.b.py'),
        ("[plugins.kenel]", 'did you mean "kennel"?'),
        ("[plugins.kennel]", "cannot be imported: ZeroDivisionError"),
        ("[plugins.house]", "cannot be imported: ZeroDivisionError"),
    ],
)  # fmt: skip
def test_a_section_nobody_answers_is_named_with_a_guess(
    open_service: Open, install: Any, section: str, fault: str
) -> None:
    source = "class House:\n    def __init__(self):\n        1 / 0\ndef __getattr__(name): 1 / 0\n"
    install("studio_dogs", source, kennel="studio_dogs:Kennel", house="studio_dogs:House")

    faults = list_faults(open_service, section)

    assert len(faults) == 1, faults
    assert fault in faults[0]
    assert section.strip("[]").replace("'", "") in faults[0]
    assert "guerdon.toml" in faults[0]


SETTINGS = f"""
from marshmallow import Schema, fields
{HOOK}def settings_schema():
    return Section
class Section(Schema):
    color = fields.String(required=True)
"""


@on_sqlite
def test_wrong_settings_of_a_studios_plugin_are_named(
    open_service: Open, add_plugin: AddPlugin
) -> None:
    section = add_plugin(SETTINGS)

    faults = list_faults(open_service, f"{section}colour = 'red'")

    assert any("[plugins.studio] color: is missing" in fault for fault in faults), faults
    assert any("[plugins.studio] colour: is not a setting we know" in fault for fault in faults)
    [fault] = list_faults(open_service, section + "color = 5")
    assert "[plugins.studio] color: must be a string" in fault
    settings = open_service(more=section + "color = 'red'").plugins.settings
    assert settings["studio"]["color"] == "red"


KIND = """
    from marshmallow import Schema, fields
    from app import hookimpl

    class Coins(Schema):
        coins = fields.Integer(required=True)

    @hookimpl
    def reward_schemas():
        return {{"{kind}": Coins}}

    @hookimpl
    def grant_reward(reward, db, player):
        if reward.kind == "{kind}":
            db.execute_sql("UPDATE players SET gold = gold + 7")
            return {{"coins": reward.params["coins"]}}
"""


@on_sqlite
def test_nobody_takes_the_name_of_what_is_built_in(open_service: Open, install: Any) -> None:
    install("studio_posing", "from app import hookimpl", **{"game-server": "studio_posing"})

    [fault] = list_faults(open_service, "[plugins.game-server]")

    assert fault.endswith("[plugins.game-server] has the name of what is built in")


@on_sqlite
def test_two_plugins_of_a_studio_cannot_give_the_same_kind(
    open_service: Open, add_plugin: AddPlugin
) -> None:
    sections = [add_plugin(KIND.format(kind="gold"), name) for name in ("studio_a", "studio_b")]

    faults = list_faults(open_service, "".join(sections), rewards="")

    assert faults == [
        'reward "gold": the plugins studio_a and studio_b both give it; switch one off'
    ]


def test_a_studios_plugin_takes_gold_over(open_service: Open, add_plugin: AddPlugin) -> None:
    section = add_plugin(KIND.format(kind="gold"))

    guerdon = open_service(rewards=rule('{ reward = "gold", coins = 3 }'), more=section)

    assert post_vote(guerdon, "v1").status_code == 204
    assert gold_of(guerdon) == "7.00"
    [grant] = get_v1(guerdon, "/events/server.vote/v1")["grants"]
    assert (grant["plugin"], grant["receipt"]) == ("studio", {"coins": 3})
    faults = list_faults(open_service, section, rewards=rule(GOLD))
    assert any('reward "gold": amount: is not a setting we know' in fault for fault in faults)


OWN_GOLD = """
    from marshmallow import EXCLUDE, INCLUDE, Schema, fields
    from app import hookimpl

    class Coins(Schema):
        {fields}

    @hookimpl
    def reward_schemas():
        return {{"gold": Coins}}

    @hookimpl
    def grant_reward(reward, db, player):
        if reward.kind == "gold":
            return {{"paid": reward.params.get("amount", 0)}}
"""


@on_sqlite
@pytest.mark.parametrize(
    "fields",
    [
        "amount = fields.Decimal()",
        'amount = fields.Decimal(required=True, metadata={"title": "gold"})',
        "amount = fields.Float(); note = fields.String()",
        'coins = fields.String(data_key="amount")',
        "class Meta: unknown = INCLUDE",  # takes whatever is written
    ],
)
def test_what_a_studios_schema_shares_with_ours_keeps_our_check(
    open_service: Open, add_plugin: AddPlugin, fields: str
) -> None:
    section = add_plugin(OWN_GOLD.format(fields=fields))

    assert open_service(rewards=rule('{ reward = "gold", amount = "2" }'), more=section)
    for amount in ('"-1"', '"0"', '"1e15"'):
        gold = f'{{ reward = "gold", amount = {amount} }}'
        [fault] = list_faults(open_service, section, rewards=rule(gold))
        assert 'rule 1 "a vote": reward "gold": amount: must be more than 0' in fault
        assert "(studio takes it over; what has our name keeps our check)" in fault


@on_sqlite
def test_a_studios_schema_decides_what_else_a_kind_of_ours_takes(
    open_service: Open, add_plugin: AddPlugin
) -> None:
    """Ours' required parameter may be missing, and one of another name may be anything."""
    section = add_plugin(
        OWN_GOLD.format(fields="amount = fields.Decimal(); debt = fields.Decimal()")
    )

    gifts = ('{ reward = "gold" }', '{ reward = "gold", debt = "-5" }')
    guerdon = open_service(rewards=rule(*gifts), more=section)
    assert [list(reward.params) for reward in guerdon.rules.rewards] == [[], ["debt"]]

    both = '{ reward = "gold", amount = "-1", dept = 1 }'
    faults = list_faults(open_service, section, rewards=rule(both))
    assert ["amount: must be more than 0" in fault for fault in faults] == [False, True]
    assert 'reward "gold": dept: is not a setting we know' in faults[0]


@on_sqlite
def test_a_kind_taken_over_without_a_schema_keeps_ours(
    open_service: Open, add_plugin: AddPlugin
) -> None:
    section = add_plugin("""
        from app import hookimpl

        @hookimpl
        def grant_reward(reward):
            return {} if reward.kind == "gold" else None
    """)

    [fault] = list_faults(open_service, section, rewards=rule('{ reward = "gold", amount = "-1" }'))

    assert 'reward "gold": amount: must be more than 0' in fault


@on_sqlite
def test_the_ledger_names_who_really_paid(open_service: Open, add_plugin: AddPlugin) -> None:
    """Also a plugin that never said that it gives gold, and gives it to some only."""
    section = add_plugin("""
        from app import hookimpl

        @hookimpl
        def grant_reward(reward, event):
            if reward.kind == "gold" and event.id == "special":
                return {"instead": True}
    """)
    guerdon = open_service(rewards=rule(GOLD, '{ reward = "vip", days = 1 }'), more=section)

    outcomes = guerdon.settler.settle([make_work("special"), make_work("usual")])

    assert [outcome.state for outcome in outcomes] == ["settled", "settled"]
    with guerdon.database.connection_context():
        rows = list(Grant.select(Grant.plugin, Grant.kind).order_by(Grant.id).tuples())
    assert rows == [("studio", "gold"), ("vip", "vip"), ("gold", "gold"), ("vip", "vip")]
    assert gold_of(guerdon) == "1.00"


def make_work(id: str, nickname: str = "Bob") -> Work:
    return Work([Event("gamemonitoring", "server.vote", id, "1", nickname)])


@on_sqlite
def test_a_wrapper_changes_the_receipt_and_gather_still_works(
    open_service: Open, add_plugin: AddPlugin
) -> None:
    section = add_plugin("""
        from dataclasses import replace
        from app import hookimpl

        @hookimpl(wrapper=True)
        def grant_reward(reward, event, batch):
            receipt = yield
            if event.id == "double":
                batch.gather(add_more, event.id)
            return {**(receipt or {}), "seen": True}

        def add_more(rows, db, settings):
            db.execute_sql("UPDATE players SET gold = gold + 100 * ?", (len(rows),))
    """)
    guerdon = open_service(rewards=rule(GOLD), more=section)

    works = [make_work("double"), make_work("usual")]
    outcomes = guerdon.settler.settle(works)

    assert [outcome.state for outcome in outcomes] == ["settled", "settled"]
    assert gold_of(guerdon) == "102.00"
    [grant] = get_v1(guerdon, "/events/server.vote/usual")["grants"]
    assert grant["plugin"] == "gold"
    assert grant["receipt"] == {"added": "1.00", "column": "gold", "seen": True}


@on_sqlite
def test_a_wrapper_that_gives_a_receipt_of_its_own_is_not_taken_for_the_payer_before(
    open_service: Open, add_plugin: AddPlugin
) -> None:
    section = add_plugin("""
        from marshmallow import Schema
        from app import hookimpl

        @hookimpl
        def reward_schemas():
            return {"smile": Schema}

        @hookimpl(wrapper=True)
        def grant_reward(reward):
            receipt = yield
            return {"smiled": True} if reward.kind == "smile" else receipt
    """)
    guerdon = open_service(rewards=rule(GOLD, '{ reward = "smile" }'), more=section)

    post_vote(guerdon, "v1")

    grants = get_v1(guerdon, "/events/server.vote/v1")["grants"]
    assert [grant["plugin"] for grant in grants] == ["gold", "studio"]


@on_sqlite
def test_a_studio_writes_the_whole_reply_of_a_source(
    open_service: Open, add_plugin: AddPlugin
) -> None:
    section = add_plugin("""
        from flask import jsonify
        from app import hookimpl

        @hookimpl
        def write_reply(source, outcome):
            if source == "gamemonitoring" and not outcome.reason:
                return jsonify(state=outcome.state, gold=len(outcome.grants))
    """)
    guerdon = open_service(more=section)

    assert post_vote(guerdon, "v1").get_json() == {"state": "settled", "gold": 1}
    assert post_vote(guerdon, "v1").get_json()["state"] == "known"
    assert post_vote(guerdon, "v2", event_type="other").status_code == 204


def test_a_studio_finds_its_players_itself(open_service: Open, add_plugin: AddPlugin) -> None:
    section = add_plugin("""
        from app import NotReady, Player, hookimpl

        @hookimpl
        def find_player(event, db):
            if event.id == "broken":
                raise ValueError
            if event.id == "later":
                raise NotReady("the player moves", 7)
            if event.user_id == "7" and event.nickname == "Alias":
                sql = "SELECT id FROM players WHERE nickname = 'Bob'"
                return Player(db.execute_sql(sql).fetchone()[0], "Bob")
    """)
    guerdon = open_service(more=section)
    names = {"v1": "Alias", "v2": "Bob", "broken": "Alias", "later": "Alias"}
    events = [Event("gamemonitoring", "server.vote", id, "1", names[id], "7") for id in names]

    outcomes = guerdon.settler.settle([Work([event]) for event in events])

    assert [outcome.state for outcome in outcomes] == ["settled", "settled", "waiting", "waiting"]
    assert outcomes[2].reason == "the plugin studio failed in find_player: ValueError"
    assert (outcomes[3].reason, outcomes[3].retry_in) == ("the player moves", 7)
    assert gold_of(guerdon) == "200.00"


@on_sqlite
def test_an_error_in_event_settled_is_logged_and_changes_nothing(
    open_service: Open, add_plugin: AddPlugin, tmp_path: Path, capsys: Any
) -> None:
    section = add_plugin("from app import hookimpl\n@hookimpl\ndef event_settled(): 1 / 0\n")
    section += add_plugin(
        f"""
        from app import hookimpl

        @hookimpl
        def event_settled(event, grants):
            with open({str(tmp_path / "told")!r}, "a") as file:
                file.write(f"{{event.id}} {{[g.reward.kind for g in grants]}}\\n")
        """,
        "other",
    )
    guerdon = open_service(more=section)
    capsys.readouterr()

    assert [post_vote(guerdon, "v1").status_code for _ in range(2)] == [204, 204]

    assert (tmp_path / "told").read_text() == "v1 ['gold']\n"
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    [failed] = [line for line in lines if line["event"] == "event_settled failed"]
    assert (failed["plugin"], failed["event_id"]) == ("studio", "v1")
    assert gold_of(guerdon) == "100.00"


MISDEEDS = {
    "raises": 'raise ValueError("no")',
    "raises in a gathered write": "batch.gather(fail, 1)",
    "commits": "db.commit()",
    "rolls back": "db.rollback()",
    "closes": "db.close()",
    "closes for good": "db.manual_close()",
    "commits by SQL": 'db.execute_sql("COMMIT")',
    "commits by SQL, oddly": 'db.execute_sql("  commit;")',
    "rolls back by SQL": 'db.execute_sql("ROLLBACK")',
    "begins another": 'db.execute_sql("BEGIN")',
    "commits by a transaction of its own": "with db.transaction() as t: t.commit()",
    "makes a table": 'db.execute_sql("CREATE TABLE studio_made (id INTEGER)")',
    "swallows an error": """
    try:
        db.execute_sql("INSERT INTO guerdon_events (id) VALUES (NULL)")
    except Exception:
        pass""",
    "swallows an error inside a block": """
    try:
        with db.atomic():
            db.execute_sql("SELECT nothing FROM nowhere")
    except Exception:
        pass""",
}


@pytest.fixture
def misbehave(add_plugin: AddPlugin) -> Callable[[str], str]:
    """A studio's plugin that writes to Bob and then does something it must not, for "bad" events."""

    def add(deed: str) -> str:
        return add_plugin(f"""
from app import hookimpl

def fail(rows, db, settings):
    raise ValueError("no")

def touch(db):
    db.execute_sql("UPDATE players SET gold = gold + 1000")

@hookimpl
def grant_reward(reward, event, db, batch):
    if reward.kind != "gold" or not event.id.startswith("bad"):
        return None
    touch(db)
    {deed}
    touch(db)
    return {{"bad": True}}
""")

    return add


@pytest.mark.parametrize("deed", MISDEEDS)
def test_what_a_plugin_does_wrong_undoes_its_event_and_no_other(
    open_service: Open, misbehave: Callable[[str], str], deed: str
) -> None:
    section = misbehave(MISDEEDS[deed])
    gifts = ('{ reward = "item", item = "sword" }', GOLD, '{ reward = "vip", days = 1 }')
    guerdon = open_service(rewards=rule(*gifts), more=section)
    add_player(guerdon, "Eve")

    alone = guerdon.settler.settle([make_work("bad0", "Eve")])
    works = [make_work("a"), make_work("bad1"), make_work("b", "Eve"), make_work("bad2")]
    batch = guerdon.settler.settle(works)

    assert alone[0].state == "waiting"
    assert "studio" in alone[0].reason or "plugin" in alone[0].reason or "database" in str(alone)
    assert [outcome.state for outcome in batch] == ["settled", "waiting", "settled", "waiting"]
    assert (gold_of(guerdon), gold_of(guerdon, "Eve")) == ("1.00", "1.00")
    assert get_v1(guerdon, "/players/Eve")["items"] == {"sword": 1}
    assert (count(guerdon, EventRow), count(guerdon, Grant)) == (2, 6)


def test_an_undone_event_waits_and_is_paid_when_the_plugin_is_mended(
    open_service: Open, add_plugin: AddPlugin, clock: Any
) -> None:
    section = add_plugin("""
        from app import hookimpl

        broken = [True]

        @hookimpl
        def grant_reward():
            if broken:
                raise ValueError("a word nobody outside should read")
    """)
    guerdon = open_service(more=section)

    reply = post_vote(guerdon, "v1")

    assert reply.status_code == 503
    assert reply.text == "the plugin studio failed in grant_reward: ValueError\n"
    assert (count(guerdon, EventRow), count(guerdon, Waiting)) == (0, 1)
    guerdon.plugins.manager.get_plugin("studio").broken.clear()
    assert post_vote(guerdon, "v1").status_code == 204
    assert gold_of(guerdon) == "100.00"


def test_a_plugin_may_use_blocks_of_its_own_and_catch_its_own_duplicate(
    open_service: Open, add_plugin: AddPlugin
) -> None:
    section = add_plugin(
        PETS.format(name="Cat", kind="cats")
        + """
    from peewee import IntegrityError

    @hookimpl(tryfirst=True, specname="grant_reward")
    def grant_once(reward, player, db):
        if reward.kind == "cats":
            try:
                with db.atomic():
                    Cat.create(player=player.id, name="the only one")
            except IntegrityError:
                return {"new": False}
            return {"new": True}
        """
    )
    guerdon = open_service(rewards=rule('{ reward = "cats", name = "x" }', GOLD), more=section)

    assert [post_vote(guerdon, id).status_code for id in "12"] == [204, 204]

    grants = [get_v1(guerdon, f"/events/server.vote/{id}")["grants"] for id in "12"]
    assert [some[0]["receipt"] for some in grants] == [{"new": True}, {"new": False}]
    assert gold_of(guerdon) == "2.00"


@on_sqlite
def test_a_plugin_that_finds_no_receipt_leaves_the_event_waiting(
    open_service: Open, add_plugin: AddPlugin
) -> None:
    section = add_plugin("""
        from marshmallow import Schema
        from app import hookimpl

        @hookimpl
        def reward_schemas():
            return {"nothing": Schema}
    """)
    guerdon = open_service(rewards=rule(GOLD, '{ reward = "nothing" }'), more=section)

    reply = post_vote(guerdon, "v1")

    assert (reply.status_code, gold_of(guerdon)) == (503, "0.00")
    assert reply.text == "no plugin gave a receipt for the reward nothing\n"


@on_sqlite
def test_a_plugin_brings_commands(write_config: Any, tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / "studio_words-1.0.dist-info").mkdir(parents=True)
    (site / "studio_words-1.0.dist-info" / "METADATA").write_text("Name: studio_words\n")
    (site / "studio_words-1.0.dist-info" / "entry_points.txt").write_text(
        "[guerdon]\nwords = studio_words\n"
    )
    (site / "studio_words.py").write_text("""
from app import Command, GuerdonError, hookimpl

@hookimpl
def commands():
    return [Command("words", "say", ("word",), "Say WORD.", say)]

def say(db, progress, word):
    if word == "no":
        raise GuerdonError("not that word")
    return " ".join(progress([word, word]))
""")
    environment = os.environ | {
        "GUERDON_CONFIG": str(write_config(more="[plugins.words]")), "PYTHONPATH": str(site),
    }  # fmt: skip

    def run(*words: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-m", "app.cli", *words],
            check=False, cwd=ROOT, env=environment, capture_output=True, text=True,
        )  # fmt: skip
        return done.returncode, done.stdout.strip(), done.stderr.strip()

    assert run("words", "say", "hey")[:2] == (0, "hey hey")
    assert run("words", "say", "no") == (1, "", "not that word")
    assert "words" in run("--help")[1]
    assert "words  (studio_words of studio_words)\n    commands" in run("plugins")[1]
