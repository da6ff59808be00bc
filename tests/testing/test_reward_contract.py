"""The contract of rewards: what is right passes every clause, what is wrong fails the one made for it."""

from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from app.scaffold.plugin import make_plugin
from app.testing.contracts.reward import RewardContract
from tests.testing.wrong_rewards import HEAD, USUAL, WRONG


class XpContract(RewardContract):
    __test__ = False
    plugin = "xp"
    reward = MappingProxyType({"reward": "xp"})


class TestRight(RewardContract):
    """A plugin as an author would write it: it reads, changes and saves."""

    plugin = "pets"
    reward = MappingProxyType({"reward": "pets", "amount": 3})
    wrong = ({"reward": "pets", "amount": -3}, {"reward": "pets", "amount": "3"})

    @pytest.fixture(autouse=True)
    def _drop(self, add_plugin: Callable[..., str]) -> None:
        add_plugin(make_plugin("pets", "reward")[0], "pets")


def test_it_works(
    add_plugin: Callable[..., str], tmp_path: Path, guerdon_databases: Any, guerdon_plugins: Path
) -> None:
    """A contract is held outside of pytest's own fixtures too."""
    add_plugin(HEAD + USUAL.replace("DEED", "pass"), "xp")
    contract = XpContract()

    with contract.open_places(tmp_path, guerdon_databases, guerdon_plugins):
        contract.test_a_vote_is_paid()
        contract.test_votes_of_one_player_add_up()


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_caught_and_its_author_told(
    name: str, add_plugin: Callable[..., str], tmp_path: Path, guerdon_databases: Any,
    guerdon_plugins: Path,
) -> None:  # fmt: skip
    wrong = WRONG[name]
    add_plugin(wrong.code, "xp")
    contract = XpContract()

    with (
        contract.open_places(tmp_path, guerdon_databases, guerdon_plugins),
        pytest.raises((AssertionError, pytest.fail.Exception), match=wrong.sentence),
    ):
        getattr(contract, wrong.clause)()
