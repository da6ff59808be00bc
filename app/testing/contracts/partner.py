"""The plugin that stands beside the one under contract: rewards of its own, and a watch on the calls."""

import time
from collections.abc import Generator
from typing import Any

from marshmallow import Schema

from app.porch.hookspecs import hookimpl
from app.porch.types import Reward

NAME = "contract"
FAILS, OTHER = "contract_fails", "contract_other"

waits: list[float] = []  # seconds in which a call neither worked nor ended


class Refused(Exception):
    """What the reward that always fails raises."""


@hookimpl
def reward_schemas() -> dict[str, type[Schema]]:
    """One that cannot be given, and one that is nobody's but ours."""
    return {FAILS: Schema, OTHER: Schema}


@hookimpl
def grant_reward(reward: Reward) -> dict[str, Any] | None:
    """Ours alone."""
    if reward.kind == FAILS:
        raise Refused("this reward cannot be given")
    return {"other": True} if reward.kind == OTHER else None


class Watch:
    """Measures how long a call waits: its time, without that in which this thread worked."""

    @hookimpl(wrapper=True)
    def grant_reward(self, reward: Reward) -> Generator[None, Any, Any]:
        """Around all who give."""
        began, worked = time.monotonic(), time.thread_time()
        try:
            return (yield)
        finally:
            waits.append(time.monotonic() - began - (time.thread_time() - worked))
