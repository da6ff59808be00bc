"""A site that is polled: a plugin whose votes stand in a file, and what a poll has asked of it."""

import json
from pathlib import Path

# A poll asks for what stands behind its place, three at a time.
PLUGIN = """
    import json
    from pathlib import Path
    from app import Delivery, Event, NotReady, hookimpl

    SITE = Path(__file__).with_name("site.json")

    @hookimpl
    def poll_source(place, http, settings, now):
        site = json.loads(SITE.read_text())
        if site["fails"]:
            raise NotReady(site["fails"], 7)
        if site["breaks"]:
            return site["breaks"]
        begin = place or 0
        some = site["votes"][begin:begin + 3]
        with SITE.with_name("asked").open("a") as asked:
            asked.write(f"{begin}\\n")
        found = [Delivery("polls", "ping", one["id"], data=one) for one in some]
        return found, begin + len(some), 0 if len(some) == 3 else 120

    @hookimpl
    def fetch_events(delivery):
        if delivery.source == "polls":
            one = delivery.data
            return [Event("polls", "ping", delivery.id, "1", one["name"])]
"""


class PolledSite:
    """What the plugin beside it reads."""

    def __init__(self, folder: Path) -> None:
        """`folder` is the plugin's."""
        self._folder = folder
        self._site: dict[str, object] = {"votes": [], "fails": "", "breaks": None}
        self._write()

    def add_votes(self, *ids: str, name: str = "Ann") -> None:
        """More votes at the end of its list."""
        self._site["votes"] += [{"id": id_, "name": name} for id_ in ids]  # type: ignore[operator]
        self._write()

    def fail(self, why: str = "", breaks: object = None) -> None:
        """Give no answer from now on, or one that no plugin should return; without both it is well."""
        self._site |= {"fails": why, "breaks": breaks}
        self._write()

    @property
    def asked(self) -> list[int]:
        """The places it was asked from."""
        file = self._folder / "asked"
        return [int(line) for line in file.read_text().split()] if file.exists() else []

    def _write(self) -> None:
        (self._folder / "site.json").write_text(json.dumps(self._site))
