"""What is kept of what people did may name a player: found, and replaced where it stands for him."""

import re
from dataclasses import dataclass
from typing import Any

from app.database.act_models import Act
from app.database.opening import Database
from app.history.qualifiers import PART, join_qualifiers
from app.privacy.person import Person

PLAYER = "player"
ROWS_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class NotedAct:
    """An act whose `about` may name a player."""

    id: int
    about: str


def list_acts_about(database: Database, person: Person) -> list[NotedAct]:
    """The acts whose `about` may name a person; there is one for each thing that somebody did."""
    found: list[NotedAct] = []
    last = 0
    while rows := database.read(lambda after=last: list(read_after(after))):  # type: ignore[misc]
        found += [NotedAct(*row) for row in rows if person.is_in(row[1])]
        last = rows[-1][0]
    return found


def read_after(last: int) -> Any:
    query = Act.select(Act.id, Act.about).where(Act.id > last)
    return query.order_by(Act.id).limit(ROWS_AT_ONCE).tuples()


def replace_about(person: Person, about: str) -> str:
    """With the pseudonym where `about` means him: in a filter as its player, in an event's id as a part."""
    if is_filter(about):
        return PART.sub(lambda found: replace_qualifier(person, found), about).strip()
    type, space, id = about.partition(" ")
    return f"{type} {person.replace_id(id)}" if space and names(person, id) else about


def is_filter(text: str) -> bool:
    """Whether all of a text are qualifiers, as `player:Bob state:dead`."""
    parts = list(PART.finditer(text))
    return bool(parts) and all(part[1] for part in parts)


def names(person: Person, id: str) -> bool:
    return ":" in id and person.is_part_of(id)


def replace_qualifier(person: Person, found: re.Match[str]) -> str:
    name, quoted, plain, _ = found.groups()
    value = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)
    replaced = person.find(value) if name == PLAYER else None
    return f" {join_qualifiers({name: replaced})}" if replaced else found[0]
