"""What is wrong, and from when on: the same as deploy/prometheus-rules.yml has it, by the same names."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from app.alarms.circumstances import Circumstances
from app.alarms.deaths import HOURS, count_dead_events, count_dead_reports, is_silence_strange
from app.metrics import families

LATELY = 15 * 60_000  # ms
SHORT = 600.0  # seconds
MOST_REFUSED = 10
MOST_UNFETCHED = 0.2
FEWEST_FETCHED = 5
UNDECIDED = ("unknown", "refused")
UNCOMPARED = 26 * 3600.0  # seconds
UNFETCHED = ("not_ready", "failed")
PROMO_CODES = f"{families.PLUGIN_PREFIX}promo_codes_left"

# Of what it is true, and a sentence each; None: nobody knows now, so nothing begins and nothing is over.
Found = Mapping[str, str] | None


@dataclass(frozen=True)
class Condition:
    """Something that is wrong once it is found for so many seconds.

    `over` says that it is not any more; `is_of_plugin`: what it is found of is a reporter or a plugin.
    """

    name: str
    find: Callable[[Circumstances], Found]
    lasts: float
    over: str
    is_of_plugin: bool = False


def find_waiting_vote(seen: Circumstances) -> Found:
    age = seen.find_age(families.INBOX_OLDEST)
    return {"": f"an event waits for {say(age)}"} if age > seen.alerts.vote_waits else {}


def find_dead_events(seen: Circumstances) -> Found:
    dead = count_dead_events(seen.database, seen.now - LATELY)
    return (
        {"": f"events that died in the last 15 minutes, and wait for a person: {dead}"}
        if dead
        else {}
    )


def find_dead_reports(seen: Circumstances) -> Found:
    dead = count_dead_reports(seen.database, seen.now - LATELY)
    return {
        name: f"reports of {name} that died in the last 15 minutes: {count}"
        for name, count in dead.items()
    }


def find_waiting_reports(seen: Circumstances) -> Found:
    ages = seen.find_ages(families.REPORTS_OLDEST).items()
    return {
        name: f"a report of {name} waits for {say(age)}"
        for (name,), age in ages
        if age > seen.alerts.report_waits
    }


def find_paused_reporters(seen: Circumstances) -> Found:
    paused = seen.memory.find_now(families.REPORTER_PAUSED.family.name)
    return {
        name: f"nobody is there to take the reports of {name}"
        for (name,), number in paused.items()
        if number
    }


def find_failing_fetches(seen: Circumstances) -> Found:
    rises = seen.memory.find_rise(families.FETCH_SECONDS.family.name, SHORT)
    return None if rises is None else dict(judge_fetches(rises))


def judge_fetches(rises: Mapping[tuple[str, ...], float]) -> Iterator[tuple[str, str]]:
    for source in {source for source, _ in rises}:
        counts = {result: rise for (one, result), rise in rises.items() if one == source}
        tried, failed = sum(counts.values()), sum(counts.get(one, 0) for one in UNFETCHED)
        if tried >= FEWEST_FETCHED and failed > MOST_UNFETCHED * tried:
            yield source, f"{failed:.0f} of {tried:.0f} fetches for {source} failed in ten minutes"


def find_refused(seen: Circumstances) -> Found:
    rises = seen.memory.find_rise(families.DELIVERIES.family.name, SHORT)
    return None if rises is None else {
        source: f"{rise:.0f} deliveries for {source} were refused in ten minutes: is its token right?"
        for (source, outcome), rise in rises.items()
        if outcome == "refused" and rise > MOST_REFUSED
    }  # fmt: skip


def find_failing_plugins(seen: Circumstances) -> Found:
    rises = seen.memory.find_rise(families.PLUGIN_ERRORS.family.name, SHORT)
    return None if rises is None else {
        plugin: f"the plugin {plugin} fails in {hook}: the log says how"
        for (plugin, hook), rise in rises.items()
        if rise > 0
    }  # fmt: skip


def find_silence(seen: Circumstances) -> Found:
    ages = seen.find_ages(families.LAST_SETTLED).items()
    return {
        source: f"no event of {source} was settled for {say(age)}, and there are many at this time usually"
        for (source,), age in ages
        if age * 1000 > HOURS and is_silence_strange(seen.database, source, seen.now)
    }


def find_low_pools(seen: Circumstances) -> Found:
    if not seen.sight.has_all_gauges:
        return None
    return {
        pool: f"{left:.0f} promo codes are left in the pool {pool}"
        for (pool,), left in seen.sight.find(PROMO_CODES).items()
        if left < seen.alerts.promo_codes
    }


def find_waiting_claims(seen: Circumstances) -> Found:
    age = seen.find_age(families.CLAIMS_OLDEST)
    return {"": f"a claim waits for {say(age)}"} if age > seen.alerts.claim_waits else {}


def find_undecided_claims(seen: Circumstances) -> Found:
    numbers = seen.sight.find(families.CLAIMS.name)
    count = sum(numbers.get((state,), 0) for state in UNDECIDED)
    told = (
        f"claims that were refused, or of which nobody knows whether they were given: {count:.0f}"
    )
    return {"": told} if count else {}


def find_paused_consoles(seen: Circumstances) -> Found:
    paused = seen.memory.find_now(families.CONSOLE_PAUSED.family.name)
    return {
        name: f"nobody is at the console {name} to take its claims"
        for (name,), number in paused.items()
        if number
    }


def find_missing(seen: Circumstances) -> Found:
    return {
        source: f"votes of {source} that were never delivered, by the site's own list: {number:.0f}"
        for (source,), number in seen.sight.find(families.RECONCILED_MISSING.name).items()
        if number > 0
    }


def find_uncompared(seen: Circumstances) -> Found:
    ages = seen.find_ages(families.RECONCILED).items()
    return {
        source: f"the list of {source} was not compared to its end for {say(age)}"
        for (source,), age in ages
        if age > UNCOMPARED
    }


CONDITIONS = (
    Condition("GuerdonVoteWaits", find_waiting_vote, 300, "no event waits that long any more"),
    Condition("GuerdonEventsDied", find_dead_events, 0, "no more events have died"),
    Condition("GuerdonReportsDied", find_dead_reports, 0, "no more of its reports have died", True),
    Condition("GuerdonReportsWait", find_waiting_reports, 300, "its reports are sent", True),
    Condition("GuerdonReporterPaused", find_paused_reporters, 600, "somebody takes its reports", True),
    Condition("GuerdonFetchesFail", find_failing_fetches, 600, "its events are fetched again"),
    Condition("GuerdonDeliveriesRefused", find_refused, 0, "its deliveries are accepted"),
    Condition("GuerdonPluginFails", find_failing_plugins, 300, "it fails no more", True),
    Condition("GuerdonNothingSettled", find_silence, 600, "its events come again"),
    Condition("GuerdonPromoCodesLow", find_low_pools, 300, "there are enough codes again"),
    Condition("GuerdonClaimsWait", find_waiting_claims, 300, "no claim waits that long any more"),
    Condition("GuerdonClaimsUnknown", find_undecided_claims, 300, "all claims are decided"),
    Condition("GuerdonConsolePaused", find_paused_consoles, 600, "somebody is at the console again"),
    Condition("GuerdonVotesMissing", find_missing, 0, "a comparison found nothing missing"),
    Condition("GuerdonNotReconciled", find_uncompared, 300, "it was compared"),
)  # fmt: skip


def say(seconds: float) -> str:
    """90 as "1 min", 7200 as "2 h", three days as "3 days"."""
    for length, unit in ((2 * 86_400, "days"), (2 * 3_600, "h"), (0, "min")):
        if seconds >= length:
            return f"{seconds / {'days': 86_400, 'h': 3_600, 'min': 60}[unit]:.0f} {unit}"
    return "0 min"
