"""Asks the plugins to give a reward, inside the transaction that pays, and keeps what they gather."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from app.database.error_kinds import disown_error
from app.database.opening import Database
from app.host.calling import is_of_guerdon
from app.host.loading import Plugins
from app.porch.errors import NotReady, PluginFailed
from app.porch.types import Event, Grant, Player
from app.rules.gifts import Gift


class GatheredWrites:
    """What plugins want written once for the whole batch; app/porch/types.py has its contract, Batch."""

    def __init__(self) -> None:
        self._rows: dict[Callable[..., None], list[Any]] = defaultdict(list)
        self._latest: list[tuple[Callable[..., None], Any]] = []

    def gather(self, write: Callable[..., None], row: Any) -> None:
        self._latest.append((write, row))

    def end_payment(self, is_kept: bool) -> None:
        """What was gathered since the last one is one payment's: keep it, or forget it."""
        for write, row in self._latest if is_kept else ():
            self._rows[write].append(row)
        self._latest.clear()

    def flush(self, plugins: Plugins, database: Database) -> None:
        self.end_payment(is_kept=True)
        for write, rows in self._rows.items():
            plugin = write.__module__.rpartition(".")[2]
            call_plugin(plugin, write.__name__, write, rows, database, plugins.settings)


def call_plugin(
    plugin: str, hook: str, function: Callable[..., Any], *args: Any, **kwargs: Any
) -> Any:
    """Call into a plugin; its own exceptions become PluginFailed, our database's pass for transact."""
    try:
        return function(*args, **kwargs)
    except Exception as error:
        disown_error(error)
        if is_of_guerdon(error):
            raise
        raise PluginFailed(plugin, hook, error) from error


def group_grants(grants: Iterable[Grant]) -> Mapping[int, list[Grant]]:
    """The grants of each event, by the id() of the Event; none for any other."""
    groups: dict[int, list[Grant]] = defaultdict(list)
    for grant in grants:
        groups[id(grant.event)].append(grant)
    return groups


def give_gift(
    plugins: Plugins,
    database: Database,
    gift: Gift,
    event: Event,
    player: Player,
    batch: GatheredWrites,
    now: int,
) -> Grant:
    """Have a plugin give one reward; the line for the ledger. Raises what undoes the event."""
    heard = plugins.ask(
        "grant_reward", reward=gift.reward, event=event, player=player, db=database,
        settings=plugins.settings, batch=batch, now=now,
    )  # fmt: skip
    if not isinstance(heard.value, dict):
        raise NotReady(f"no plugin gave a receipt for the reward {gift.reward.kind}")
    # A wrapper may change a receipt, or give one without asking.
    payer = heard.find_last() or gift.plugin
    return Grant(event, gift.rule, payer, gift.reward, player, heard.value)
