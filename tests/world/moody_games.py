"""Games that cut off, delay, split, answer for somebody else and restart; what each saw of every claim."""

import json
import random
import re
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

from app.testing.waiting import wait_until
from tests.world.rcon_server import VALUE, RconServer, pack
from tests.world.rust_server import RustServer

CLAIM = re.compile(r"\bc(\d+)\b")
FATES = {  # per mille of the commands that give something; the others are answered at once
    "late": 30, "in pieces": 40, "for another first": 20, "refused": 10,
    "cut before": 25, "cut after": 25, "cut in between": 10, "held, then cut": 6, "never": 3,
    "for another": 10, "garbage": 8,
}  # fmt: skip


class Game:
    """One console over many restarts. Of each claim, by its id: how often its command came, and ran."""

    def __init__(self, connections: int, players: Collection[str], seed: int) -> None:
        """At most `connections` clients have a command under way at once."""
        self.connections = connections
        self.came: Counter[int] = Counter()
        self.ran: Counter[int] = Counter()
        self.refused: set[int] = set()
        self.doubtful: set[int] = set()  # whose last command was not answered to its end
        self.fates: Counter[str] = Counter()
        self.restarts = 0
        self.is_calm = False
        self._dice = random.Random(seed)
        self._lock = threading.Lock()
        self._players = list(players)
        self._server = self._open(0)
        self.port: int = self._server.port
        self.change_players()

    def _open(self, port: int) -> Any:
        raise NotImplementedError

    def _gather(self, names: list[str]) -> Any:
        """Those who are there, as the server keeps them."""
        raise NotImplementedError

    def change_players(self) -> None:
        """Some go, some come; once it is calm all are there."""
        count = len(self._players) if self.is_calm else int(len(self._players) * 0.95)
        self._server.players = self._gather(self._dice.sample(self._players, count))

    def restart(self) -> None:
        """Everybody is hung up on, and for a while nobody is there."""
        self.restarts += 1
        self._server.close()
        time.sleep(self._dice.uniform(0.1, 0.8))
        self._server = wait_until(self._try_open)
        self.change_players()

    def _try_open(self) -> Any:
        """None while another's connection happens to have the port."""
        with suppress(OSError):
            return self._open(self.port)
        return None

    def calm(self) -> None:
        self.is_calm = True
        self.change_players()

    def close(self) -> None:
        self._server.close()

    def take(self, client: Any, id: Any, command: str) -> None:
        """What comes of a command: `behave` of the stand-ins."""
        found = CLAIM.search(command)
        claim = int(found[1]) if found else 0
        with self._lock:
            fate = self._choose(claim)
            self.fates[fate] += 1
            if self.is_gift(command):
                self.came[claim] += 1
                self.doubtful.add(claim)
        self._act(fate, client, id, command, claim)

    def _choose(self, claim: int) -> str:
        luck = 1000.0 if self.is_calm else self._dice.uniform(0, 1000)
        for fate, share in FATES.items() if claim else [("cut before", 20)]:
            luck -= share
            if luck < 0:
                return fate
        return "well"

    def _act(self, fate: str, client: Any, id: Any, command: str, claim: int) -> None:
        if fate == "cut before":
            client.hang_up()
            return
        said = self._run(client, command, claim, fate == "refused")
        if fate in ("late", "held, then cut"):
            time.sleep(self._dice.uniform(0.05, 1.5))
        if fate in ("cut after", "held, then cut"):
            client.hang_up()
        elif fate == "never":
            client.connection.recv(1)  # until it gives up
        elif fate in ("garbage", "for another", "cut in between"):
            self.spoil(fate, client, id, said)
        else:
            self.reply(fate, client, id, said)
            with self._lock:
                self.doubtful.discard(claim)

    def _run(self, client: Any, command: str, claim: int, is_refused: bool) -> str:
        if is_refused and self.is_gift(command):
            self.refused.add(claim)
            return f"{self.refusal} c{claim}"
        said: str = self.execute(client, command, claim)
        if said.startswith(("Gave ", "giving ")):
            with self._lock:
                self.ran[claim] += 1
        return said

    refusal = ""

    def is_gift(self, command: str) -> bool:
        return command.startswith(("give ", "inventory."))

    def execute(self, client: Any, command: str, claim: int) -> str:
        return str(client.server.execute(command))

    def reply(self, fate: str, client: Any, id: Any, said: str) -> None:
        """The right answer, to its end; however it is cut, and whatever comes before it."""
        raise NotImplementedError

    def spoil(self, fate: str, client: Any, id: Any, said: str) -> None:
        """No right answer."""
        raise NotImplementedError


