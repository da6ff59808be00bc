"""What each recipe of docs/rules.md earns: by its title a short history, told as a game designer would.

All times are those of the page's own [calendar]. Votes come in the order in which they stand here, so one
that stands after a later one has come late.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Earned = Mapping[str, Sequence[str]]  # by player, or by "server 1": as "gold 50.00"


@dataclass(frozen=True)
class Step:
    """Something that happens at a time, and what everybody earns by it, in all."""

    at: str = ""
    votes: Sequence[tuple[str, Mapping[str, Any]]] = ()  # each player, with what his vote says
    earned: Earned = field(default_factory=dict)
    roles: Sequence[tuple[str, str]] = ()  # that players hold from now on
    is_served: bool = False  # parties and rankings that are due are paid


def vote(at: str, who: str, *each_earns: str, times: int = 1, **says: Any) -> Step:
    """So many votes in one batch, of these players in turn; what each of them earns by all of his."""
    names = who.split()
    votes = [(names[number % len(names)], says) for number in range(max(times, len(names)))]
    return Step(at, votes, dict.fromkeys(names, each_earns) if each_earns else {})


def wait(at: str, earned: Mapping[str, str] | None = None) -> Step:
    """Until this time, when whatever is due by then is paid."""
    return Step(at, earned={who: [what] for who, what in (earned or {}).items()}, is_served=True)


def give_role(who: str, role: str) -> Step:
    return Step(roles=[(who, role)])


CROWD = " ".join([f"p{number}" for number in range(1, 100)])  # 99 players
KEY, SOUND = "item crate key 1", {"rank": 1, "is_escaped": 0}
CLAIM = "claim crate giveall party 1"
CHAMPION, PLACED = "role champion 31", "gold 500.00"
PRIZES = [*["gold 25.00"] * 69, *["item emerald 1"] * 23, *["vip 1"] * 5]

HISTORIES: dict[str, Sequence[Step]] = {
    "First vote of the day": [
        vote("2026-11-02 09:00", "Bob", "gold 50.00"),
        vote("2026-11-02 23:59", "Bob"),
        vote("2026-11-03 00:00", "Bob Eve", "gold 50.00"),
        vote("2026-11-02 12:00", "Bob"),
        vote("2026-11-01 12:00", "Bob", "gold 50.00"),
    ],
    "First vote ever": [
        vote("2026-11-02 09:00", "Bob", "item starter kit 1", times=2),
        vote("2026-11-02 10:00", "Eve", "item starter kit 1"),
        vote("2027-11-02 09:00", "Bob"),
    ],
    "Every 25th vote": [
        vote("2026-11-02 09:00", "Bob", times=24),
        vote("2026-11-03 09:00", "Bob", KEY, times=2),
        vote("2026-11-04 09:00", "Bob", times=23),
        vote("2026-11-05 09:00", "Bob", KEY),
        vote("2026-11-06 09:00", "Eve", KEY, times=49),
    ],
    "Milestones at 50, 100 and 250": [
        vote("2026-11-02 09:00", "Bob", times=49),
        vote("2026-11-03 09:00", "Bob", "vip 7"),
        vote("2026-11-04 09:00", "Bob", times=49),
        vote("2026-11-05 09:00", "Bob", "vip 7"),
        vote("2026-11-05 10:00", "Bob", times=149),
        vote("2026-11-05 11:00", "Bob", "vip 7"),
        vote("2026-11-06 09:00", "Bob", times=60),
    ],
    "Milestones of a month": [
        vote("2026-11-02 09:00", "Bob", times=9),
        vote("2026-11-03 09:00", "Bob", "gold 300.00"),
        vote("2026-11-30 22:00", "Bob", times=19),
        vote("2026-12-01 00:00", "Bob", times=9),
        vote("2026-11-30 23:59", "Bob", "gold 300.00"),
        vote("2026-12-01 09:00", "Bob", "gold 300.00"),
    ],
    "All five sites in one day": [
        *[vote("2026-11-02 09:00", "Bob", site=site) for site in "abcda"],
        vote("2026-11-02 21:00", "Bob", "gold 200.00", site="e"),
        *[vote("2026-11-02 22:00", "Bob", site=site) for site in "abf"],
        *[vote("2026-11-03 09:00", "Bob", site=site) for site in "abcd"],
        *[vote("2026-11-04 09:00", "Bob", site=site) for site in "edcb"],
        vote("2026-11-04 10:00", "Bob", "gold 200.00", source="hilltop"),
    ],
    "Seven days in a row": [
        *[vote(f"2026-11-0{day} 09:00", "Bob", times=2) for day in (2, 3, 4, 6, 7, 8)],
        vote("2026-11-05 23:00", "Bob", "vip 1"),
        *[vote(f"2026-11-{day:02} 09:00", "Bob") for day in range(9, 15)],
        vote("2026-11-15 09:00", "Bob", "vip 1"),
        *[vote(f"2026-11-{day} 09:00", "Bob") for day in range(17, 23)],
        vote("2026-11-23 09:00", "Bob", "vip 1"),
    ],
    "Weekly streak": [
        *[vote(f"2026-11-{day} 09:00", "Bob", times=3) for day in ("04", "15", "16")],
        vote("2026-11-29 23:59", "Bob", "item loyalty chest 1"),
        *[vote(f"2026-12-{day} 09:00", "Bob") for day in ("01", "15", "22", "29")],
        vote("2027-01-04 09:00", "Bob", "item loyalty chest 1"),
    ],
    "A missed day is forgiven": [
        *[vote(f"2026-11-{day:02} 09:00", "Bob") for day in (1, 2, 4, 5, 7, 8, 10, 11, 13)],
        vote("2026-11-15 09:00", "Bob", "role faithful 30"),
        *[vote(f"2026-11-{day:02} 09:00", "Eve") for day in (1, 2, 3, 4, 5, 6, 7, 8, 11, 12)],
    ],
    "Two votes a day for the day to count": [
        vote("2026-11-02 09:00", "Bob", times=2),
        vote("2026-11-03 09:00", "Bob", times=2),
        vote("2026-11-04 09:00", "Bob"),
        vote("2026-11-04 21:00", "Bob", "gold 120.00"),
        vote("2026-11-05 09:00", "Bob", times=1),
        *[vote(f"2026-11-0{day} 09:00", "Bob", times=2) for day in (6, 7)],
        vote("2026-11-08 09:00", "Bob", "gold 120.00", times=3),
    ],
    "Weekend bonus": [
        vote("2026-11-06 23:59", "Bob"),
        vote("2026-11-07 00:00", "Bob", "gold 25.00"),
        vote("2026-11-08 23:59", "Bob", "gold 25.00", "gold 25.00", times=2),
        vote("2026-11-09 00:00", "Bob"),
    ],
    "Happy hour in the evening": [
        vote("2026-07-01 17:59", "Bob"),
        vote("2026-07-01 18:00", "Bob", "gold 40.00"),
        vote("2026-11-02 17:59", "Bob"),
        vote("2026-11-02 18:00", "Bob", "gold 40.00"),
        vote("2026-11-02 21:59", "Bob", "gold 40.00"),
        vote("2026-11-02 22:00", "Bob"),
    ],
    "Season event": [
        vote("2026-11-30 23:59", "Bob"),
        vote("2026-12-01 00:00", "Bob", "item snowflake 1"),
        vote("2026-12-31 23:59", "Bob", "item snowflake 1"),
        vote("2027-01-01 00:00", "Bob"),
    ],
    "Milestones of a season": [
        vote("2026-11-30 09:00", "Bob", times=10),
        vote("2026-12-01 09:00", "Bob", times=4),
        vote("2026-12-31 09:00", "Bob", "item ice crown 1"),
        vote("2026-12-31 10:00", "Bob", times=14),
        vote("2027-01-01 09:00", "Bob"),
        vote("2026-12-31 23:59", "Bob", "item ice crown 1"),
        vote("2027-01-01 09:00", "Bob", times=30),
    ],
    "Vote party of 50 for the voters": [
        vote("2026-11-02 09:00", "Bob Eve", times=49),
        wait("2026-11-02 10:00"),
        vote("2026-11-03 09:00", "Kim", times=2),
        wait("2026-11-03 10:00", dict.fromkeys(("Bob", "Eve", "Kim"), "item party key 1")),
        vote("2026-11-04 09:00", "Lea", times=48),
        wait("2026-11-04 10:00"),
        vote("2026-11-04 11:00", "Lea"),
        wait("2026-11-04 12:00", dict.fromkeys(("Kim", "Lea"), "item party key 1")),
    ],
    "Party on the server": [
        vote("2026-11-02 09:00", "Bob", server="1", times=49),
        vote("2026-11-02 10:00", "Bob", server="2", times=49),
        wait("2026-11-02 11:00"),
        vote("2026-11-02 12:00", "Eve", server="1"),
        wait("2026-11-02 13:00", {"server 1": CLAIM}),
    ],
    "Party of the day": [
        vote("2026-11-02 23:00", "Bob Eve", times=29),
        vote("2026-11-03 00:00", "Kim", times=29),
        wait("2026-11-03 01:00"),
        vote("2026-11-03 02:00", "Lea"),
        wait("2026-11-03 03:00", dict.fromkeys(("Kim", "Lea"), "gold 75.00")),
        vote("2026-11-02 23:59", "Max"),
        wait("2026-11-03 04:00", dict.fromkeys(("Bob", "Eve", "Max"), "gold 75.00")),
    ],
    "Top voter of the month, and places 2 to 10": [
        *[vote("2026-11-02 09:00", f"p{place}", times=30 - place) for place in range(1, 13)],
        vote("2026-12-01 00:30", "Bob", times=40),
        vote("2026-11-30 23:59", "p11", times=2),
        wait("2026-12-01 00:59"),
        wait(
            "2026-12-01 01:00",
            {"p1": CHAMPION} | {f"p{place}": PLACED for place in (*range(2, 10), 11)},
        ),
        vote("2026-11-30 12:00", "p12", times=50),
        vote("2026-12-31 23:59", "Eve", times=40),
        vote("2026-12-31 23:59", "Kim", times=2),
        wait("2027-01-08 00:00", {"Bob": CHAMPION, "Eve": CHAMPION, "Kim": PLACED}),
    ],
    "The week's top three, by who was first": [
        *[vote(f"2026-11-0{day} 09:00", "Bob Eve Kim Lea") for day in (2, 3)],
        *[vote(f"2026-11-08 1{hour}:00", who) for hour, who in enumerate(["Eve", "Bob", "Kim"])],
        vote("2026-11-08 23:59", "Lea"),
        vote("2026-11-09 00:00", "Max", times=9),
        wait("2026-11-09 01:00", dict.fromkeys(("Bob", "Eve", "Kim"), "item trophy 1")),
    ],
    "Once a day at most": [
        vote("2026-11-02 09:00", "Bob", site="elsewhere"),
        vote("2026-11-02 10:00", "Bob", "item chest 1", site="hilltop"),
        vote("2026-11-02 23:59", "Bob", site="lakeside"),
        vote("2026-11-03 00:00", "Bob Eve", "item chest 1", site="lakeside"),
    ],
    "At most one in 12 hours": [
        vote("2026-11-02 18:00", "Bob", "item golden apple 1"),
        vote("2026-11-03 05:59", "Bob"),
        vote("2026-11-03 06:00", "Bob", "item golden apple 1", times=2),
        vote("2026-11-02 09:00", "Bob"),
        vote("2026-11-02 06:00", "Bob Eve", "item golden apple 1"),
    ],
    "The first hundred": [
        vote("2026-11-02 09:00", CROWD, "role founder"),
        vote("2026-11-03 09:00", "p1"),
        vote("2027-11-03 10:00", "Bob", "role founder"),
        vote("2028-11-03 11:00", "Eve"),
    ],
    "500 in a month": [
        vote("2026-11-02 09:00", "Bob Eve", *["item diamond 1"] * 249, times=498),
        vote("2026-11-30 23:00", "Kim", *["item diamond 1"] * 2, times=3),
        vote("2026-12-01 00:00", "Kim", "item diamond 1"),
    ],
    "A budget of gold for a month": [
        vote("2026-11-02 09:00", "Bob", *["gold 250.00", "gold 1.00"] * 199, times=199),
        vote("2026-11-03 09:00", "Eve", *["gold 1.00"] * 51, times=52),
        vote("2026-12-01 00:00", "Eve", "gold 250.00", "gold 1.00"),
    ],
    # What is drawn hangs on the secret of the test, the rule's name and the number of the vote.
    "Lucky box, one in a hundred": [
        vote("2026-11-02 09:00", "Bob", times=12),
        vote("2026-11-03 09:00", "Bob", "item lucky box 1"),
        vote("2026-11-04 09:00", "Bob", "item lucky box 1", times=87),
        vote("2026-11-05 09:00", "Bob", times=76),
        vote("2026-11-06 09:00", "Bob", "item lucky box 1"),
    ],
    "Always exactly one prize": [
        vote("2026-11-02 09:00", "Bob", "vip 1"),
        vote("2026-11-03 09:00", "Bob", "gold 25.00"),
        vote("2026-11-04 09:00", "Bob", "item emerald 1"),
        vote("2026-11-05 09:00", "Bob", *PRIZES, times=97),
    ],
    "Members only": [
        vote("2026-11-02 09:00", "Bob", times=10),
        give_role("Bob", "guest"),
        vote("2026-11-03 09:00", "Bob", times=10),
        give_role("Bob", "member"),
        vote("2026-11-04 09:00", "Bob", times=9),
        vote("2026-11-05 09:00", "Bob", "gold 400.00"),
        vote("2026-11-06 09:00", "Eve", times=9),
        give_role("Eve", "patron"),
        vote("2026-11-07 09:00", "Eve", "gold 400.00"),
    ],
    "One server only": [
        vote("2026-11-02 09:00", "Bob", server="2", times=4),
        vote("2026-11-02 10:00", "Bob", server="1", times=5),
        vote("2026-11-02 11:00", "Bob", times=5),
        vote("2026-11-03 09:00", "Bob", "claim sapling Bob", server="2"),
    ],
    "One site only": [
        vote("2026-11-02 09:00", "Bob", times=9),
        vote("2026-11-02 10:00", "Bob", source="hilltop", times=3),
        vote("2026-11-03 09:00", "Bob", "gold 500.00"),
        vote("2026-11-03 10:00", "Bob", source="hilltop"),
    ],
    "A higher level in the game": [
        vote("2026-11-02 09:00", "Bob", on="level_up", level=9),
        vote("2026-11-03 09:00", "Bob", "gold 1000.00", on="level_up", level=12),
        vote("2026-11-04 09:00", "Bob", on="level_up", level=13),
        vote("2026-11-05 09:00", "Eve", "gold 1000.00", on="level_up", level=10),
    ],
    "Winner of a round": [
        vote("2026-11-02 09:00", "Bob", on="game_settle", rank=2, is_escaped=0),
        vote("2026-11-02 09:30", "Bob", on="game_settle", rank=1, is_escaped=1),
        *[vote("2026-11-02 10:00", "Bob", "gold 50.00", on="game_settle", **SOUND)] * 3,
        vote("2026-11-02 12:00", "Bob", on="game_settle", **SOUND),
        vote("2026-11-02 12:00", "Eve", "gold 50.00", on="game_settle", **SOUND),
        vote("2026-11-03 00:00", "Bob Eve", "gold 50.00", on="game_settle", **SOUND),
    ],
}
