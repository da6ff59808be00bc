"""What a person sees of a plan before he says yes: rows from the first to the last, and what stops them."""

from app.guerdon import Guerdon
from app.history.filters import EventFilter, ReportFilter
from app.history.states import EventState, ReportState
from app.upkeep.sampling import Sample
from tests.world.piles import pile_events, pile_reports


def sample(guerdon: Guerdon, chosen: EventFilter | ReportFilter) -> Sample:
    plan = guerdon.acts.find(guerdon.acts.plan_act(chosen, "alice").id)
    assert plan is not None
    return guerdon.acts.sample(plan)


def test_it_works(guerdon: Guerdon) -> None:
    """Five chunks of a plan, however many it has."""
    pile_events(guerdon, 2000, last_error='no player is called "{n}"')
    pile_events(guerdon, 2000, "x", last_error="the table is locked")

    found = sample(guerdon, EventFilter(EventState.DEAD))

    assert found.number == 1000
    assert found.reasons == (("no player is called …", 600), ("the table is locked", 400))
    assert [row.id for row in found.rows] == ["d0", "d800", "d1800", "x800", "x1800"]


def test_all_of_a_small_plan_is_looked_at_and_nothing_of_an_empty_one(guerdon: Guerdon) -> None:
    pile_reports(guerdon, 250, last_error="answered 500")

    found = sample(guerdon, ReportFilter(ReportState.DEAD))

    assert (found.number, found.reasons) == (250, (("answered 500", 250),))
    assert [(row.of, row.type) for row in found.rows] == [("studio", "sold")] * 2
    nothing = sample(guerdon, ReportFilter(ReportState.DEAD, "another"))
    assert (nothing.number, nothing.rows) == (0, ())
