"""A service that counts what it is asked, and notes every answer that it should never give."""

import io
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask

from app import create_app
from app.guerdon import Guerdon
from app.logs import set_up_logs
from app.opening import open_guerdon
from app.testing.deliveries import API_KEY, TOKEN
from app.testing.platforms import Platform
from app.testing.vote_api import VoteApi
from tests.world.everything import RULES, point_at
from tests.world.servers import find_tracebacks

LONGEST = 10.0  # seconds for an answer; more is a hang


class Target:
    """The service in this process, with every plugin; `sent` counts its requests by kind."""

    def __init__(self, folder: Path, vote_api: VoteApi, platform: Platform) -> None:
        config = folder / "guerdon.toml"
        sections = point_at(platform.url).format(vote_api=vote_api.url, token=TOKEN)
        config.write_text(
            f'[database]\nurl = "sqlite:///{folder}/guerdon.db"\n[api]\nkeys = ["{API_KEY}"]\n'
            f'[players]\nunknown = "create"\n{sections}'
        )
        (folder / "rewards.toml").write_text(RULES)
        self.vote_api = vote_api
        self.guerdon: Guerdon = open_guerdon(config)
        self.guerdon.migrate()
        self._log = io.StringIO()
        set_up_logs([], self._log)
        self.app: Flask = create_app(self.guerdon)
        self.app.add_url_rule("/broken", view_func=lambda: {}["nothing"])  # to show that it is seen
        self.app.wsgi_app = self._watch(self.app.wsgi_app)  # type: ignore[method-assign]
        self.sent: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.faults: list[str] = []
        self._kind = "other"
        self._is_outage = False

    def _watch(self, serve: Callable[..., Any]) -> Callable[..., Any]:
        def watched(environ: Any, start_response: Any) -> Any:
            began = time.monotonic()
            asked = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']!r:.200}"

            def start(line: str, *rest: Any) -> Any:
                status = int(line.partition(" ")[0])
                self.statuses[status] += 1
                if status >= 500 and not (status == 503 and self._is_outage):
                    self.faults.append(f"{line} for {asked}")
                return start_response(line, *rest)

            self.sent[self._kind] += 1
            answer = serve(environ, start)
            if time.monotonic() - began > LONGEST:
                self.faults.append(f"{time.monotonic() - began:.1f} s for {asked}")
            return answer

        return watched

    @contextmanager
    def watch(self, kind: str, is_outage: bool = False) -> Iterator[None]:
        """Count what comes as of this kind, and fail at the end for what should not have been."""
        self._kind, self._is_outage = kind, is_outage
        try:
            yield
        finally:
            self._kind, self._is_outage = "other", False
            faults, self.faults = self.faults, []
            tracebacks = find_tracebacks(self._log.getvalue())
            self._log.truncate(self._log.seek(0))
        assert faults == [], faults
        assert tracebacks == [], tracebacks[0][:3000]

    def close(self) -> None:
        self.guerdon.close()
