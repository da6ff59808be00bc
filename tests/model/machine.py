"""What happens in a life of Guerdon: each rule does the same to both, and compares the answers."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import (
    MultipleResults,
    initialize,
    multiple,
    precondition,
    rule,
)

from app.database.keys import make_event_key
from app.history.reports import revive_reports
from app.porch.rounds import GAME_SERVER
from app.testing.deliveries import make_delivery
from app.testing.players import add_player
from app.testing.waiting import wait_until
from plugins.promo_codes import import_codes
from tests.model.agreement import (
    find_word,
    learn_order,
    read_rows,
    read_summary,
    tell_event,
)
from tests.model.life import (
    Life,
    apis,
    events,
    has_lived,
    hows,
    is_here,
    matches,
    nicknames,
    platforms,
    rule_sets,
    seconds,
    servers,
    unknowns,
    votes,
)
from tests.model.model import UNAVAILABLE, VOTE_API, Answer
from tests.model.model_rules import LEVEL_UP, VOTE, Event, Rule
from tests.model.stage import G123, VOTES
from tests.world.game_server import make_level_up
from tests.world.studio import send_due


class Machine(Life):
    """Deliveries, looks of the dispatcher, sends, claims, and what persons do."""

    @initialize(
        target=events,
        rules=rule_sets,
        match=matches,
        unknown=unknowns,
        players=st.sets(nicknames, min_size=1),
        some=st.lists(votes, max_size=4),
    )
    def begin(
        self,
        rules: Sequence[Rule],
        match: str,
        unknown: str,
        players: set[str],
        some: Sequence[tuple[str, str]],
    ) -> MultipleResults[Event]:
        self.model.rules, self.model.match, self.model.unknown = rules, match, unknown
        self.open()
        for nickname in sorted(players):
            self.appear(nickname)
        made = [self.make_vote(*vote) for vote in some]
        for event in made:
            self.take(event, "plainly")
        return multiple(*made)

    # Votes and levels

    def face(self, api: str | None = None, platform: str | None = None) -> None:
        """From now on the vote API, or the platform, does this."""
        world, outbox = self.stage.world, self.model.outbox
        self.model.vote_api = world.vote_api = api or world.vote_api
        outbox.platform = world.platform = platform or world.platform

    def make_vote(self, nickname: str, server: str) -> Event:
        event = Event(VOTE, f"v{len(self.stage.world.votes)}", server, nickname)
        self.stage.world.votes[event.id] = event
        return event

    @rule(target=events, nickname=nicknames, server=servers, how=hows, api=apis)
    def deliver(self, nickname: str, server: str, how: str, api: str | None = None) -> Event:
        self.face(api)
        event = self.make_vote(nickname, server)
        self.take(event, how)
        return event

    @precondition(lambda self: self.model.is_orderless)
    @rule(
        target=events,
        new=st.lists(votes, min_size=1, max_size=5),
        old=st.lists(events, max_size=3),
        api=apis.filter(lambda api: not VOTE_API[api or "up"][0]),
    )
    def deliver_at_once(
        self, new: Sequence[tuple[str, str]], old: Sequence[Event], api: str | None = None
    ) -> MultipleResults[Event]:
        """New votes and duplicates, by many connections; one of the new comes twice."""
        self.face(api)
        made = [self.make_vote(*vote) for vote in new]
        all_ = [*made, made[0], *(event for event in old if event.type == VOTE)]
        fewest = self.model.asked + len({event.key for event in all_} - self.model.settled.keys())
        answers = [self.model.accept(event) for event in all_]
        with ThreadPoolExecutor(len(all_)) as pool:
            responses = list(pool.map(self.stage.post_apart, all_))
        for answer, response in zip(answers, responses, strict=True):
            self.check_reply(answer, response)
        asked, most = self.stage.world.count(VOTES), fewest + len(all_)
        assert self.model.gone == "away" or fewest <= asked <= most
        self.model.asked = asked
        learn_order(self.model, read_rows(self.stage.store))
        return multiple(*made)

    @rule(
        target=events,
        uid=nicknames,
        server=st.sampled_from("12"),
        level=st.sampled_from([9, 10]),
        how=hows,
        wait=st.sampled_from([0, 1]),
        platform=platforms,
    )
    def level_up(
        self, uid: str, server: str, level: int, how: str, wait: int, platform: str | None = None
    ) -> Event:
        self.face(platform=platform)
        event = Event(LEVEL_UP, f"{uid}:{server}:{level}", server, uid=uid, level=level)
        self.take(event, how, wait)
        return event

    @rule(event=events, how=hows, wait=st.sampled_from([0, 1]), api=apis, platform=platforms)
    def deliver_again(
        self,
        event: Event,
        how: str,
        wait: int,
        api: str | None = None,
        platform: str | None = None,
    ) -> None:
        self.face(api, platform)
        self.take(event, how, wait)

    def take(self, event: Event, how: str, wait: int = 0) -> None:
        with self.stage.store.disturb(how):
            if event.type == VOTE:
                self.take_vote(event, how)
            else:
                self.take_level(event, how, wait)
        self.look_at(event)

    def expect(self, event: Event, how: str) -> Any:
        """The model's answer to a delivery."""
        is_cut = self.stage.store.family == "mysql" and not self.model.gone
        if "falls" in how and is_cut:
            answer = self.model.accept_falling(event, "kept" in how)
            if answer is not None:
                return answer
        return self.model.accept(event, is_unsure=is_cut and how == "cut, kept")

    def take_vote(self, event: Event, how: str) -> None:
        answer = self.expect(event, how)
        self.check_reply(answer, self.stage.post_vote(event))

    def check_reply(self, answer: Answer, response: Any) -> None:
        assert response.status_code == answer.status, response.text
        told = response.headers.get("Retry-After")
        assert (told and int(told)) == answer.retry_after, response.text
        assert find_word(answer.reason) in response.text

    def take_level(self, event: Event, how: str, wait: int) -> None:
        model = self.model
        is_open = model.outbox.reports.get(event.id)
        if "falls" in how or (is_open and is_open.state == "leased"):
            wait = 0  # nobody's send would end while we wait
        answer = self.expect(event, how)
        if wait and not model.gone and event.id in model.outbox.reports:
            model.outbox.send_one(event.id, model.now)
        body = make_level_up(uid=event.uid, server_id=event.server, level=event.level)
        response = self.stage.post("/v1/events/level_up", body, Prefer=f"wait={wait}")
        if answer == UNAVAILABLE or model.gone == "away":
            assert response.status_code == 503, response.text
            return
        told, expected = response.get_json(), tell_event(model, event)
        assert expected is not None
        assert told["event"]["state"] == expected["state"], told
        assert all(value == expected[name] for name, value in read_summary(told).items()), told
        is_done = [report[0] for report in expected["reports"]] == ["delivered"]
        assert response.status_code == (200 if is_done else 202)

    @rule(
        event=events,
        what=st.sampled_from(["test", "ignored", "forged", "changed", "no JSON", "no id"]),
    )
    def deliver_oddly(self, event: Event, what: str) -> None:
        body = {
            "test": make_delivery(event.id, is_test=True),
            "ignored": make_delivery(event.id, event_type="server.review"),
            "forged": make_delivery(event.id, token="another-token"),
            "changed": make_delivery("v0").replace(b"v0", b"v1"),
            "no JSON": make_delivery(event.id)[1:],
            "no id": make_delivery("../admin"),
        }[what]
        status = {"forged": 401, "changed": 401, "no JSON": 400, "no id": 400}.get(what, 204)
        response = self.stage.post("/webhooks/gamemonitoring", body)
        assert response.status_code == status

    # The dispatcher, and persons

    @rule(after=seconds, api=apis)
    def look_at_inbox(self, after: int, api: str | None = None) -> None:
        self.face(api)
        self.pass_time(after)
        threads = 4 if self.model.is_orderless else 1
        with self.allow_outage(), ThreadPoolExecutor(threads) as pool:
            self.stage.guerdon.dispatcher.serve_once(pool)
        self.model.look()
        learn_order(self.model, read_rows(self.stage.store))

    @precondition(is_here)
    @precondition(has_lived)
    @rule()
    def die_while_trying(self) -> None:
        """A process is killed with events in hand."""
        self.stage.guerdon.inbox.take_due(16)
        self.model.take()
        self.open_again()

    @precondition(is_here)
    @rule(event=events, is_all=st.booleans())
    def try_again_by_hand(self, event: Event, is_all: bool) -> None:
        source = "gamemonitoring" if event.type == VOTE else GAME_SERVER
        keys = None if is_all else [make_event_key(source, *event.key)]
        count = self.model.revive(lambda row: row.state == "dead" if is_all else row.event == event)
        assert self.stage.guerdon.inbox.revive(keys) == count
        self.look_at(event)

    @precondition(is_here)
    @rule(nickname=nicknames)
    def appear(self, nickname: str) -> None:
        if nickname not in self.model.players:
            add_player(self.stage.guerdon, nickname)
            self.model.add_player(nickname)

    @precondition(is_here)
    @rule(count=st.integers(1, 3))
    def import_codes(self, count: int) -> None:
        codes = [f"CODE-{len(self.model.codes) + number}" for number in range(count)]
        file = self.stage.folder / "codes"
        file.write_text("\n".join(codes))
        with self.stage.guerdon.database.connection_context():
            import_codes(self.stage.guerdon.database, iter, "autumn", str(file))
        self.model.codes |= dict.fromkeys(codes, "")

    # Reports

    @rule(after=seconds, platform=platforms)
    def send_reports(self, after: int, platform: str | None = None) -> None:
        self.face(platform=platform)
        self.pass_time(after)
        with self.allow_outage():
            send_due(self.stage.guerdon)
        if is_here(self):
            self.model.outbox.send_due(self.model.now)

    @precondition(is_here)
    @precondition(has_lived)
    @rule()
    def die_while_sending(self) -> None:
        """The database goes while reports are under way, and then the process does: no end is noted."""
        begun = self.model.outbox.begin_due(self.model.now)
        world, store = self.stage.world, self.stage.store
        if begun:
            self.model.gone = store.outages[0]
            world.before_report = store.lock if self.model.gone == "locked" else store.go_away
        self.stage.guerdon.outbox.serve_once()
        wait_until(lambda: world.count(G123) == self.model.outbox.posted, pause=0.002)
        wait_until(lambda: not world.network.under_way, pause=0.002)
        world.before_report = bool
        self.open_again()

    @precondition(is_here)
    @rule()
    def send_again_by_hand(self) -> None:
        model, database = self.model, self.stage.guerdon.database
        ids = [row[0] for row in read_rows(self.stage.store)["reports"] if row[2] != "delivered"]
        assert revive_reports(database, ids, model.now) == model.outbox.revive(model.now)

    # Claims

    @rule(server=servers.filter(bool), limit=st.integers(1, 3), length=st.sampled_from([1, 60]))
    def lease_claims(self, server: str, limit: int, length: int) -> None:
        claims = self.model.claims.lease(server, limit, length, self.model.now, self.model.gone)
        body = {"server_id": server, "limit": limit, "seconds": length}
        response = self.stage.post("/v1/claims/lease", body)
        assert response.status_code == (503 if claims is None else 200), response.text
        if claims is None:
            return
        lease = response.get_json()
        told = [(one["event"]["id"], one["nickname"], one["payload"]) for one in lease["claims"]]
        assert told == [(one.event_id, one.nickname, one.payload) for one in claims]
        for claim in claims:
            claim.token = lease["lease"]

    @precondition(lambda self: self.model.claims.all)
    @rule(which=st.integers(0, 9), token=st.sampled_from(["its own", "none", "another"]))
    def acknowledge(self, which: int, token: str) -> None:
        place = which % len(self.model.claims.all)
        claim, row = self.model.claims.all[place], read_rows(self.stage.store)["claims"][place]
        given = {"its own": claim.token or "x", "none": None, "another": "x" * 32}[token]
        status = self.model.claims.acknowledge(claim, given, self.model.gone)
        response = self.stage.post(f"/v1/claims/{row[-1]}/ack", {"lease": given})
        assert response.status_code == status, response.text
