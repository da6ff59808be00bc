"""Puts the pseudonym into rows, inside a transaction; each step may come again and changes nothing then.

What is a player's own loses its texts; what is others' has his name replaced where it stands for him.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from app.counting.kept_facts import reduce_data
from app.counting.occasions import SOURCE
from app.database.opening import Database
from app.database.states import BoxState
from app.porch.json import dump_json
from app.privacy.acts import NotedAct, replace_about
from app.privacy.person import GONE, Person, list_texts
from app.privacy.searching import join_ids

Counts = Counter[str]
ATTEMPTS = f"UPDATE guerdon_attempts SET detail = '{GONE}' WHERE detail <> '' AND "


class Rewriter:
    """Rewrites rows of one person at a time (ms); `asked` are the facts that rules ask, by type."""

    def __init__(
        self,
        database: Database,
        person: Person,
        asked: Mapping[str, set[str]],
        now: int,
        acts: Sequence[NotedAct] = (),
    ) -> None:
        """`acts` may be about events of this person."""
        self._acts = acts
        self._database = database
        self._person = person
        self._asked = asked
        self._now = now

    def rewrite_events(self, ids: Sequence[int]) -> Counts:
        """His own events with all that hangs on them: grants, reports, sends, what is left in the inbox."""
        columns = ("id", "ordered_key", "source", "type", "event_id", "nickname", "user_id", "data")
        rows = self._ask("guerdon_events", columns, ids)
        for id, _, source, type, event_id, nickname, user_id, data in rows:
            changes = {
                "event_id": self._person.replace_id(event_id),
                "nickname": self._rename(nickname),
                "user_id": self._rename_id(source, user_id),
                "data": self._replace_facts(source, reduce_data(source, type, data, self._asked)),
            }
            self._change("guerdon_events", id, changes)
            self._rename_uses(type, event_id, changes["event_id"])
        self._run(f"UPDATE guerdon_events SET stripped_at = {int(self._now)}"
                  f" WHERE stripped_at IS NULL AND id IN ({join_ids(ids)})")  # fmt: skip
        counts = Counter(events=len(rows), grants=self.rewrite_grants(self._list_grants(ids)))
        counts += self._rewrite_reports(self._list_reports(ids))
        return counts + self._clear_inbox([bytes(row[1]) for row in rows])

    def rewrite_grants(self, ids: Sequence[int]) -> int:
        """His own grants; how many. What a rule says itself stays: it names nobody."""
        columns = ("id", "event", "nickname", "user_id", "params", "receipt")
        rows = self._ask("guerdon_grants", columns, ids)
        sources = dict(self._read("guerdon_events", ("id", "source"), {row[1] for row in rows}))
        for id, event, nickname, user_id, params, receipt in rows:
            said = self._person.replace_in_own(json.loads(receipt), list_texts(json.loads(params)))
            changes = {
                "nickname": self._rename(nickname),
                "user_id": self._rename_id(sources.get(event, ""), user_id),
                "receipt": dump_json(said),
            }
            self._change("guerdon_grants", id, changes)
        return len(rows)

    def rewrite_claims(self, ids: Sequence[int]) -> Counts:
        """His own claims, none of which is open any more."""
        columns = ("id", "event_id", "payload", "last_error", "answer")
        rows = self._ask("guerdon_claims", columns, ids)
        for id, event_id, payload, error, answer in rows:
            said = self._person.replace_in_own(json.loads(payload))
            changes = {
                "nickname": self._person.pseudonym,
                "event_id": self._person.replace_id(event_id),
                "payload": dump_json(said),
                "last_error": self._person.replace_quoted(error),
                "answer": None
                if answer is None
                else "",  # a game's words, in which he may be named
            }
            self._change("guerdon_claims", id, changes)
        return Counter(claims=len(rows))

    def rewrite_mentions(self, ids: Sequence[int]) -> Counts:
        """Events of others that name him, as a round does; and what was reported of them."""
        rows = self._ask("guerdon_events", ("id", "source", "user_id", "data"), ids)
        for id, source, user_id, data in rows:
            said = json.loads(data)
            said = (
                self._replace_payees(said)
                if source == SOURCE
                else self._person.replace_in_others(said)
            )
            changes = {"user_id": self._person.find(user_id) or user_id, "data": dump_json(said)}
            self._change("guerdon_events", id, changes)
        for report, body, response in self._ask(
            "guerdon_reports", ("id", "body", "response"), self._list_reports(ids)
        ):
            said = {
                "body": self._replace_body(bytes(body)),
                "response": self._replace_json(response),
            }
            self._change("guerdon_reports", report, said)
            sends = self._list_ids("guerdon_sends", "report", [report])
            for send, answer in self._ask("guerdon_sends", ("id", "answer"), sends):
                self._change("guerdon_sends", send, {"answer": self._replace_json(answer)})
        return Counter(mentions=len(rows))

    def rewrite_rounds(self, ids: Sequence[int]) -> Counts:
        """Rounds that wait for somebody to have them tried again."""
        for id, data, error in self._ask("guerdon_inbox", ("id", "data", "last_error"), ids):
            said = dump_json(self._person.replace_in_others(json.loads(data)))
            changes = {"data": said, "last_error": self._person.replace_quoted(error)}
            self._change("guerdon_inbox", id, changes)
        return Counter(mentions=len(ids))

    def rewrite_reasons(self, table: str, column: str, ids: Sequence[int]) -> Counts:
        """Sentences about others that quote him."""
        for id, text in self._ask(table, ("id", column), ids):
            self._change(table, id, {column: self._person.replace_quoted(text)})
        return Counter(mentions=len(ids))

    def rewrite_acts(self, acts: Sequence[NotedAct]) -> Counts:
        """What people did: their filters, and the ids of what is not here any more, where they name him."""
        replaced = [(one.id, one.about, replace_about(self._person, one.about)) for one in acts]
        changed = [(id, about) for id, before, about in replaced if about != before]
        for id, about in changed:
            self._change("guerdon_acts", id, {"about": about})
        return Counter(acts=len(changed))

    def drop_waiting(
        self, ids: Sequence[int], states: Collection[str] = (BoxState.DEAD,)
    ) -> Counts:
        """Deliveries that never were settled, and the tries of them: sent again, each is a new one.

        One that is not in one of `states` any more stays: whoever had it tried again is not overruled.
        """
        held = self._ask("guerdon_inbox", ("id", "ordered_key", "state", "type", "event_id"), ids)
        rows = [row for row in held if row[2] in states]
        for _, _, _, type, event_id in rows:
            self._rename_acts(type, event_id, self._person.replace_id(event_id))
        self._by_key("DELETE FROM guerdon_attempts WHERE ", [bytes(row[1]) for row in rows])
        if rows:
            self._run(f"DELETE FROM guerdon_inbox WHERE id IN ({join_ids(row[0] for row in rows)})")
        return Counter(inbox=len(rows))

    def _rewrite_reports(self, ids: Sequence[int]) -> Counts:
        """Reports about him: what was said and answered goes, and none of them is ever sent again."""
        if not ids:
            return Counter()
        listed = join_ids(ids)
        for id, key in self._ask("guerdon_reports", ("id", "key"), ids):
            self._change("guerdon_reports", id, {"key": self._person.replace_id(key)})
        mark = self._database.param
        self._run(
            f"UPDATE guerdon_reports SET body = {mark}, response = NULL, last_error = CASE WHEN"
            f" last_error = '' THEN '' ELSE '{GONE}' END, stripped_at = {int(self._now)}"
            f" WHERE id IN ({listed})", (b"",),
        )  # fmt: skip
        self._run(
            "UPDATE guerdon_sends SET answer = '', error = CASE WHEN error = '' THEN '' ELSE"
            f" '{GONE}' END WHERE report IN ({listed})"
        )
        return Counter(reports=len(ids))

    def _clear_inbox(self, keys: Sequence[bytes]) -> Counts:
        """What waited once, of his own events."""
        mark = self._database.param
        if not keys:
            return Counter()
        marks = ", ".join([mark] * len(keys))
        sql = f"SELECT id, event_id FROM guerdon_inbox WHERE ordered_key IN ({marks})"
        rows = self._database.execute_sql(sql, list(keys)).fetchall()
        for id, event_id in rows:
            changes = {"event_id": self._person.replace_id(event_id), "data": "{}",
                       "last_error": GONE, "state": str(BoxState.SETTLED)}  # fmt: skip
            self._change("guerdon_inbox", id, changes)
        self._by_key(ATTEMPTS, keys)
        return Counter(inbox=len(rows))

    def _by_key(self, sql: str, keys: Sequence[bytes]) -> None:
        if keys:
            marks = ", ".join([self._database.param] * len(keys))
            self._run(f"{sql}ordered_key IN ({marks})", keys)

    def _rename(self, name: str) -> str:
        return self._person.pseudonym if name else ""

    def _rename_id(self, source: str, user_id: str) -> str:
        """The user id of an event; of our own events it is the player's key."""
        if source == SOURCE:
            return self._person.find(user_id) or user_id
        return self._rename(user_id)

    def _rename_uses(self, type: str, before: str, after: str) -> None:
        """Limits say which event used them last, and acts which was tried again or repaid."""
        if before != after:
            self._rename_acts(type, before, after)
            mark = self._database.param
            keys = sorted({"", *self._person.keys})
            marks = ", ".join([mark] * len(keys))
            sql = f"UPDATE guerdon_limits SET event = {mark} WHERE player_id IN ({marks}) AND event = {mark}"
            self._run(sql, [f"{type} {after}", *keys, f"{type} {before}"])

    def _rename_acts(self, type: str, before: str, after: str) -> None:
        for act in self._acts:
            if act.about == f"{type} {before}" and before != after:
                self._change("guerdon_acts", act.id, {"about": f"{type} {after}"})

    def _replace_facts(self, source: str, data: str) -> str:
        """Of the facts that are left those that name him; of our own events what names a payee."""
        said = json.loads(data)
        return dump_json(
            self._replace_payees(said) if source == SOURCE else self._person.replace_in_others(said)
        )

    def _replace_payees(self, data: dict[str, Any]) -> dict[str, Any]:
        """A party's or a ranking's: the keys of whom it pays; a backfill's, the event that it pays for."""
        lists: dict[str, Any] = {
            name: [[self._person.find(row[0]) or row[0], *row[1:]] for row in data[name]]
            for name in ("voters", "table")
            if self._person.new_key and name in data
        }
        if isinstance(data.get("id"), str):
            lists["id"] = self._person.replace_id(data["id"])
        return {**data, **lists}

    def _replace_json(self, text: str | None) -> str | None:
        """In an answer of a platform; what is no JSON and may name him goes."""
        if not text or not self._person.is_in(text):
            return text
        try:
            return dump_json(self._person.replace_in_others(json.loads(text)))
        except ValueError:
            return GONE

    def _replace_body(self, body: bytes) -> bytes:
        """In a report about others. One that is no JSON is its reporter's to know; it stays."""
        try:
            text = body.decode()
            return (self._replace_json(text) or "").encode() if json.loads(text) else body
        except ValueError:
            return body

    def _list_grants(self, events: Sequence[int]) -> list[int]:
        """Those of the events that he was given, and not a server with him."""
        sql = f"SELECT id, player_id FROM guerdon_grants WHERE event IN ({join_ids(events)})"
        rows = self._database.execute_sql(sql).fetchall() if events else []
        return [id for id, player in rows if player]

    def _list_reports(self, events: Sequence[int]) -> list[int]:
        return self._list_ids("guerdon_reports", "event", events)

    def _list_ids(self, table: str, column: str, values: Iterable[int]) -> list[int]:
        listed = join_ids(values)
        sql = f"SELECT id FROM {table} WHERE {column} IN ({listed})"
        return [row[0] for row in self._database.execute_sql(sql).fetchall()] if listed else []

    def _ask(self, table: str, columns: Sequence[str], ids: Sequence[int]) -> Sequence[Any]:
        """The rows, held until our transaction has ended: another erasure may rewrite them too."""
        held = " FOR UPDATE" if self._database.family == "mysql" else ""
        return self._read(table, columns, ids, held)

    def _read(
        self, table: str, columns: Sequence[str], ids: Iterable[int], held: str = ""
    ) -> Sequence[Any]:
        quote, listed = self._database.quote[0], join_ids(ids)
        if not listed:
            return []
        names = ", ".join(f"{quote}{column}{quote}" for column in columns)
        sql = f"SELECT {names} FROM {table} WHERE id IN ({listed}) ORDER BY id{held}"
        rows: Sequence[Any] = self._database.execute_sql(sql).fetchall()
        return rows

    def _change(self, table: str, id: int, changes: Mapping[str, Any]) -> None:
        quote, mark = self._database.quote[0], self._database.param
        said = ", ".join(f"{quote}{column}{quote} = {mark}" for column in changes)
        self._run(f"UPDATE {table} SET {said} WHERE id = {int(id)}", list(changes.values()))

    def _run(self, sql: str, params: Sequence[Any] = ()) -> None:
        self._database.execute_sql(sql, list(params))
