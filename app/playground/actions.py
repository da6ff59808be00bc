"""What the page's buttons do."""

import random
import time
from dataclasses import dataclass

from app.errors import ConfigError
from app.guerdon import Guerdon
from app.playground.courier import Courier
from app.playground.gamemonitoring import Platform
from app.playground.journal import Entry, Journal


@dataclass(frozen=True, slots=True)
class Choice:
    """The player and the server chosen on the page."""

    nickname: str
    server: str


class Playground:
    """The stand-in for the platform, and the service it delivers to."""

    def __init__(self, guerdon: Guerdon, address: str) -> None:
        section, keys = guerdon.plugins.settings.get("gamemonitoring"), guerdon.config.api_keys
        if section is None or not keys:
            raise ConfigError(
                [
                    "the playground needs the section [plugins.gamemonitoring] and a key in [api] keys"
                ]
            )
        self.guerdon = guerdon
        self.api_url: str = section["api_url"].rstrip("/")
        self.platform = Platform(section["tokens"][0].reveal())
        self.courier = Courier(address, keys[0].reveal())
        self.journal = Journal(self.courier)

    def vote(self, title: str, choice: Choice, **signing: bool) -> Choice:
        """Record a vote and deliver it; `signing` as for Platform.write_delivery."""
        id_ = self.platform.record_vote(choice.nickname, int(choice.server))
        self._deliver(title, choice, id_, self.platform.write_delivery(id_, **signing))
        return choice

    def deliver_again(self, entry: Entry) -> Choice:
        """The very same bytes once more."""
        choice = Choice(entry.nickname, entry.server_id)
        self._deliver("The same delivery again", choice, entry.vote_id, entry.body)
        return choice

    def vote_as_stranger(self, choice: Choice) -> Choice:
        """Vote under a nickname that nobody has; it is the choice from then on."""
        nickname = f"Newcomer{random.randrange(1000, 10_000)}"
        return self.vote("A vote by an unknown player", Choice(nickname, choice.server))

    def vote_in_outage(self, choice: Choice, seconds: int) -> Choice:
        """Let the vote API fail for so long, and vote."""
        self.platform.fail_for(seconds)
        return self.vote("A vote while the vote API fails", choice)

    def _deliver(self, title: str, choice: Choice, id_: str, body: bytes) -> None:
        sent_at = time.time()
        reply = self.courier.deliver(body)
        self.journal.add(
            title=title, vote_id=id_, nickname=choice.nickname, server_id=choice.server,
            body=body, sent_at=sent_at, reply=reply,
        )  # fmt: skip
