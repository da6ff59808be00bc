"""What `guerdon run` works on: a copy of your config that pays into a database of its own and asks and
tells nobody but the playground's stand-ins. Your file, your database and your platforms stay as they are.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.config.reading import Config
from app.config.references import read_tables
from app.playground import elsewhere, sud, webhook
from app.playground.site_sections import Ports, as_table, divert_sites, list_stood_in
from app.porch.errors import GuerdonError

# Names that nobody takes for secrets: they are good for this machine only.
APP_ID, APP_SECRET = "playground-app", "playground-app-secret"
SECRETS = {
    "GUERDON_API_KEY": "playground-api-key",
    "GAMEMONITORING_TOKEN": "playground-webhook-token",
}
DEMO_USER, DEMO_PASSWORD = "demo", "demo-on-this-machine"
DEMO_HASH = (
    "scrypt:32768:8:1$B6vPZkvPcktP0WlQ$45417e9b8a465c285c0fb9c469b3ffe05123"
    "9c99da98883ef7703fc4e221f43ce4e014a0e8a3cdfab8e8c31719427c9e695af766cdce864a15c7ff6ec0803fbe"
)
QUICK: dict[str, dict[str, Any]] = {  # seconds; usually 60, 60, 60, which is long to look at
    "g123": {"timeout": 2},
    "sud": {"timeout": 2, "retry_delays": [3, 6, 12]},
}
YOURS = ("table", "id_column", "nickname_column", "user_id_column")  # of [players]
TITLE = "# Written by `guerdon run`, anew at each start: a copy of"


def build_sections(address: str) -> dict[str, dict[str, Any]]:
    """The sections of the platforms, for stand-ins at `address`."""
    app = {"app_id": APP_ID, "app_secret": APP_SECRET}
    return {
        "gamemonitoring": {"api_url": address, "tokens": [refer("GAMEMONITORING_TOKEN")]},
        "g123": {"host": address, **app},
        "sud": {"report_url": address + sud.PATH, "unsigned": False, **app},
    }


def make_demo_user() -> dict[str, str]:
    """Who may do everything in the dashboard of `guerdon run`."""
    return {"name": DEMO_USER, "password": DEMO_HASH, "role": "act"}


def refer(variable: str) -> dict[str, str]:
    return {"env": variable, "default": SECRETS[variable]}


def write_config(
    config: Config, address: str, database: Path, place: Path | None = None,
    ports: Ports | None = None,
) -> Path:  # fmt: skip
    """Copy a config's file for the database file and stand-ins at `address`; the copy's path.

    It lies at `place`, or beside the database. With `ports`, vote sites and a console are tried too. Raises
    GuerdonError where a file of somebody else's lies there.
    """
    path = place or database.with_suffix(".toml")
    if path.exists() and not path.read_text("utf-8").startswith(TITLE):
        raise GuerdonError(f"{path} was not written by `guerdon run`: move it away")
    tables = divert(read_tables(config.path)[0], address, database)
    if ports is not None:
        add_sites(tables, config, ports, database.with_name(f"{database.stem}-votifier.pem"))
    tables["rewards"] = {"file": str(config.rewards_file.absolute())}
    tables["studio"] = {"plugins": str(config.plugins_folder)}
    lines = [f"{dump(key)} = {dump(value)}\n" for key, value in tables.items()]
    path.touch(mode=0o600)  # it holds what secrets the config holds
    path.write_text("".join([f"{TITLE} {config.path}\n", *lines]), "utf-8")
    return path


def divert(tables: dict[str, Any], address: str, database: Path) -> dict[str, Any]:
    """The tables of a config, with the playground's database, players, secrets and stand-ins."""
    players = as_table(tables.get("players"))
    own_players = {key: value for key, value in players.items() if key not in YOURS}
    is_own = own_players == players
    return {
        **tables,
        "database": {"url": f"sqlite:///{database}"},
        "api": {"keys": [refer("GUERDON_API_KEY")]},
        "network": {"only_to": [address]},
        "metrics": {"on": True, "folder": str(database.with_suffix(".metrics"))},
        "dispatcher": {
            **as_table(tables.get("dispatcher")),
            "in_workers": True,
            "consoles": False,
        },
        "players": own_players,
        "reconcile": {**as_table(tables.get("reconcile")), "patience": "0 seconds"},
        "dashboard": {"users": [make_demo_user()]},
        "plugins": divert_plugins(as_table(tables.get("plugins")), address, is_own),
    }


def add_sites(tables: dict[str, Any], config: Config, ports: Ports, key: Path) -> None:
    """Switch on the stand-ins of vote sites, and deliver claims to that of a console, and to no other."""
    tables["plugins"] |= divert_sites(tables["plugins"], config, ports, key)
    if "rcon" in list_stood_in(config):
        tables["dispatcher"] |= {"consoles": ["rcon"]}


def divert_plugins(plugins: dict[str, Any], address: str, is_own: bool) -> dict[str, Any]:
    """The plugins' sections, those of the platforms with stand-ins; `is_own`: of the table of players."""
    stand_ins = build_sections(address)
    if "webhook" in plugins:
        stand_ins["webhook"] = {"url": address + webhook.PATH, "secret": webhook.SECRET}
    diverted = {
        name: divert_addresses(section, f"{address}{elsewhere.PATH}/{name}")
        for name, section in plugins.items()
    }
    if not is_own:
        diverted = forget_column(diverted)
    for name, section in stand_ins.items():
        diverted[name] = {**QUICK.get(name, {}), **as_table(plugins.get(name)), **section}
    return diverted


def forget_column(plugins: Mapping[str, Any]) -> dict[str, Any]:
    """The sections without the columns that they name: those are of the studio's table, and this is ours."""
    kept = dict(plugins)
    if "gold" in kept:
        gold = as_table(kept["gold"])
        kept["gold"] = {key: value for key, value in gold.items() if key != "column"}
    for name, section in kept.items():
        if isinstance(section, dict) and "user_id_column" in section:
            kept[name] = {**section, "user_id_column": "nickname"}
    return kept


def divert_addresses(value: Any, to: str) -> Any:
    """A section in which each address leads to a stand-in that takes everything; its path is kept."""
    if isinstance(value, dict):
        return {key: divert_addresses(inner, to) for key, inner in value.items()}
    if isinstance(value, list):
        return [divert_addresses(inner, to) for inner in value]
    if isinstance(value, str) and value.startswith(("http://", "https://")):
        return to + urlsplit(value).path
    return value


def dump(value: Any) -> str:
    """A value in TOML."""
    if isinstance(value, dict):
        pairs = (f"{dump(key)} = {dump(inner)}" for key, inner in value.items())
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(dump, value))}]"
    if isinstance(value, str | bool | int | float):
        return json.dumps(value, ensure_ascii=False)
    return str(value.isoformat())
