"""What gunicorn serves: `gunicorn -c config/gunicorn.conf.py wsgi:app`."""

import os

from gunicorn.errors import AppImportError

from app import create_app
from app.porch.errors import ConfigError

try:
    app = create_app(os.environ.get("GUERDON_CONFIG", "config/guerdon.toml"))
except ConfigError as error:
    # gunicorn prints this one as it is and stops, instead of starting workers again and again.
    raise AppImportError(f"Guerdon does not start:\n{error}") from None
