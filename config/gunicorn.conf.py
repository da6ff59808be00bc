"""gunicorn's settings: Guerdon's own, and below what you would have otherwise, as `timeout = 30`.

What they are, and why, stands in app/serving/settings.py.
"""

from app.serving.settings import *  # noqa: F403
