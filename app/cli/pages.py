"""Lists on a terminal, page by page."""

import json
from collections.abc import Iterable
from typing import Any

from app.history.pages import Page
from app.terminal import tell

LOOK_THROUGH = 200_000  # rows; whoever types waits longer than a page does


def tell_page(name: str, page: Page[Any], as_json: bool, lines: Iterable[str]) -> None:
    """A page, and on standard error how to see the next, so that a program reads rows alone."""
    if as_json:
        rows = [one.describe() for one in page.rows]
        tell(json.dumps({name: rows, "next": page.next, "is_cut": page.is_cut}))
        return
    tell(*lines)
    if page.next is not None:
        why = f"{LOOK_THROUGH:,} rows were looked through" if page.is_cut else "there are more"
        tell(f"{why}: go on with --before {page.next}", err=True)
