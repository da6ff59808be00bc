"""Every page of the dashboard, asked for as a browser does, and how long the database took for each.

The pages are those that the tests open, and whatever else the dashboard answers without an argument: a page
that is new is measured without a line here.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import unescape
from statistics import median
from types import SimpleNamespace
from typing import Any

from flask import Flask

from app.dashboard.building import build_dashboard
from app.database.models import Event, Report, Waiting
from app.database.opening import Database
from app.database.states import BoxState
from bench.filling import VOTE
from bench.guerdon import Guerdon
from tests.dashboard.screens import SCREENS
from tests.world.running_dashboards import PASSWORD

FETCHES = ("fetchone", "fetchall", "fetchmany")
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
MORE = ("/leaderboards?unit=month", "/leaderboards?unit=year", "/plots?window=year")
PLOT = re.compile(r'data-plot="([^"]+)"')
Visit = dict[str, Any]  # medians of ms in all and at the database, the most, statements, status


class TimedCursor:
    """A cursor whose fetching is timed: SQLite looks for a row when it is asked for it."""

    def __init__(self, cursor: Any, clock: "DatabaseClock") -> None:
        self._cursor, self._clock = cursor, clock

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._cursor, name)
        return self._clock.time(found) if name in FETCHES else found

    def __iter__(self) -> Iterator[Any]:
        while (row := self.fetchone()) is not None:
            yield row


class DatabaseClock:
    """How long statements take, and how many there are."""

    def __init__(self) -> None:
        self.seconds, self.statements = 0.0, 0

    def time(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **named: Any) -> Any:
            began = time.monotonic()
            try:
                return function(*arguments, **named)
            finally:
                self.seconds += time.monotonic() - began

        return timed

    @contextmanager
    def watch(self, database: Database) -> Iterator[None]:
        """Of all statements within."""
        execute = self.time(database.execute_sql)

        def execute_sql(*arguments: Any, **named: Any) -> Any:
            self.statements += 1
            return TimedCursor(execute(*arguments, **named), self)

        database.execute_sql = execute_sql  # type: ignore[method-assign]
        try:
            yield
        finally:
            del database.execute_sql


def visit_all(side: Guerdon, rounds: int) -> Iterator[tuple[str, Visit]]:
    """Each page by its address, with the median of some visits."""
    app = build_dashboard(side.inside)
    client = app.test_client()
    found = TOKEN.search(client.get("/sign-in").text)
    assert found
    who = {"name": "anna", "password": PASSWORD, "csrf_token": found[1]}
    assert client.post("/sign-in", data=who).status_code == 303
    addresses = dict.fromkeys([*list_addresses(app, side), *MORE])
    for address in list(addresses):  # and the numbers of the plots that are on them
        addresses |= dict.fromkeys(map(unescape, PLOT.findall(client.get(address).text)))
        wait_for_boards(app, address)
    for address in addresses:
        yield address, visit(client, side, address, rounds)


def wait_for_boards(app: Flask, address: str) -> None:
    """What is counted in the background is kept before pages are measured."""
    began, boards = time.monotonic(), app.extensions.get("kept boards")
    if boards is not None:
        boards.wait()
    if (took := time.monotonic() - began) > 0.1:
        print(f"{address} is counted in the background: {took:.1f} s, with rests", flush=True)


def visit(client: Any, side: Guerdon, address: str, rounds: int) -> Visit:
    visits = []
    for _ in range(rounds):
        clock, began = DatabaseClock(), time.monotonic()
        with clock.watch(side.inside.database):
            answer = client.get(address)
        visits.append((time.monotonic() - began, clock.seconds))
    total, database = (round(median(one) * 1000, 1) for one in zip(*visits, strict=True))
    return {
        "most": round(max(visits)[0] * 1000, 1), "total": total, "database": database,
        "statements": clock.statements, "status": answer.status_code,
    }  # fmt: skip


def list_addresses(app: Flask, side: Guerdon) -> list[str]:
    """What the tests open, on rows of this ledger, and every other page that needs no argument."""
    rows = find_rows(side)
    addresses = []
    for name, write in SCREENS.items():
        try:
            addresses.append(write(rows))
        except AttributeError as missing:
            print(f"the screen {name!r} is not measured: {missing}", flush=True)
    asked = {address.partition("?")[0] for address in addresses}
    for rule in app.url_map.iter_rules():
        is_page = rule.endpoint.startswith("screens.") and "GET" in (rule.methods or ())
        if is_page and not rule.arguments and rule.rule not in asked:
            addresses.append(rule.rule)
    return addresses


def find_rows(side: Guerdon) -> Any:
    """As the tests' ledgers tell what there is in them."""
    with side.inside.database.connection_context():
        event = Event.select().where(Event.source == VOTE[0]).order_by(Event.id.desc()).first()
        stuck = Waiting.select().where(Waiting.state == BoxState.DEAD).first()
        reports = [Report.select().where(Report.state == state).first().id
                   for state in (BoxState.DELIVERED, BoxState.DEAD)]  # fmt: skip
    return SimpleNamespace(
        player=event.nickname, event=event.event_id, type=event.type, stuck=stuck.event_id,
        report=reports[0], dead_report=reports[1],
    )  # fmt: skip
