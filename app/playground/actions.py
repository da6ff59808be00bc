"""What the page's buttons do."""

import random
import threading
import time
import uuid
from typing import Any

from app.guerdon import Guerdon
from app.playground import sud, webhook
from app.playground.behaviour import StandIn
from app.playground.choice import Choice
from app.playground.claims import ClaimDesk
from app.playground.courier import Courier, Reply
from app.playground.g123 import G123
from app.playground.gamemonitoring import Platform
from app.playground.journal import Entry, Journal
from app.playground.players import DEMO_PLAYERS
from app.playground.reports import Telling, Told
from app.playground.sections import build_sections
from app.playground.server import GameServer
from app.playground.sud import AppServer
from app.porch.errors import ConfigError
from app.porch.fields import Secret

LOST = Reply(0, "lost on its way, as you said", None, 0)


class Playground:
    """The stand-ins for the platforms and for a game server, and the service they speak to."""

    def __init__(self, guerdon: Guerdon, address: str, own_address: str) -> None:
        """The service is at `address`, the playground at `own_address`."""
        section = guerdon.plugins.settings.get("gamemonitoring")
        keys = [key for key in guerdon.config.api.keys if {"events", "read"} <= key.scopes]
        if section is None or not keys:
            raise ConfigError(
                [
                    "the playground needs the section [plugins.gamemonitoring] and a key in [api] keys"
                    " that may read and post events"
                ]
            )
        self.guerdon = guerdon
        self.api_url: str = section["api_url"].rstrip("/")
        self.platform = Platform(section["tokens"][0].reveal())
        self.courier = Courier(address, keys[0].reveal())
        self.journal = Journal(self.courier)
        usual = build_sections(own_address)
        g123 = guerdon.plugins.settings.get("g123", usual["g123"])
        app = guerdon.plugins.settings.get("sud", usual["sud"])
        self.g123 = G123(g123["app_id"], reveal(g123["app_secret"]) or "")
        self.app_server = AppServer(app["app_id"], reveal(app["app_secret"]))
        self.stand_ins: dict[str, StandIn] = {"G123": self.g123, "Sud": self.app_server}
        self.targets = list_targets(guerdon, own_address)
        mates = DEMO_PLAYERS if guerdon.config.players.is_own else ()
        self.game = GameServer(self.courier, mates)
        self.telling = Telling(self.courier)
        self.claims = ClaimDesk(self.courier)
        self.asks_us: bool = self.api_url == own_address
        self.losing = 0  # of the next deliveries
        self._losing = threading.Lock()

    def vote(self, title: str, choice: Choice, **signing: bool) -> Choice:
        """Record a vote and deliver it; `signing` as for Platform.write_delivery."""
        self.deliver_vote(title, choice, **signing)
        return choice

    def deliver_vote(self, title: str, choice: Choice, **signing: bool) -> Entry:
        """The same; what was delivered."""
        is_test = signing.get("is_test")  # nobody votes then
        id_ = (
            str(uuid.uuid4())
            if is_test
            else self.platform.record_vote(choice.nickname, int(choice.server))
        )
        return self._deliver(title, choice, id_, self.platform.write_delivery(id_, **signing))

    def deliver_again(self, entry: Entry) -> Choice:
        """The very same bytes once more."""
        choice = Choice(entry.nickname, entry.server_id)
        self._deliver("The same delivery again", choice, entry.vote_id, entry.body)
        return choice

    def vote_as_stranger(self, choice: Choice) -> Choice:
        """Vote under a nickname that nobody has; whom one plays with stays the choice."""
        nickname = f"Newcomer{random.randrange(1000, 10_000)}"
        self.vote("A vote by an unknown player", Choice(nickname, choice.server))
        return choice

    def vote_in_outage(self, choice: Choice, seconds: int) -> Choice:
        """Let the vote API fail for so long, and vote."""
        self.platform.fail_for(seconds)
        return self.vote("A vote while the vote API fails", choice)

    def _deliver(self, title: str, choice: Choice, id_: str, body: bytes) -> Entry:
        sent_at, is_lost = time.time(), self._does_lose()
        reply = LOST if is_lost else self.courier.deliver(body)
        return self.journal.add(
            title=title, vote_id=id_, nickname=choice.nickname, server_id=choice.server,
            body=body, sent_at=sent_at, reply=reply, is_lost=is_lost,
        )  # fmt: skip

    def lose_next(self, count: int) -> None:
        """From now on this many deliveries never arrive."""
        with self._losing:
            self.losing = count

    def _does_lose(self) -> bool:
        with self._losing:
            is_lost = self.losing > 0
            self.losing -= is_lost
        return is_lost

    def reach_level(self, choice: Choice, level: int) -> Told:
        """The game server reports a level."""
        body = self.game.write_level(choice, level)
        return self.telling.tell(f"Level {level}", "level_up", choice.nickname, choice.server, body)

    def start_round(self, choice: Choice) -> Told:
        body = self.game.start_round(choice)
        title = f"Round {self.game.find_round(choice)} begins"
        return self.telling.tell(title, "game_start", choice.nickname, choice.server, body)

    def settle_round(self, choice: Choice, rank: int) -> Told:
        round_id, body = self.game.settle_round(choice, rank)
        title = f"Round {round_id} ends: {choice.nickname} comes in as number {rank}"
        return self.telling.tell(title, "game_settle", choice.nickname, choice.server, body)

    def tell_again(self, told: Told) -> Choice:
        """The very same event once more."""
        title = f"{told.title.removesuffix(', again')}, again"
        self.telling.tell(title, told.type, told.nickname, told.server_id, told.body)
        return Choice(told.nickname, told.server_id)


def reveal(secret: Any) -> str | None:
    """The text of a secret from a checked section, or of the playground's own."""
    return secret.reveal() if isinstance(secret, Secret) else secret


def list_targets(guerdon: Guerdon, own_address: str) -> dict[str, str]:
    """Where reports go, by platform, where that is not this playground; "" is nowhere."""
    settings = guerdon.plugins.settings
    there = {
        "G123": (settings.get("g123", {}).get("host", ""), own_address),
        "Sud": (settings.get("sud", {}).get("report_url", ""), own_address + sud.PATH),
    }
    if "webhook" in settings:
        there["the webhook"] = (settings["webhook"]["url"], own_address + webhook.PATH)
    return {name: target for name, (target, own) in there.items() if target.rstrip("/") != own}
