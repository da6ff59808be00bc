"""What `guerdon run` adds to your config: reporters that speak to the playground's stand-ins.

A section that your config has itself stays as it is there, and your file is not changed.
"""

import json
from pathlib import Path
from typing import Any

from app.checking import read_toml
from app.config import Config
from app.playground import sud

# Names that nobody takes for secrets: they are good for this machine only.
APP_ID, APP_SECRET = "playground-app", "playground-app-secret"
SUD_DELAYS = [3, 6, 12]  # seconds; usually 60, 60, 60, which is long to look at
TIMEOUT = 2  # seconds


def build_sections(address: str) -> dict[str, dict[str, Any]]:
    """The sections of the reporters, for stand-ins at `address`."""
    shared = {"app_id": APP_ID, "app_secret": APP_SECRET, "timeout": TIMEOUT}
    return {
        "g123": {"host": address, **shared},
        "sud": {"report_url": address + sud.PATH, "retry_delays": SUD_DELAYS, **shared},
    }


def write_config(config: Config, address: str, folder: Path) -> Path:
    """A copy of a config in `folder`, with the reporters that it leaves out; the copy's path."""
    tables = read_toml(config.path)
    tables["plugins"] = {**build_sections(address), **tables.get("plugins", {})}
    tables["rewards"] = {"file": str(config.rewards_file.resolve())}
    path = folder / "guerdon.toml"
    path.touch(mode=0o600)  # it holds what secrets the config holds
    path.write_text("".join(f"{key} = {dump(value)}\n" for key, value in tables.items()), "utf-8")
    return path


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
