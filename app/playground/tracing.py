"""`guerdon plugins --trace`: each call of one plugin, for one vote, on a database that is thrown away."""

import functools
import inspect
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.config.reading import Config, read_config
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.paying.announcing import Announcer
from app.paying.settler import Work
from app.playground.sections import write_config
from app.porch.errors import GuerdonError
from app.porch.types import Event, Outcome, OutcomeState, Reward

NOWHERE = "http://127.0.0.1:9"  # nothing that is sent leaves for anybody
SENDING = 2.0  # seconds for reports
LONGEST = 200  # characters of a result
SOURCE, TYPE = "trace", "server.vote"


def trace_vote(
    config: Config, name: str, nickname: str, server: str, tell: Callable[[str], None]
) -> Outcome:
    """Pay a vote, and tell each call of the plugin `name` meanwhile, its time and what came of it.

    Raises GuerdonError where there is no such plugin.
    """
    if name not in config.plugins:
        raise GuerdonError(f"{config.path} has no section [plugins.{name}]")
    with open_apart(config) as guerdon:
        event = Event(SOURCE, TYPE, "traced", server, nickname, occurred_at=guerdon.now())
        guerdon.migrate()
        if guerdon.config.players.is_own:
            guerdon.add_player(nickname)
        guerdon.plugins.redress(name, lambda hook, function: time_calls(hook, function, tell))
        [outcome] = guerdon.settler.settle([Work([event])])
        if outcome.state == OutcomeState.SETTLED:
            Announcer(guerdon.plugins).announce(outcome.events, outcome.grants)
        guerdon.outbox.serve_once()
        guerdon.outbox.stop(SENDING)
    return outcome


@contextmanager
def open_apart(config: Config) -> Iterator[Guerdon]:
    """The config on an empty database in a folder of its own, with nobody to tell."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_config(config, NOWHERE, Path(folder) / "traced.db")
        guerdon = open_guerdon(read_config(path)[0].path)
        try:
            yield guerdon
        finally:
            guerdon.close()


def time_calls(
    hook: str, function: Callable[..., Any], tell: Callable[[str], None]
) -> Callable[..., Any]:
    names = list(inspect.signature(function).parameters)

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        asked = name_call(hook, names, arguments)
        began = time.perf_counter()
        try:
            result = function(*arguments)
        except Exception as error:
            tell(write_line(asked, began, f"raised {type(error).__name__}: {error}"))
            raise
        tell(write_line(asked, began, describe(result)))
        return result

    return call


def name_call(hook: str, names: Sequence[str], arguments: Sequence[Any]) -> str:
    """The hook, and the kind of the reward that it is asked for."""
    reward = dict(zip(names, arguments, strict=False)).get("reward")
    return f"{hook} {reward.kind}" if isinstance(reward, Reward) else hook


def write_line(hook: str, began: float, result: str) -> str:
    took = (time.perf_counter() - began) * 1000
    return f"{hook:24} {took:8.2f} ms  {result[:LONGEST]}"


def describe(result: Any) -> str:
    """What a hook answered, in a line."""
    if result is None:
        return "nothing: it is left to others"
    try:
        return json.dumps(result)
    except (TypeError, ValueError):
        return repr(result)
