"""What gunicorn serves for operators: the dashboard of the config that GUERDON_CONFIG names."""

import os
from pathlib import Path

from gunicorn.errors import AppImportError

from app.config.environment import load_environment
from app.dashboard.building import build_dashboard
from app.opening import open_guerdon
from app.porch.errors import ConfigError

try:
    config = Path(os.environ.get("GUERDON_CONFIG") or "config/guerdon.toml")
    load_environment(config)
    app = build_dashboard(open_guerdon(config))
except ConfigError as error:
    raise AppImportError(f"the dashboard does not start:\n{error}") from None
