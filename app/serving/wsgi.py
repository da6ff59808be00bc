"""What gunicorn serves: the web service of the config that GUERDON_CONFIG names."""

import os
from pathlib import Path

import structlog
from gunicorn.errors import AppImportError

from app.config.environment import load_environment
from app.opening import open_guerdon
from app.porch.errors import ConfigError
from app.web.building import build_app

try:
    config = Path(os.environ.get("GUERDON_CONFIG") or "config/guerdon.toml")
    load_environment(config)
    guerdon = open_guerdon(config)
    guerdon.start_measuring("serve")
    structlog.configure(cache_logger_on_first_use=True)  # else one is made for each line
    app = build_app(guerdon)
except ConfigError as error:
    # gunicorn prints this one as it is and stops, instead of starting workers again and again.
    raise AppImportError(f"Guerdon does not start:\n{error}") from None
