"""Which values the labels of what is counted may have: those of the config, and no others."""

from collections.abc import Iterable, Iterator, Sequence

from app.host.loading import Plugins
from app.metrics import families
from app.metrics.families import Meters
from app.porch.rounds import GAME_SERVER
from app.porch.types import OutcomeState
from app.rules.rule import Rules

FETCH_RESULTS = ("fetched", "not_ready", "refused", "failed")
CLAIM_RESULTS = ("done", "refused", "waits", "unknown", "unsent")
SEND_RESULTS = ("delivered", "failed", "refused", "unsent")


def list_reporters(plugins: Plugins) -> list[str]:
    """The plugins that send reports."""
    return plugins.list_answerers("send_report")


def list_label_values(
    plugins: Plugins, rules: Rules, consoles: Sequence[str] = ()
) -> Iterator[tuple[Meters, Iterable[tuple[str, ...]]]]:
    """Each family that is counted, and its labels' values."""
    sources = [GAME_SERVER, *plugins.sources]
    reporters = list_reporters(plugins)
    yield families.DELIVERIES, cross(sources, OutcomeState)
    yield families.DELIVERY_SECONDS, cross(sources)
    yield families.FETCH_SECONDS, cross(sources, FETCH_RESULTS)
    yield families.COMMIT_SECONDS, [()]
    yield (
        families.GRANTS,
        dict.fromkeys((reward.kind, rule.name) for rule in rules.all for reward in rule.rewards),
    )
    yield (
        families.PLUGIN_ERRORS,
        ((one.name, hook) for one in plugins.origins for hook in one.hooks),
    )
    yield families.REPORT_SENDS, cross(reporters, SEND_RESULTS)
    yield families.REPORT_SEND_SECONDS, cross(reporters)
    yield families.REPORTER_PAUSED, cross(reporters)
    yield families.CLAIM_SENDS, cross(consoles, CLAIM_RESULTS)
    yield families.CONSOLE_PAUSED, cross(consoles)


def cross(firsts: Iterable[str], *seconds: Iterable[str]) -> list[tuple[str, ...]]:
    """Every pair of a first and a second; where there are no seconds, each first alone."""
    if not seconds:
        return [(one,) for one in dict.fromkeys(firsts)]
    return [(one, str(other)) for one in dict.fromkeys(firsts) for other in seconds[0]]