class RconGame(Game):
    """By Source RCON, as Minecraft."""

    refusal = "Unknown item"

    def _open(self, port: int) -> RconServer:
        server = RconServer(port)
        server.behave = self.take
        return server

    def _gather(self, names: list[str]) -> set[str]:
        return set(names)

    def reply(self, fate: str, client: Any, id: int, said: str) -> None:
        packet = pack(id, VALUE, said.encode())
        if fate == "for another first":
            packet = pack(id + 7, VALUE, b"Gave 1 [c0] to Eve") + packet
        step = 1 if fate == "in pieces" else len(packet)
        for start in range(0, len(packet), step):
            client.connection.sendall(packet[start : start + step])

    def spoil(self, fate: str, client: Any, id: int, said: str) -> None:
        if fate == "garbage":
            client.connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        elif fate == "for another":
            client.reply(id + 7, said)
        else:
            client.connection.sendall(pack(id, VALUE, said.encode())[:-5])
        client.hang_up()


class RustGame(Game):
    """By WebRCON. It can be asked whether a claim was given."""

    refusal = "Invalid Item"

    def _open(self, port: int) -> RustServer:
        server = RustServer(port)
        server.behave = self.take
        return server

    def _gather(self, names: list[str]) -> dict[str, str]:
        return {name: f"7656119{name}" for name in names}

    def execute(self, client: Any, command: str, claim: int) -> str:
        if command.startswith("was"):
            return "yes" if self.ran[claim] else "no"
        return super().execute(client, command, claim)

    def reply(self, fate: str, client: Any, id: int, said: str) -> None:
        if fate == "for another first":
            client.say(id + 1, "giving Eve 1 x c0")
            client.say(-1, "giving Bob 9 x gold", "Chat")
        if fate != "in pieces":
            client.say(id, said)
            return
        text = json.dumps({"Identifier": id, "Message": said, "Type": "Generic"}).encode()
        size = bytes([len(text)]) if len(text) < 126 else b"\x7e" + struct.pack(">H", len(text))
        for byte in b"\x81" + size + text:
            client.connection.sendall(bytes([byte]))

    def spoil(self, fate: str, client: Any, id: int, said: str) -> None:
        if fate == "garbage":
            client.connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        elif fate == "for another":
            client.say(id + 1, said)
        else:
            client.connection.sendall(b"\x81\x40" + said.encode())
        client.hang_up()


class Operator:
    """A person who looks into the game, and decides about some of the claims that nobody else knows of."""

    def __init__(
        self, list_unknown: Callable[[], list[int]], resolve: Callable[[int, bool], bool]
    ) -> None:
        """`resolve(claim, was_given)` tells whether that was still to be decided."""
        self.again: Counter[int] = Counter()
        self.given: set[int] = set()
        self._list, self._resolve = list_unknown, resolve
        self._left_alone: set[int] = set()

    def look(self, games: Collection[Game], dice: random.Random) -> None:
        for claim in self._list():
            game = next((one for one in games if claim in one.came), None)
            if game is None or claim in self._left_alone or dice.random() < 0.6:
                self._left_alone.add(claim)
                continue
            was_given = bool(game.ran[claim])
            game.doubtful.discard(claim)  # first: once it is decided, it may come again at once
            if self._resolve(claim, was_given):
                self.given |= {claim} if was_given else set()
                self.again[claim] += not was_given
