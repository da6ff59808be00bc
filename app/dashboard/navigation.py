"""The pages that every page leads to, in the order of their worth; a screen of that kind is a line here."""

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

NAVIGATION: tuple[tuple[str, LazyString], ...] = (
    ("screens.show_home", _l("Now")),
    ("screens.show_rules", _l("Rules")),
    ("screens.show_boards", _l("Leaderboards")),
    ("screens.show_claims", _l("Claims")),
)
