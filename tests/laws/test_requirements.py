"""The locks keep up with setup.cfg: `make lock` renews them."""

import re
from itertools import pairwise

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.laws.requirements import (
    LOCKED,
    LOCKS,
    find_lowest,
    list_lowest,
    locate_lock,
    read_build_requirements,
    read_lock,
    read_requirements,
)

PYTHONS = ("3.11", "3.12", "3.13")
on_each_lock = pytest.mark.parametrize("name", LOCKS)


def find_version(name: str, package: str, python: str) -> str | None:
    """What the lock has this Python install on Linux."""
    here = {"python_version": python, "python_full_version": f"{python}.0"}
    fitting = [
        version
        for version, marker in read_lock(name).get(canonicalize_name(package), {}).items()
        if not marker or Marker(marker).evaluate(here)
    ]
    assert len(fitting) <= 1, f"{package}: {fitting}"
    return fitting[0] if fitting else None


def test_it_works() -> None:
    needed = {one.name: one for one in read_requirements("mysql")}
    assert str(find_lowest(needed["PyMySQL"])) in str(needed["PyMySQL"].specifier)
    assert {"flask", "gunicorn", "urllib3"} < set(needed)
    assert len(read_lock("test")) > len(read_lock("run")) > len(needed)
    assert "flask" in needed
    assert f"flask=={find_lowest(needed['flask'])}" in list(list_lowest())


@on_each_lock
@pytest.mark.parametrize("python", PYTHONS)
def test_whatever_is_asked_for_is_locked_at_a_version_that_fits(name: str, python: str) -> None:
    asked = [*read_requirements(*LOCKS[name]), *read_build_requirements()]

    unfit = [
        f"{one}: {version}"
        for one in asked
        if (version := find_version(name, one.name, python)) is None or version not in one.specifier
    ]

    assert unfit == [], "run `make lock`"


@on_each_lock
def test_each_package_has_its_hashes_and_nothing_says_where_it_came_from(name: str) -> None:
    text = locate_lock(name).read_text()
    starts = [match.start() for match in LOCKED.finditer(text)] + [len(text)]

    assert len(starts) == 1 + len(re.findall(r"^[a-zA-Z]", text, re.MULTILINE))
    for start, end in pairwise(starts):
        assert re.search(r"\\\n    --hash=sha256:[0-9a-f]{64}", text[start:end]), text[start:end]
    assert "://" not in text
    assert not re.search(r"^-", text, re.MULTILINE)


def test_what_serves_is_what_was_tested() -> None:
    run, tested = ({name: list(one) for name, one in read_lock(lock).items()} for lock in LOCKS)

    assert {name: tested.get(name) for name in run} == run


@pytest.mark.parametrize("one", read_requirements("mysql", "test", "dev"), ids=str)
def test_each_requirement_has_a_lowest_version(one: Requirement) -> None:
    assert find_lowest(one) in one.specifier
