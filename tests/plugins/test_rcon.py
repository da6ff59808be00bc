"""[plugins.rcon]: votes become commands in a console, each once, and what is not known is said to be so."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.database.claim_models import Claim
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.paying.claims import queue_claims
from app.porch.errors import ConfigError
from app.porch.types import Event, Player
from app.testing.clock import Clock
from app.testing.deliveries import AUTHORIZED, make_client, post_vote
from tests.world import rcon_server
from tests.world.rcon_server import PASSWORD, RconServer

Open = Callable[..., Guerdon]
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
RULES = """
[[rules]]
on = "server.vote"
give = [{ reward = "claim", payload = { command = "give {nickname} diamond 1" } }]
"""
SECTION = """
[plugins.rcon.servers.survival]
address = "{address}"
password = "{password}"
servers = ["1"]
game = "minecraft"
timeout = 0.5
{more}
[plugins.rcon.servers.survival.commands.diamonds]
run = "give {nickname} diamond {amount}"
{template}
"""


@pytest.fixture
def server() -> Iterator[RconServer]:
    server = RconServer()
    yield server
    server.close()


def write(server: RconServer, more: str = "", template: str = "") -> str:
    said = SECTION.replace("{address}", server.address).replace("{password}", PASSWORD)
    return said.replace("{more}", more).replace("{template}", template)


@pytest.fixture
def console(open_service: Open, server: RconServer) -> Guerdon:
    return open_service(RULES, write(server))


@pytest.fixture
def open_again(write_config: Callable[..., Path], clock: Clock) -> Iterator[Open]:
    """Another service on the same database, as after its config was changed."""
    opened = []

    def open_one(more: str) -> Guerdon:
        opened.append(open_guerdon(write_config(RULES, more), clock))
        return opened[-1]

    yield open_one
    for guerdon in opened:
        guerdon.close()


def queue(
    guerdon: Guerdon, payload: dict[str, Any], nickname: str = "Bob", server_id: str = "1"
) -> None:
    event = Event("gamemonitoring", "server.vote", f"v{nickname[:10]}", server_id, nickname)
    claim = (event, Player(1, nickname), payload)
    guerdon.database.transact(lambda is_retry: queue_claims([claim], guerdon.now()))


def lease(guerdon: Guerdon, server_id: str) -> list[Any]:
    """As a game server does."""
    body = {"server_id": server_id, "limit": 9, "seconds": 60}
    response = make_client(guerdon).post("/v1/claims/lease", json=body, headers=AUTHORIZED)
    assert response.status_code == 200
    return list(response.get_json()["claims"])


def read(guerdon: Guerdon) -> list[Any]:
    with guerdon.database.connection_context():
        return list(Claim.select().order_by(Claim.id))


def read_one(guerdon: Guerdon) -> Any:
    [row] = read(guerdon)
    return row


def serve(guerdon: Guerdon, clock: Clock | None = None, seconds: int = 0) -> Any:
    if clock:
        clock.advance(seconds)
    guerdon.delivering.serve_once()
    return read(guerdon)[-1]


def test_it_works(console: Guerdon, server: RconServer) -> None:
    assert post_vote(console, "v1").status_code == 204
    row = serve(console)

    assert server.commands == ["list", "give Bob diamond 1"]
    assert (row.state, row.sends, row.answer) == ("done", 1, "Gave 1 [diamond] to Bob")
    assert row.console == "rcon/survival"
    assert serve(console).state == "done"
    assert server.given == {"give Bob diamond 1": 1}
    assert PASSWORD not in row.answer


def test_no_game_server_leases_what_a_console_delivers(console: Guerdon) -> None:
    queue(console, {"command": "give Bob diamond 1"})
    queue(console, {"command": "give Bob diamond 1"}, server_id="2")

    for id, count in (("1", 0), ("2", 1)):
        assert len(lease(console, id)) == count


def test_who_is_not_there_waits_until_he_is(
    console: Guerdon, server: RconServer, clock: Clock
) -> None:
    server.players = {"Eve"}
    queue(console, {"command": "give Bob diamond 1"})
    assert serve(console).state == "waits"
    assert serve(console, clock, 30 * 86_400).state == "waits"
    server.players = {"Eve", "bob"}  # as the game spells it
    server.players.add("Bob")

    assert serve(console, clock, 60).state == "done"
    assert server.given == {"give Bob diamond 1": 1}


def test_who_left_just_now_waits_too(console: Guerdon, server: RconServer, clock: Clock) -> None:
    """The list had him; the command's answer tells."""
    queue(console, {"command": "give Bob diamond 1"})

    def leave(client: rcon_server.Client, id: int, command: str) -> None:
        if command != "list":
            server.players = set()
        rcon_server.answer(client, id, command)

    server.behave = leave
    row = serve(console)
    assert (row.state, row.sends, row.answer) == ("waits", 1, "No player was found")
    server.behave, server.players = rcon_server.answer, {"Bob"}
    assert serve(console).state == "waits"  # its pause is not over
    assert serve(console, clock, 61).state == "done"


