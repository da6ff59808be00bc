"""Every reward that we ship keeps the contract that a studio's must keep."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import plugins
from app.guerdon import Guerdon
from app.testing.contracts.reward import RewardContract
from plugins import promo_codes
from tests.laws.test_house import PLUGIN_FILES

CODES = 250


def gift(**parameters: Any) -> Mapping[str, Any]:
    return MappingProxyType(parameters)


def test_it_works() -> None:
    """None of those that give rewards is forgotten here."""
    giving = {path.stem for path in PLUGIN_FILES if "reward_schemas" in path.read_text()}
    held = {one.plugin for one in RewardContract.__subclasses__() if one.__module__ == __name__}

    assert giving == held <= set(plugins.SHIPPED)


class TestGold(RewardContract):
    plugin = "gold"
    reward = gift(reward="gold", amount="100.25")
    wrong = (
        gift(reward="gold", amount="-1"),
        gift(reward="gold", amount="NaN"),
        gift(reward="gold"),
    )


class TestItems(RewardContract):
    plugin = "items"
    reward = gift(reward="item", item="sword", quantity=2)
    wrong = (gift(reward="item", item=""), gift(reward="item", item="sword", quantity=0))


class TestRoles(RewardContract):
    plugin = "roles"
    reward = gift(reward="role", role="voter", days=7)
    adds_up = False  # seven days from now, twice
    wrong = (gift(reward="role", role="voter", days=-1), gift(reward="role"))


class TestVip(RewardContract):
    plugin = "vip"
    reward = gift(reward="vip", days=3)
    wrong = (gift(reward="vip", days=0), gift(reward="vip"))


class TestPromoCodes(RewardContract):
    plugin = "promo_codes"
    reward = gift(reward="promo_code", pool="autumn")
    wrong = (gift(reward="promo_code", pool=""), gift(reward="promo_code"))

    def prepare(self, guerdon: Guerdon) -> None:
        rows = [{"pool": "autumn", "code": f"CODE-{number:03}"} for number in range(CODES)]
        with guerdon.database.connection_context():
            promo_codes.PromoCode.insert_many(rows).execute()


class TestClaimQueue(RewardContract):
    plugin = "claim_queue"
    reward = gift(reward="claim", payload={"give": "diamond", "to": "{nickname}"})
    wrong = (gift(reward="claim", payload="give diamond"), gift(reward="claim"))
