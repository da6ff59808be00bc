"""What gunicorn serves: `gunicorn -c config/gunicorn.conf.py wsgi:app`."""

from app.serving.wsgi import app

__all__ = ["app"]
