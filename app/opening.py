"""A process of Guerdon from its config file: read, checked, and put together."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote, urlsplit

from app.alarms.checking import list_alert_faults
from app.config.reading import Config, read_config
from app.config.sections import Network
from app.database.asking_time import ask_time
from app.database.clock import Clock, make_clock
from app.database.opening import Database, open_database
from app.delivering.consoles import find_consoles, list_unknown_consoles
from app.failpoints import FOLDER, list_crash_faults
from app.guerdon import Guerdon
from app.host.loading import Plugins, load_plugins
from app.logs import find_secrets, set_up_logs
from app.network.client import Http
from app.network.proxies import make_proxy, write_login
from app.paying.game_servers import make_built_in
from app.paying.player_facts import list_unknown_facts
from app.porch.errors import ConfigError
from app.porch.fields import Secret
from app.rules.reading import read_rules


def open_network(network: Network) -> Http:
    """The way out, as the config has it."""
    proxy = None
    if network.proxy:
        password = network.proxy_password.reveal() if network.proxy_password else ""
        proxy = make_proxy(network.proxy, network.proxy_user, password, network.direct)
    return Http(network.only_to, proxy=proxy)


def list_proxy_secrets(network: Network) -> list[Secret]:
    """The proxy's password, and the form in which the proxy is told it."""
    password = network.proxy_password
    if password is None:
        return []
    return [password, Secret(write_login(network.proxy_user, password.reveal()), "proxy login")]


def list_secrets(config: Config) -> list[Secret]:
    """What no log and no answer may show, but for the plugins' own."""
    quoted = urlsplit(config.database.url).password or ""
    passwords = [Secret(text, "database") for text in (quoted, unquote(quoted))]
    ours = [
        *config.api.keys, *list_proxy_secrets(config.network), *config.rewards.draw_secrets,
        *config.metrics.keys,
        *config.dashboard.secrets,
    ]  # fmt: skip
    return [*find_secrets(ours), *passwords]


def open_guerdon(
    path: Path,
    now: Callable[[], int] | None = None,
    http: Http | None = None,
    beside: Mapping[str, Any] = MappingProxyType({}),
    url: str = "",
) -> Guerdon:
    """A Guerdon from the config file at `path`; ConfigError lists every fault of config, plugins, rules.

    `now` gives ms since the epoch; without it the database's clock does. `beside` are plugins, by name,
    that are asked after those of the config. `url` is of another database than the config's.
    """
    config, faults = read_config(path)
    if url:
        config = replace(config, database=replace(config.database, url=url))
    faults += list_crash_faults(FOLDER)
    plugins = open_plugins(config, beside, faults)
    rules = database = None
    try:
        rules = read_rules(config.rewards_file, plugins.kinds if plugins else None)
        if plugins:
            faults += list_unknown_facts(rules, plugins, str(config.rewards_file))
    except ConfigError as error:
        faults += error.faults
    try:
        database = open_database(config.database.url)
    except ConfigError as error:
        faults += [f"{path}: {fault}" for fault in error.faults]
    if faults or plugins is None or rules is None or database is None:
        raise ConfigError(faults)
    config = replace(config, players=replace(config.players, source_columns=plugins.id_columns))
    secrets = [*list_secrets(config), *find_secrets(plugins.settings)]
    set_up_logs(secrets)
    http = http or open_network(config.network)
    clock = make_clock(now) if now else open_clock(database)
    return Guerdon(config, plugins, rules, database, clock, http, secrets)


def open_plugins(config: Config, beside: Mapping[str, Any], faults: list[str]) -> Plugins | None:
    """The plugins of a config; what is wrong with them, and with what they are for, is added to `faults`."""
    try:
        plugins = load_plugins(config, {**make_built_in(bool(config.api.keys)), **beside})
    except ConfigError as error:
        faults += error.faults
        return None
    servers, wrong = find_consoles(plugins)
    told = [*list_alert_faults(config.alerts, plugins), *wrong]
    told += list_unknown_consoles(config.dispatcher.consoles, servers)
    faults += [f"{config.path}: {one}" for one in told]
    return plugins


def open_clock(database: Database) -> Clock:
    """The database server's, which all hosts share; this host's where there is no server."""
    return Clock(ask=partial(ask_time, database) if database.family == "mysql" else None)
