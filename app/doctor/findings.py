"""What was found of one thing, and what to do about it; and checks that are given up in time."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from peewee import PeeweeException

from app.database.words import explain_database_error
from app.guerdon import Guerdon
from app.pending import Pending
from app.porch.errors import GuerdonError
from app.porch.masking import MASK


class Level(StrEnum):
    """How well it is: a warning will hurt some day, a fault hurts now."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True)
class Finding:
    """One line; `remedy` is a command or a setting to write, "" where all is well."""

    about: str
    level: Level
    text: str
    remedy: str = ""


@dataclass(frozen=True)
class Check:
    """Looks at one thing, for at most so many seconds."""

    about: str
    look: Callable[[Guerdon], Iterable[Finding]]
    patience: float = 10.0


def say_ok(about: str, text: str) -> Finding:
    return Finding(about, Level.OK, text)


def warn(about: str, text: str, remedy: str) -> Finding:
    return Finding(about, Level.WARNING, text, remedy)


def fail(about: str, text: str, remedy: str) -> Finding:
    return Finding(about, Level.FAULT, text, remedy)


def run_checks(
    guerdon: Guerdon, checks: Sequence[Check], hidden: Sequence[str] = ()
) -> list[Finding]:
    """The findings of all checks, which are made at the same time, in the order of the checks.

    None of the texts `hidden` is in them. A check that takes too long is left to itself.
    """
    running = [start(guerdon, check) for check in checks]
    found = [
        one for check, answer in zip(checks, running, strict=True) for one in wait(check, answer)
    ]
    return [hide(one, hidden) for one in found]


def start(guerdon: Guerdon, check: Check) -> Pending[list[Finding]]:
    answer = Pending[list[Finding]]()

    def look() -> None:
        try:
            answer.give(list(check.look(guerdon)))
        except Exception as error:
            answer.fail(error)
        finally:
            guerdon.database.close()  # this thread's connection

    threading.Thread(target=look, name=check.about, daemon=True).start()
    return answer


def wait(check: Check, answer: Pending[list[Finding]]) -> Iterator[Finding]:
    """Each check has its own time from here on, so all of them together may take longer than one."""
    try:
        yield from answer.wait(check.patience)
    except TimeoutError:
        text = f"nothing was found out within {check.patience:g} s"
        yield fail(check.about, text, "look whether it, or the machine, hangs; then ask again")
    except PeeweeException as error:
        text = f"the database does not say: {explain_database_error(error)}"
        yield fail(check.about, text, "guerdon check")
    except GuerdonError as error:
        yield fail(check.about, str(error), "guerdon check")
    except Exception as error:
        text = f"it could not be looked at ({type(error).__name__})"
        yield fail(check.about, text, "guerdon check")


def hide(finding: Finding, hidden: Sequence[str]) -> Finding:
    text, remedy = finding.text, finding.remedy
    for secret in hidden:
        text, remedy = text.replace(secret, MASK), remedy.replace(secret, MASK)
    return replace(finding, text=text, remedy=remedy)
