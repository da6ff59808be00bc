"""What a person looks for, as text and back; what errors have in common."""

import time

import pytest

from app.history.filters import (
    EventFilter,
    ReportFilter,
    parse_event_filter,
    parse_report_filter,
)
from app.history.fingerprints import make_fingerprint, name_cause
from app.history.qualifiers import BadFilter
from app.history.states import EventState, ReportState

NEW_YEAR = 1_767_225_600_000  # ms; 1 January 2026


def test_it_works() -> None:
    chosen = parse_event_filter('state:settled player:"Bob the Great" since:2026-01-01')

    assert chosen == EventFilter(EventState.SETTLED, player="Bob the Great", since=NEW_YEAR)
    assert str(chosen) == 'state:settled player:"Bob the Great" since:2026-01-01'
    assert parse_event_filter(" ") == EventFilter()


@pytest.mark.parametrize(
    "chosen",
    [
        EventFilter(type='a "b" \\ c', source="x:y", server="\u202e", until=NEW_YEAR + 1),
        EventFilter(EventState.DEAD, since=NEW_YEAR + 60_000, cause="0123456789ab"),
        EventFilter(player='"'),
        EventFilter(player="\\", server="\n"),
        ReportFilter(ReportState.WAITING, "sud", "round settled", NEW_YEAR, NEW_YEAR + 5, "ab"),
    ],
    ids=str,
)
def test_a_filter_is_the_same_once_it_was_written_and_read(
    chosen: EventFilter | ReportFilter,
) -> None:
    parse = parse_event_filter if isinstance(chosen, EventFilter) else parse_report_filter
    assert parse(str(chosen)) == chosen


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("state:ded", 'state: "ded" is none: waiting, settled, dead'),
        ("colour:red", '"colour" is nothing to look for: state, type'),
        ("Bob", '"Bob" is no condition: write NAME:VALUE'),
        ('player:"Bob', "player: "),
        ('player:"Bob"by', "player: "),
        ("player:", "player: it has no value"),
        ("since:yesterday", 'since: "yesterday" is no time: 2026-01-31'),
        ("since:0001-01-01T00:00+08:00", "since: "),
        ("type:a type:b", "type: it is said twice"),
        ("since:2026-01-02 until:2026-01-02", "until: it must be later than since"),
        ("state:dead player:Bob", "player and server are known of settled events alone"),
        ("cause:ab server:1", "player and server are known of settled events alone"),
        ("state:settled cause:ab", "a settled event has no cause"),
        (f"type:{'x' * 256}", "type: at most 255 characters"),
        ("type:\ud800", "type: at most 255 characters"),
        ("x" * 5000, "a filter has at most 4,000 characters"),
    ],
)
def test_what_is_no_filter_is_said_by_its_name(text: str, said: str) -> None:
    with pytest.raises(BadFilter) as error:
        parse_event_filter(text)

    assert str(error.value).startswith(said)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ('no player is called "Bob"', "no player is called …"),
        ("the vote API: it answered 404", "the vote API: it answered 404"),
        ("it answered 400, ret_code 100023: round 55 is over",
         "it answered 400, ret_code 100023: round … is over"),
        ("no connection to 127.0.0.1:8000", "no connection to …"),
        ("votes v1, v2 and 9824cabb-2203 of 'Bob' at deadbeefcafe", "votes … and … of … at …"),
        ("the player's name isn't Bob's", "the player's name isn't Bob's"),
        ('cut off in "the midd', "cut off in …"),
        ("", ""),
    ],
)  # fmt: skip
def test_errors_of_one_cause_have_the_same_words(error: str, words: str) -> None:
    assert make_fingerprint(error) == words
    assert make_fingerprint(words) == words


def test_a_cause_is_of_one_source() -> None:
    names = {name_cause("a", "x 1"), name_cause("a", "x 2"), name_cause("b", "x 2")}

    assert len(names) == 2
    assert name_cause("ab", "c") != name_cause("a", "bc")


@pytest.mark.parametrize("part", ["'", '"', "“", ".", "a.", "…,", "a'", "0", "answered 1 "])
def test_no_strangers_words_take_long(part: str) -> None:
    began = time.process_time()
    for number in range(20):
        make_fingerprint(f"{part * 250}{number}")
    assert time.process_time() - began < 1
