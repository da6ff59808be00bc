"""gunicorn, once `app` is ours: gunicorn looks first where it is started, and there may be another."""

from gunicorn.app.wsgiapp import run

if __name__ == "__main__":
    run(prog="gunicorn")
