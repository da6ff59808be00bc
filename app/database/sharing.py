"""One process, one database: Peewee binds a model to one, and a second would get what the first one pays."""

import gc
import threading
import weakref
from pathlib import Path

from app.database.opening import Database
from app.porch.errors import ConfigError


class SharedDatabase:
    """The database that is open in this process, and who uses it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users: weakref.WeakSet[object] = weakref.WeakSet()  # one that is lost has let go
        self._place = ""
        self._database: Database | None = None

    def claim(self, user: object, url: str, database: Database) -> Database:
        """The database of this URL that is open already, or `database`; `user` lets go of it in the end.

        Raises ConfigError while somebody uses another one.
        """
        place = find_place(url)
        with self._lock:
            if self._users and place != self._place:
                gc.collect()
            if self._users and place != self._place:
                raise ConfigError([
                    "[database] url: this process has another database open, and what is paid would go "
                    "there: close the first Guerdon, or open this one in a process of its own"
                ])  # fmt: skip
            if not self._users or self._database is None:
                self._place, self._database = place, database
            self._users.add(user)
            return self._database

    def let_go(self, user: object) -> None:
        """The last one who lets go closes every connection."""
        with self._lock:
            if user not in self._users:
                return
            self._users.remove(user)
            if self._database is not None:
                self._database.close()
                if not self._users:
                    self._database.close_all()


SHARED = SharedDatabase()


def find_place(url: str) -> str:
    """Two URLs of one SQLite file are one place."""
    is_file, path = url.startswith("sqlite:"), url.removeprefix("sqlite://").removeprefix("/")
    return str(Path(path).resolve()) if is_file else url
