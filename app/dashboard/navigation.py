"""The pages that every page leads to, in the order of their worth; a screen of that kind is a line here."""

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

NAVIGATION: tuple[tuple[str, LazyString], ...] = (
    ("screens.show_home", _l("Now")),
    ("screens.show_events", _l("Events")),
    ("screens.show_reports", _l("Reports")),
    ("screens.show_rules", _l("Rules")),
    ("screens.show_boards", _l("Leaderboards")),
    ("screens.show_claims", _l("Claims")),
    ("screens.show_acts", _l("Acts")),
    ("screens.show_plots", _l("Plots")),
    ("screens.show_stocks", _l("Stocks")),
    ("screens.show_reconciliation", _l("Reconciliation")),
    ("screens.show_alarms", _l("Alarms")),
    ("screens.show_doctor", _l("Doctor")),
)