@pytest.mark.parametrize(
    "behave",
    [rcon_server.hang_up_after, rcon_server.hang_up_before, rcon_server.never_answer,
     rcon_server.answer_only_somebody_else, rcon_server.answer_garbage],
)  # fmt: skip
def test_what_was_not_answered_is_unknown_and_never_sent_again(
    console: Guerdon, server: RconServer, clock: Clock, behave: rcon_server.Behave
) -> None:
    queue(console, {"command": "give Bob diamond 1"})

    def misbehave(client: rcon_server.Client, id: int, command: str) -> None:
        (rcon_server.answer if command == "list" else behave)(client, id, command)

    server.behave = misbehave
    row = serve(console)
    assert (row.state, row.sends) == ("unknown", 1)
    assert row.last_error
    server.behave = rcon_server.answer
    assert serve(console, clock, 7 * 86_400).state == "unknown"
    assert server.given.total() <= 1


def test_a_refused_command_waits_for_a_person(console: Guerdon, server: RconServer) -> None:
    queue(console, {"command": "gibe Bob diamond 1"})
    row = serve(console)
    assert (row.state, row.sends) == ("refused", 1)
    assert "Unknown or incomplete command" in row.answer
    assert serve(console).state == "refused"
    assert server.commands.count("gibe Bob diamond 1") == 1


def test_an_answer_that_fits_no_pattern_is_unknown(
    open_service: Open, open_again: Open, server: RconServer, clock: Clock
) -> None:
    guerdon = open_service(RULES, write(server))
    queue(guerdon, {"command": "long 5"})
    assert serve(guerdon).state == "unknown"
    known = open_again(write(server, 'done = ["^x+"]'))
    queue(known, {"command": "long 5"})
    assert serve(known, clock, 20).state == "done"  # the other's hold is over


def test_no_secret_is_kept_of_an_answer(console: Guerdon, server: RconServer) -> None:
    queue(console, {"command": "give Bob diamond 1"})

    def repeat(client: rcon_server.Client, id: int, command: str) -> None:
        client.reply(id, f"{server.execute(command)} \0 by {PASSWORD}")

    server.behave = repeat
    server.players = {"Bob", "Eve"}
    row = serve(console)
    assert row.answer == "Gave 1 [diamond] to Bob  by ***"


def test_nobody_there_is_not_sent_and_tried_again(
    console: Guerdon, server: RconServer, clock: Clock
) -> None:
    port = server.port
    server.close()
    queue(console, {"command": "give Bob diamond 1"})
    row = serve(console)
    assert (row.state, row.sends) == ("ready", 0)
    again = RconServer(port)
    assert serve(console).state == "ready"  # the circuit is open
    assert serve(console, clock, 6).state == "done"
    again.close()


@pytest.mark.parametrize(
    ("nickname", "prefixes", "is_sent"),
    [
        ("Bob", "", True), ("B b", "", False), ('B"b', "", False), ("@a", "", False),
        ("Bob\nop Bob", "", False), (".Bob", "", False), (".Bob", 'prefixes = ["."]', True),
        ("..Bob", 'prefixes = ["."]', False), ("Бob", "", False), ("a" * 17, "", False),
    ],
)  # fmt: skip
def test_a_name_never_changes_a_command(
    open_service: Open, server: RconServer, nickname: str, prefixes: str, is_sent: bool
) -> None:
    guerdon = open_service(RULES, write(server, prefixes))
    server.players = {nickname}
    queue(guerdon, {"command": f"give {nickname} diamond 1"}, nickname)
    queue(guerdon, {"template": "diamonds", "amount": 2}, nickname)
    serve(guerdon)

    if is_sent:
        assert server.given == {f"give {nickname} diamond {n}": 1 for n in (1, 2)}
    else:
        assert {row.state for row in read(guerdon)} == {"refused"}
        assert server.commands == []


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ({"template": "diamonds"}, "nothing for {amount}"),
        ({"template": "diamonds", "amount": "1 minecraft:stone"}, "cannot stand in a command"),
        ({"template": "diamonds", "amount": "@a"}, "cannot stand in a command"),
        ({"template": "diamonds", "amount": True}, "no single word"),
        ({"template": "diamonds", "amount": ["1"]}, "no single word"),
        ({"template": "none", "amount": 1}, "no command"),
        ({"give": "diamond"}, "no `command`"),
        ({"command": "say a", "template": "diamonds"}, "or both"),
        ({"command": "say a\nop Bob"}, "no single line"),
        ({"command": "say a\u2028op Bob"}, "ends a line"),
        ({"command": ""}, "no single line"),
        ({"command": 5}, "no single line"),
        ({"command": "say " + "ж" * 800}, "longer than the 1446 bytes"),
    ],
)
def test_what_is_no_command_is_refused_before_anything_is_sent(
    console: Guerdon, server: RconServer, payload: dict[str, Any], why: str
) -> None:
    queue(console, payload)
    row = serve(console)
    assert (row.state, row.sends) == ("refused", 0)
    assert why in row.last_error
    assert server.commands == []


