"""A filter as the fields of a form: in the address of a list, and back into it."""

from dataclasses import dataclass, fields, replace
from typing import Any

from flask import request, url_for

from app.history.filters import (
    EventFilter,
    ReportFilter,
    list_qualifiers,
    parse_event_filter,
    parse_report_filter,
    read_filter,
)
from app.history.qualifiers import BadFilter
from app.upkeep.planning import list_states

TRIMMED = ("state", "since", "until")


@dataclass(frozen=True)
class FilterForm:
    """What somebody asked for by fields; `chosen` is None where that is no filter, and `fault` says why.

    `wrong` is the field's name, "" where it is no single one.
    """

    values: dict[str, str]
    chosen: EventFilter | ReportFilter | None
    fault: str = ""
    wrong: str = ""

    def refuse(self, fault: str) -> "FilterForm":
        """The same with a fault, which begins with the name of its field."""
        name, colon, _ = fault.partition(":")
        wrong = name if colon and name in self.values else ""
        return replace(self, chosen=None, fault=fault, wrong=wrong)

    @property
    def can_plan(self) -> bool:
        """Whether it is of rows alone that wait or are dead, so that all of it may be tried again."""
        return self.chosen is not None and is_of_open(self.chosen) and may_retry(self.chosen)


def read_form(empty: EventFilter | ReportFilter) -> FilterForm:
    """The fields of this kind of filter, as the address has them."""
    values = {field.name: request.args.get(field.name, "") for field in fields(empty)}
    values |= {name: values[name].strip() for name in TRIMMED}
    form = FilterForm(values, None)
    try:
        return replace(form, chosen=read_filter(empty, values))
    except BadFilter as error:
        return form.refuse(str(error))


def is_of_open(chosen: EventFilter | ReportFilter) -> bool:
    if isinstance(chosen, EventFilter):
        return not chosen.may_be_settled
    return chosen.is_of_open


def may_retry(chosen: EventFilter | ReportFilter) -> bool:
    """Whether rows of this filter may be tried again by a person."""
    try:
        return bool(list_states(chosen))
    except BadFilter:
        return False


def parse_filter(box: str, text: str) -> EventFilter | ReportFilter:
    """The filter of a text, of "events" or "reports"; raises BadFilter."""
    return parse_event_filter(text) if box == "events" else parse_report_filter(text)


def find_address(chosen: EventFilter | ReportFilter) -> str:
    """The list of what a filter means."""
    view = "show_events" if isinstance(chosen, EventFilter) else "show_reports"
    arguments: dict[str, Any] = list_qualifiers(chosen)
    return url_for(f"screens.{view}", **arguments)
