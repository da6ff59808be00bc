"""What an event earns: a pure function of what was counted before, the event, and the rules.

It pays, verifies, rebuilds, tries and backfills. There is no clock in it: the event has its own time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.counting.counters import Counter, Counters
from app.counting.imported import add_totals, is_imported, is_totals
from app.counting.limits import find_exhausted, find_used_up, use_budgets, use_limits
from app.counting.occasions import SOURCE, list_paying_rules
from app.counting.programme import Programme
from app.counting.state import NO_TALLY, ChainsKey, Draft, PartyVote, SeenKey, Tally, TallyKey
from app.counting.streaks import Joined, join_chains, replace_chains
from app.counting.verdicts import Verdict, find_fact_fault
from app.porch.types import Event
from app.rules.calendar import Unit
from app.rules.drawing import draw_line
from app.rules.gifts import Gift
from app.rules.rule import PLAYER, Rule


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of a player, by his key; it counts by `moment` (ms). `facts` are the player's.

    Of the past they are not known: `refused` are the rules they did not hold for then, and why.
    """

    event: Event
    player: str
    moment: int
    facts: Mapping[str, Any] = field(default_factory=dict)
    refused: Mapping[str, str] | None = None

    def find_player_fault(self, rule: Rule) -> str:
        """What the player lacks for a rule; "" where it is nothing."""
        if self.refused is not None:
            return self.refused.get(rule.name, "")
        if not rule.player_where:
            return ""
        return find_fact_fault(rule.player_where, self.facts, PLAYER)

    @property
    def name(self) -> str:
        return f"{self.event.type} {self.event.id}"


@dataclass(slots=True)
class Counted:
    """What an event was for each counter: its number in each period, and the chains it went on."""

    numbers: dict[tuple[str, Unit], int] = field(default_factory=dict)
    joined: dict[str, Joined] = field(default_factory=dict)


def decide(programme: Programme, draft: Draft, happened: Happened) -> list[Verdict]:
    """Count an event, and say of each rule that is for its type and server what it pays."""
    if not happened.event.earns:
        return []
    if is_totals(happened.event):
        add_totals(programme.counters, draft, happened.event, happened.player)
        return []
    if happened.event.source == SOURCE:
        return [
            judge_payee(programme, draft, happened, rule)
            for rule in list_paying_rules(programme.rules, happened.event)
        ]
    counted = count_event(programme.counters, draft, happened)
    rules = programme.list_rules(happened.event)
    return [judge_rule(programme, draft, happened, counted, rule) for rule in rules]


def count_event(counters: Counters, draft: Draft, happened: Happened) -> Counted:
    """Move every counter that counts this event."""
    counted = Counted()
    for counter in counters.by_type.get(happened.event.type, ()):
        if counter.selector.does_count(happened.event, happened.moment, counters.calendar):
            for unit in counter.units:
                number = count_in(counters, draft, happened, counter, unit)
                if number is not None:
                    counted.numbers[counter.name, unit] = number
            count_streaks(counters, draft, happened, counter, counted)
    return counted


def count_in(
    counters: Counters, draft: Draft, happened: Happened, counter: Counter, unit: Unit
) -> int | None:
    """The number of this event in its period; None where different sites are counted and this is none."""
    period = counters.calendar.name_period(unit, happened.moment)
    if counter.selector.by_site:
        seen = SeenKey(counter.name, period, happened.player, name_site(happened.event))
        if draft.seen.get(seen, False):
            return None
        draft.seen[seen] = True
    key = TallyKey(counter.name, period, happened.player)
    votes, last_at = draft.tallies.get(key, NO_TALLY)
    draft.tallies[key] = Tally(votes + 1, max(last_at, happened.moment))
    return votes + 1


def name_site(event: Event) -> str:
    """Where a vote was cast: its fact `site`, or else its source."""
    site = event.data.get("site")
    return site[:255] if isinstance(site, str) and site else event.source


def count_streaks(
    counters: Counters, draft: Draft, happened: Happened, counter: Counter, counted: Counted
) -> None:
    """Where this event makes its day, week or month a counted one, it goes on a chain."""
    calendar, player = counters.calendar, happened.player
    for name, streak in counter.streaks:
        if is_imported(calendar, draft, counter.name, streak.unit, player, happened.moment):
            continue
        if counted.numbers.get((counter.name, streak.unit)) == streak.votes:
            key = ChainsKey(name, happened.player)
            chains = draft.chains.get(key, ())
            number = counters.calendar.number_period(streak.unit, happened.moment)
            counted.joined[name] = joined = join_chains(chains, number, streak.may_miss)
            draft.chains[key] = replace_chains(chains, joined)


def judge_payee(programme: Programme, draft: Draft, happened: Happened, rule: Rule) -> Verdict:
    """Whether a rule pays a payee of a party or a ranking; what was counted is decided by then."""
    verdict = Verdict(rule)
    if not happened.player and happened.event.user_id:
        verdict.why = "the player is gone"
    elif fault := happened.find_player_fault(rule):
        verdict.why = fault
    else:
        due = happened.event.data.get("times", 1)
        while verdict.paid < due and pay_once(programme, draft, happened, verdict):
            verdict.paid += 1
    return verdict


