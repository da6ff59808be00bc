"""Pages of a table by its key: the next one begins where this one ends, however much comes meanwhile."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from flask import request, url_for

Row = TypeVar("Row")


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Rows, the latest first; `older` and `newest` are addresses, "" where they lead nowhere."""

    rows: list[Row]
    older: str
    newest: str


def cut_page(model: type[Row], where: Any, most: int, before: int | None, name: str) -> Page[Row]:
    """The rows of `model` with ids below `before`; `name` is what the address calls that."""
    table: Any = model
    below = where & (table.id < before) if before is not None else where
    rows = list(table.select().where(below).order_by(table.id.desc()).limit(most + 1))
    shown = rows[:most]
    older = change_address(name, shown[-1].id) if len(rows) > most else ""
    return Page(shown, older, change_address(name, None) if before is not None else "")


def change_address(name: str, value: Any) -> str:
    """The address of this page with one of its arguments changed, or left out for None."""
    arguments: dict[str, Any] = {key: one for key, one in request.args.items() if key != name}
    if value is not None:
        arguments[name] = value
    return url_for(str(request.endpoint), **arguments)
