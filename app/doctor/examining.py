"""All that `guerdon doctor` looks at, in its order."""

from collections.abc import Iterator, Sequence

from app.doctor.backups import check_backup
from app.doctor.boxes import check_inbox, check_reports
from app.doctor.database import (
    check_clock,
    check_cluster,
    check_memory,
    check_room,
    check_server,
)
from app.doctor.findings import Check, Finding, fail, run_checks, say_ok, warn
from app.doctor.network import list_host_checks
from app.doctor.process import check_limits, check_service
from app.doctor.secrets import check_secrets
from app.doctor.watching import check_dashboard, check_metrics
from app.guerdon import Guerdon
from app.logs import find_secrets
from app.opening import list_secrets
from app.porch.masking import SHORTEST_MASKED, list_spellings

CHECKED = "guerdon check"


def list_findings(guerdon: Guerdon, more: Sequence[Check] = ()) -> list[Finding]:
    """What is well and what is not, with its remedy; nothing is sent, paid or changed.

    `more` are checks of whoever asks. It takes as long as the slowest check, up to its time-out.
    """
    config = guerdon.config
    secrets = [*list_secrets(config), *find_secrets(guerdon.plugins.settings)]
    known = [one.reveal() for one in secrets if len(one.reveal()) >= SHORTEST_MASKED]
    return run_checks(guerdon, [*CHECKS, *list_host_checks(guerdon), *more], list_spellings(known))


def repeat_check(guerdon: Guerdon) -> Iterator[Finding]:
    """As `guerdon check` does."""
    faults = guerdon.inspect()
    warnings = guerdon.list_warnings()
    if not faults:
        warnings += guerdon.bookkeeping.list_warnings()
    for fault in faults:
        yield fail("check", fault, f"mend that, then: {CHECKED}")
    for warning in warnings:
        yield warn("check", warning, f"mend that, then: {CHECKED}")
    if not faults and not warnings:
        rules = len(guerdon.rules.all)
        yield say_ok("check", f"config, plugins, {rules} rules, tables and rights are well")


CHECKS = (
    Check("check", repeat_check, 30),
    Check("secrets", check_secrets),
    Check("clock", check_clock),
    Check("database", check_server),
    Check("room", check_room),
    Check("memory", check_memory),
    Check("cluster", check_cluster),
    Check("inbox", check_inbox),
    Check("reports", check_reports),
    Check("service", check_service),
    Check("limits", check_limits),
    Check("backup", check_backup),
    Check("dashboard", check_dashboard),
    Check("metrics", check_metrics),
)