def judge_rule(
    programme: Programme, draft: Draft, happened: Happened, counted: Counted, rule: Rule
) -> Verdict:
    """Whether a rule pays this event, and if not, why."""
    verdict = Verdict(rule)
    if fault := find_fault(programme, happened, rule):
        verdict.why = fault
        return verdict
    due, verdict.why = count_due(programme, draft, happened, counted, rule)
    if due and (fault := happened.find_player_fault(rule)):
        verdict.why = fault
        return verdict
    while verdict.paid < due and pay_once(programme, draft, happened, verdict):
        verdict.paid += 1
    if rule.streak and verdict.paid:
        note_paid(draft, happened, rule, counted.joined[rule.chain_name], verdict.paid)
    return verdict


def find_fault(programme: Programme, happened: Happened, rule: Rule) -> str:
    """What the event itself lacks for a rule."""
    if rule.when and (fault := rule.when.find_fault(programme.rules.calendar, happened.moment)):
        return fault
    return find_fact_fault(rule.where, happened.event.data) if rule.where else ""


def count_due(
    programme: Programme, draft: Draft, happened: Happened, counted: Counted, rule: Rule
) -> tuple[int, str]:
    """How often a rule is to pay by what was counted, and that in words."""
    if rule.count:
        number = counted.numbers.get((rule.selector.counter, rule.count.unit))
        return judge_count(rule, number)
    if rule.streak:
        return judge_streak(programme, draft, happened, counted, rule)
    if rule.party:
        period = programme.rules.calendar.name_period(rule.party.unit, happened.moment)
        vote = PartyVote(rule.party_name, period, happened.player, happened.moment)
        if vote not in draft.party_votes:  # two rules may share a party
            draft.party_votes.append(vote)
        return 0, f"counts towards the next party of {rule.party.every}"
    if rule.ranking:
        period = programme.rules.calendar.name_period(rule.ranking.unit, happened.moment)
        is_late = (rule.ranking_name, period) in draft.closed
        how = "came after the ranking was closed:" if is_late else "counts in the ranking:"
        return 0, f"{how} {period}"
    return 1, ""


def judge_count(rule: Rule, number: int | None) -> tuple[int, str]:
    assert rule.count is not None
    if number is None:
        return 0, "no other site than before"
    reached = rule.count.marks.find_next(number - 1)
    if reached == number:
        return 1, f"{number} of {number}"
    return 0, f"{number} of {reached}" if reached else f"{number}, and no mark is left"


def judge_streak(
    programme: Programme, draft: Draft, happened: Happened, counted: Counted, rule: Rule
) -> tuple[int, str]:
    assert rule.streak is not None
    streak, name = rule.streak, rule.chain_name
    joined = counted.joined.get(name)
    if joined:
        due = joined.count_due(rule.name, streak.marks)
        reached = streak.marks.find_next(joined.chain.length - 1)
        goal = f" of {reached}" if reached else ", and no mark is left"
        return due, f"{streak.unit} {joined.chain.length}{goal}"
    counter, calendar, player = rule.selector.counter, programme.rules.calendar, happened.player
    number = counted.numbers.get((counter, streak.unit), 0)
    known = is_imported(calendar, draft, counter, streak.unit, player, happened.moment)
    if number < streak.votes and not known:
        return 0, f"{number} of the {streak.votes} that make a {streak.unit} count"
    return 0, f"the {streak.unit} is counted already"


def pay_once(programme: Programme, draft: Draft, happened: Happened, verdict: Verdict) -> bool:
    """Add what the rule gives to its verdict, and use up limits and budgets; or say why it cannot."""
    rule, calendar, moment = verdict.rule, programme.rules.calendar, happened.moment
    if used_up := find_used_up(draft, rule, calendar, moment, happened.player):
        verdict.why = used_up
        return False
    gifts: Sequence[Gift] = rule.gifts
    draw = None
    if rule.choice:
        event, weights = happened.event, rule.choice.weights
        number = verdict.paid
        draw = draw_line(programme.secret, rule.name, event.type, event.id, weights, number)
        gift = rule.choice.lines[draw.line].gift
        gifts = (*gifts, gift) if gift else gifts
    if budgets := programme.rules.budgets:
        rewards = [gift.reward for gift in gifts]
        if exhausted := find_exhausted(draft, budgets, rewards, calendar, moment):
            verdict.why = f"the budget {exhausted} is used up"
            return False
        use_budgets(draft, budgets, rewards, calendar, moment, happened.name)
    if rule.limits:
        use_limits(draft, rule, rule.limits, calendar, moment, happened.player, happened.name)
    verdict.gifts = (*verdict.gifts, *gifts)
    if draw and rule.choice:
        if rule.choice.lines[draw.line].gift:
            verdict.draws = (*verdict.draws, (len(verdict.gifts) - 1, draw))
        else:
            verdict.empty_draws = (*verdict.empty_draws, draw)
    return True


def note_paid(draft: Draft, happened: Happened, rule: Rule, joined: Joined, times: int) -> None:
    """Remember in the chain how often the rule has paid for it."""
    key = ChainsKey(rule.chain_name, happened.player)
    draft.chains[key] = tuple(
        chain.add_paid(rule.name, times) if chain.start == joined.chain.start else chain
        for chain in draft.chains.get(key, ())
    )
