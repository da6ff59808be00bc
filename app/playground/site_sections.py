"""Vote sites and a console in what `guerdon run` works on: switched on for stand-ins on this machine.

Their secret is made anew at each start. What your config says of its own sites and consoles stays, but
every console leads to the stand-in: no command that is tried here reaches a game of yours.
"""

import importlib.util
import secrets
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.config.reading import Config
from app.guerdon import Guerdon
from app.host.folder import is_within
from app.host.ours import FOLDER
from app.porch.rsa import write_rsa_key

HOST = "127.0.0.1"
SERVER = "playground"  # the server_id of these votes, whose claims the console takes
CONSOLE = "playground"  # its name among [plugins.rcon.servers]
PRESET = "gtop100"  # the toplist that calls
TOO_SOON = 60  # seconds within which it pays once; usually 11 hours, which is long to wait
NAMES = ("topgg", "votifier", "pingbacks", "rcon")


@dataclass(frozen=True, slots=True)
class Ports:
    """Where Guerdon listens for Votifier, and the stand-in of a console for Guerdon; the secret of all."""

    votifier: int
    console: int
    secret: str


def choose_ports() -> Ports:
    """Two that are free now, and a secret made anew."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server((HOST, 0))) for _ in range(2)]
        votifier, console = (probe.getsockname()[1] for probe in probes)
        return Ports(votifier, console, secrets.token_hex(24))


def divert_sites(
    plugins: Mapping[str, Any], config: Config, ports: Ports, key: Path
) -> dict[str, Any]:
    """The sections of these plugins, with stand-ins; `key` is the file of the private key of Votifier v1.

    A plugin of the studio's own that has such a name knows other settings, and is left as it is.
    """
    stand_ins = {
        "topgg": {"secrets": [f"whs_{ports.secret}"], "authorization": []},
        "votifier": build_votifier(ports, key),
        "pingbacks": build_pingbacks(as_table(plugins.get("pingbacks")), ports),
        "rcon": build_rcon(as_table(plugins.get("rcon")), ports),
    }
    usual = {"topgg": {"server": SERVER}, "votifier": {"server": SERVER}}
    return {
        name: {**usual.get(name, {}), **as_table(plugins.get(name)), **stand_ins[name]}
        for name in list_stood_in(config)
    }


def list_stood_in(config: Config) -> list[str]:
    """Those of NAMES that are ours, and not of the studio's own folder."""
    folder = config.plugins_folder
    is_ours = is_within(folder, FOLDER)
    return [name for name in NAMES if is_ours or not (folder / f"{name}.py").exists()]


def build_votifier(ports: Ports, key: Path) -> dict[str, Any]:
    """v2 by a token, and v1 where the package is there that it needs."""
    section: dict[str, Any] = {
        "bind": f"{HOST}:{ports.votifier}",
        "tokens": {"default": ports.secret},
        "allow": [],
    }
    if importlib.util.find_spec("cryptography") is not None:
        if not key.exists():
            write_rsa_key(key)
        section["private_key"] = {"file": str(key.absolute())}
    return section


def build_pingbacks(yours: Mapping[str, Any], ports: Ports) -> dict[str, Any]:
    """Your sites, and one more."""
    site = {
        "preset": PRESET,
        "key": ports.secret,
        "server_id": SERVER,
        "not_within": TOO_SOON,
    }
    return {"sites": {**as_table(yours.get("sites")), PRESET: site}}


def build_rcon(yours: Mapping[str, Any], ports: Ports) -> dict[str, Any]:
    """Your consoles and one more, all of them at the stand-in."""
    place = {"address": f"{HOST}:{ports.console}", "password": ports.secret}
    one_more = {CONSOLE: {"servers": [SERVER], "game": "minecraft"}}
    consoles = {**as_table(yours.get("servers")), **one_more}
    return {"servers": {name: {**as_table(one), **place} for name, one in consoles.items()}}


def find_console(guerdon: Guerdon) -> Mapping[str, Any] | None:
    """The console's section that a stand-in answers to; None where the config has none."""
    consoles = guerdon.plugins.settings.get("rcon", {}).get("servers", {})
    section: Mapping[str, Any] | None = consoles.get(CONSOLE)
    return section if section and section["address"].startswith(f"{HOST}:") else None


def list_consoles_elsewhere(guerdon: Guerdon) -> list[str]:
    """The consoles to which claims are delivered, and which are no stand-ins."""
    ours = find_console(guerdon)
    consoles = guerdon.plugins.settings.get("rcon", {}).get("servers", {})
    stood_in = {
        f"rcon/{name}"
        for name, one in consoles.items()
        if ours and one["address"] == ours["address"]
    }
    return [name for name in guerdon.delivering.names if name not in stood_in]


def as_table(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}
