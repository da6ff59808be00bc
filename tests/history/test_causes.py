"""Trouble by its cause: the same however rows were put together, and of a part where it is too much."""

from app.guerdon import Guerdon
from app.history.causes import list_causes
from tests.world.piles import pile_events, pile_reports


def test_it_works(guerdon: Guerdon) -> None:
    """Of several errors, states and times one cause; letters count, an end of spaces does not."""
    pile_events(guerdon, 3, last_error='no player is called "{n}"', received_at=5_000)
    pile_events(
        guerdon, 2, "w", state="ready", last_error='no player is called "x"', received_at=9_000
    )
    pile_events(
        guerdon, 1, "l", state="leased", last_error="no player is called 77 ", received_at=2_000
    )
    pile_events(guerdon, 4, "o", source="another", last_error="no player is called 7")
    pile_events(guerdon, 1, "u", last_error="No player is called 7")

    found = list_causes(guerdon.database)

    assert [(one.of, one.words, one.dead, one.waiting) for one in found.all] == [
        ("another", "no player is called …", 4, 0),
        ("elsewhere", "no player is called …", 3, 3),
        ("elsewhere", "No player is called …", 1, 0),
    ]
    one = found.all[1]
    assert (one.oldest, one.newest, one.ceiling) == (2_000, 9_000, 6)
    assert (found.read, found.is_whole, found.left_out) == (11, True, 0)


def test_of_a_large_pile_a_part_is_read_and_that_is_told(guerdon: Guerdon) -> None:
    pile_reports(guerdon, 30, last_error="answered {n}")
    pile_reports(guerdon, 10, "b", reporter="another", last_error="answered 500")

    found = list_causes(guerdon.database, most_read=10)

    assert (found.read, found.is_whole) == (20, False)
    assert sum(one.dead for one in found.all if one.of == "another") == 10
    assert sum(one.dead for one in found.all if one.of == "studio") == 10
    assert list_causes(guerdon.database, most_read=30).is_whole
    some = list_causes(guerdon.database, most_causes=1)
    assert (len(some.all), some.left_out > 0) == (1, True)