def test_if_unknown_again_sends_again(open_service: Open, server: RconServer, clock: Clock) -> None:
    guerdon = open_service(RULES, write(server, template='if_unknown = "again"'))
    queue(guerdon, {"template": "diamonds", "amount": 1})
    server.behave = hang_up_on("give")
    assert serve(guerdon).state == "unknown"
    server.behave = rcon_server.answer
    row = serve(guerdon, clock, 1)
    assert (row.state, row.sends) == ("done", 2)
    assert server.given == {"give Bob diamond 1": 2}


def hang_up_on(word: str) -> rcon_server.Behave:
    def behave(client: rcon_server.Client, id: int, command: str) -> None:
        is_it = command.startswith(word)
        (rcon_server.hang_up_after if is_it else rcon_server.answer)(client, id, command)

    return behave


@pytest.mark.parametrize(
    ("said", "state", "gives"),
    [("has claim", "done", 1), ("has not", "done", 2), ("who knows", "unknown", 1)],
)
def test_if_unknown_check_asks_the_game(
    open_service: Open, server: RconServer, clock: Clock, said: str, state: str, gives: int
) -> None:
    policy = """if_unknown = "check"
check = "seen {nickname} {claim_id}"
happened = "^has claim"
not_happened = "^has not"
"""
    guerdon = open_service(RULES, write(server, template=policy))
    queue(guerdon, {"template": "diamonds", "amount": 1})
    server.behave = hang_up_on("give")
    assert serve(guerdon).state == "unknown"

    def answer_check(client: rcon_server.Client, id: int, command: str) -> None:
        answer = server.execute(command)
        client.reply(id, said if command.startswith("seen") else answer)

    server.behave = answer_check
    row = serve(guerdon, clock, 1)
    assert (row.state, server.given.total()) == (state, gives)
    assert f"seen Bob {row.id}" in server.commands


def test_what_a_game_server_leased_before_is_unknown(
    open_service: Open, open_again: Open, server: RconServer, clock: Clock
) -> None:
    """It may have given it out: a console is new in the config."""
    before = open_service(RULES)
    queue(before, {"command": "give Bob diamond 1"})
    assert len(lease(before, "1")) == 1
    guerdon = open_again(write(server))
    assert serve(guerdon, clock, 30).state == "leased"
    row = serve(guerdon, clock, 60)
    assert (row.state, row.sends) == ("unknown", 0)
    assert server.given == {}


def test_what_expires_is_not_delivered(
    open_service: Open, server: RconServer, clock: Clock
) -> None:
    guerdon = open_service(RULES, write(server, 'expires = "7 days"'))
    server.players = set()
    queue(guerdon, {"command": "give Bob diamond 1"})
    assert serve(guerdon).state == "waits"
    server.players = {"Bob"}
    assert serve(guerdon, clock, 8 * 86_400).state == "refused"
    assert server.given == {}


def test_never_more_connections_than_it_says(open_service: Open, server: RconServer) -> None:
    guerdon = open_service(RULES, write(server, "connections = 3"))
    for _ in range(40):
        queue(guerdon, {"command": "give Bob diamond 1"})
    serve(guerdon)
    assert {row.state for row in read(guerdon)} == {"done"}
    assert server.given.total() == 40
    assert 1 <= server.most_connected <= 3


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ('[plugins.rcon.servers.second]\naddress = "a:1"\npassword = "p"\nservers = ["1"]', "leave it"),
        ('[plugins.rcon.servers.second]\naddress = "a"\npassword = "p"\nservers = ["2"]', "host:25575"),
        ('[plugins.rcon.servers.second]\naddress = "a:1"\npassword = "p"\nservers = ["2"]\n'
         'if_unknown = "check"', "check"),
        ('[plugins.rcon.servers.second]\naddress = "a:1"\npassword = "p"\nservers = []', "servers"),
    ],
)  # fmt: skip
def test_a_wrong_section_stops_the_start(
    open_service: Open, server: RconServer, more: str, fault: str
) -> None:
    with pytest.raises(ConfigError, match=fault):
        open_service(RULES, write(server) + more)


def test_a_claim_that_is_for_nobody_needs_nobody(console: Guerdon, server: RconServer) -> None:
    """As what a party gives to a server."""
    server.players = set()
    queue(console, {"command": "give Bob diamond 1"}, nickname="")
    serve(console)
    assert server.commands == ["give Bob diamond 1"]
