"""Which consoles there are, as the plugins say: each with the server_ids whose claims it delivers."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from app.host.loading import Plugins
from app.porch.claims import GameServer

HOOK = "game_servers"
is_name = re.compile(r"[A-Za-z0-9_.-]{1,32}").fullmatch


def find_consoles(plugins: Plugins) -> tuple[list[GameServer], list[str]]:
    """All consoles, and a sentence for each thing that is wrong with what the plugins say of theirs."""
    found: list[GameServer] = []
    faults: list[str] = []
    for answer in plugins.ask_each(HOOK, {"settings": plugins.settings}):
        if answer.error is not None:
            faults.append(f"plugin {answer.plugin}: {HOOK}() failed: {answer.error!r}")
        # A hook that all may answer gives a list of answers, here of one.
        for server in (server for some in answer.value or () for server in list_all(some)):
            if fault := find_fault(server, answer.plugin):
                faults.append(f"plugin {answer.plugin}: {HOOK}(): {fault}")
            elif isinstance(server, GameServer):
                found.append(server)
    return found, [*faults, *list_rivals(found)]


def list_all(said: object) -> Iterable[object]:
    """The servers of an answer; what is no list is one server, and a wrong one."""
    return said if isinstance(said, list | tuple) else [said]


def find_fault(server: object, plugin: str) -> str:
    """What is wrong with one, or ""."""
    if not isinstance(server, GameServer):
        return "must return a list of GameServer"
    if server.plugin != plugin:
        return f"a GameServer's `plugin` is who says so, {plugin!r}"
    if not isinstance(server.name, str) or not is_name(server.name):
        return "a GameServer's `name` is 1 to 32 of a-z A-Z 0-9 _ . -"
    if not server.servers or not all(isinstance(one, str) and one for one in server.servers):
        return f"{server.name} names no server_id in `servers`"
    if not isinstance(server.connections, int) or server.connections < 1:
        return f"{server.name}: `connections` is at least 1"
    return ""


def list_rivals(servers: Sequence[GameServer]) -> Iterator[str]:
    """Server_ids whose claims two consoles would deliver."""
    owners: dict[str, GameServer] = {}
    for server in servers:
        for id_ in server.servers:
            if id_ in owners:
                both = f"{describe(owners[id_])} and {describe(server)}"
                yield f"claims of the server {id_!r} would be delivered by {both}: leave it to one"
            owners[id_] = server


def describe(server: GameServer) -> str:
    """A console's name among all: PLUGIN/NAME."""
    return f"{server.plugin}/{server.name}"


def map_servers(servers: Sequence[GameServer]) -> Mapping[str, GameServer]:
    """The console of each server_id."""
    return {id_: server for server in servers for id_ in server.servers}


def list_unknown_consoles(
    chosen: bool | tuple[str, ...], servers: Sequence[GameServer]
) -> Iterator[str]:
    """What [dispatcher] consoles names that no console is of."""
    known = sorted({one.plugin for one in servers})
    for name in chosen if isinstance(chosen, tuple) else ():
        if name not in known:
            there = ", ".join(known) or "none"
            yield (
                f"[dispatcher] consoles: no plugin {name!r} with a console is switched on (there are:"
                f" {there})"
            )
