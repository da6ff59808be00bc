"""A studio's plugins lie in its own folder: found before ours, forgotten with it, and nobody else's."""

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import plugins
from app.guerdon import Guerdon
from app.host.folder import use_folder
from app.opening import open_guerdon
from app.porch.errors import ConfigError

COINS = """
from marshmallow import Schema, fields
from app import hookimpl

@hookimpl
def reward_schemas():
    return {{"{kind}": Schema.from_dict({{"amount": fields.String()}})}}

@hookimpl
def grant_reward(reward):
    return {{"from": "{place}"}} if reward.kind == "{kind}" else None
"""
RULES = '[[rules]]\non = "server.vote"\ngive = [{{ reward = "{}", amount = "1.00" }}]\n'


class Studio:
    """A folder with a config in `config`, rules and plugins, as a studio has it."""

    def __init__(self, root: Path, kind: str = "coin") -> None:
        self.root = root
        self.config = root / "config" / "guerdon.toml"
        self.plugins = root / "plugins"
        self.config.parent.mkdir(parents=True)
        self.plugins.mkdir()
        (root / "config" / "rewards.toml").write_text(RULES.format(kind))

    def drop(self, name: str, source: str) -> None:
        (self.plugins / f"{name}.py").write_text(source)

    def open(self, *names: str) -> Guerdon:
        sections = "".join(f"[plugins.{name}]\n" for name in names)
        self.config.write_text(f"[database]\nurl = 'sqlite:///../var/guerdon.db'\n{sections}")
        guerdon = open_guerdon(self.config)
        guerdon.close()
        return guerdon


def grant(guerdon: Guerdon, kind: str) -> object:
    """What the plugin asked first says of a reward."""
    [impl] = guerdon.plugins.manager.hook.grant_reward.get_hookimpls()
    return impl.function(type("Reward", (), {"kind": kind}))


def test_it_works(tmp_path: Path) -> None:
    """A file in plugins/ beside the folder `config`; with a file of its own that it imports."""
    studio = Studio(tmp_path / "shop")
    studio.drop("coins", "from plugins.words import *\n" + COINS.format(kind="coin", place="shop"))
    studio.drop("words", "A = 1")

    guerdon = studio.open("coins")

    assert grant(guerdon, "coin") == {"from": "shop"}
    [origin] = guerdon.plugins.origins
    assert (origin.place, origin.is_shipped) == ("plugins/coins.py", False)
    assert (tmp_path / "shop" / "var" / "guerdon.db").parent.is_dir()


def test_it_may_lie_beside_a_config_that_is_in_no_folder_config(tmp_path: Path) -> None:
    studio = Studio(tmp_path / "shop")
    studio.drop("coins", COINS.format(kind="coin", place="shop"))
    studio.config = studio.root / "other.toml"
    (studio.root / "rewards.toml").write_text(RULES.format("coin"))

    assert grant(studio.open("coins"), "coin") == {"from": "shop"}


def test_two_studios_in_one_process_have_each_their_own(tmp_path: Path) -> None:
    """A name means the file in the folder of whoever asks, also what a plugin imports beside it."""
    for name in ("one", "two"):
        studio = Studio(tmp_path / name)
        studio.drop("place", f"PLACE = '{name}'")
        source = COINS.format(kind="coin", place="{PLACE}").replace('"{PLACE}"', "PLACE")
        studio.drop("coins", "from plugins.place import PLACE\n" + source)
        assert grant(studio.open("coins"), "coin") == {"from": name}
    Studio(tmp_path / "three", kind="gold").open("gold")
    assert "plugins.coins" not in sys.modules
    assert not hasattr(plugins, "coins")


def test_a_file_with_the_name_of_one_of_ours_is_taken_in_its_place(tmp_path: Path) -> None:
    ours = Studio(tmp_path / "ours", kind="gold").open("gold")
    studio = Studio(tmp_path / "shop", kind="gold")
    studio.drop("gold", COINS.format(kind="gold", place="shop"))

    theirs = studio.open("gold")

    assert grant(theirs, "gold") == {"from": "shop"}
    assert [one.is_shipped for one in (*ours.plugins.origins, *theirs.plugins.origins)] == [
        True,
        False,
    ]
    again = Studio(tmp_path / "again", kind="gold").open("gold")
    assert again.plugins.origins[0].is_shipped


def test_what_everybody_may_write_is_not_run(tmp_path: Path) -> None:
    """As /tmp/plugins beside /tmp/guerdon.toml."""
    studio = Studio(tmp_path / "shop")
    studio.drop("coins", f"open({str(tmp_path / 'run')!r}, 'w').close()")
    studio.plugins.chmod(0o777)

    with pytest.raises(ConfigError, match=r"coins.py is not loaded: everybody may write into"):
        studio.open("coins")

    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder away")
def test_what_another_user_made_is_not_run(tmp_path: Path) -> None:
    studio = Studio(tmp_path / "shop")
    studio.drop("coins", f"open({str(tmp_path / 'run')!r}, 'w').close()")
    os.chown(studio.plugins, 12345, 12345)

    with pytest.raises(ConfigError, match=r"belongs to another user than"):
        studio.open("coins")

    assert not (tmp_path / "run").exists()
    studio.config.touch()
    os.chown(studio.config, 12345, 12345)  # who owns the config decides what is run anyway
    with pytest.raises(ConfigError, match="answers no hook"):
        studio.open("coins")


def test_ours_are_loaded_wherever_the_config_lies(tmp_path: Path) -> None:
    """The other plugins in its folder are nobody's business, as long as no section names one."""
    studio = Studio(tmp_path / "shop", kind="gold")
    studio.plugins.chmod(0o777)
    studio.drop("broken", "1/0")

    assert [one.name for one in studio.open("gold").plugins.origins] == ["gold"]


class Importing:
    """Imports a module whenever Python's collector comes by, as another thread may at that moment."""

    def __init__(self, names: Iterator[str]) -> None:
        self.names, self.itself = names, self

    def __del__(self) -> None:
        if name := next(self.names, ""):
            sys.modules[name] = sys
            Importing(self.names)


def test_what_is_imported_meanwhile_harms_nobody(tmp_path: Path) -> None:
    studio = Studio(tmp_path / "shop", kind="gold")
    names = [f"meanwhile_{number}" for number in range(5000)]
    left, threshold = iter(names), gc.get_threshold()
    try:
        gc.disable()  # one that is met while it is made grows old, and is not looked at again
        Importing(left)
        gc.set_threshold(1, 1, 1)
        gc.enable()
        use_folder(studio.plugins)
    finally:
        gc.enable()
        gc.set_threshold(*threshold)
        list(left)  # none comes after this test
        came = [name for name in names if sys.modules.pop(name, None)]
    assert came
