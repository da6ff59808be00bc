"""The list of mutants is of the source as it is: each piece is there, once, and its tests too."""

from pathlib import Path

import pytest

from tests.mutants.__main__ import main
from tests.mutants.reading import DATABASES, ROOT, Mutant, read_mutants

MUTANTS = read_mutants()


def test_it_works(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = now > due\n")
    mutant = Mutant("a.py", "now > due", "now >= due", "a bound moved")

    assert mutant.apply(tmp_path) == "x = now > due\n"
    assert (tmp_path / "a.py").read_text() == "x = now >= due\n"
    with pytest.raises(ValueError, match=r"a\.py has 0 times"):
        mutant.apply(tmp_path)


def test_there_are_a_hundred_that_change_something() -> None:
    assert len([mutant for mutant in MUTANTS if not mutant.same]) >= 100


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.file}: {mutant.why}")
def test_a_mutant_is_of_the_source_as_it_is(mutant: Mutant) -> None:
    assert (ROOT / mutant.file).read_text().count(mutant.find) == 1
    assert mutant.find != mutant.replace
    assert mutant.same or mutant.tests
    assert set(mutant.on) <= set(DATABASES)
    for test in mutant.tests:
        path, _, name = test.partition("::")
        assert name.split("[")[0] in (ROOT / path).read_text(), test


def test_who_asks_how_it_is_used_is_told_and_words_that_choose_nothing_try_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Not: hours of tests, or none and all is well."""
    with pytest.raises(SystemExit) as helped:
        main(["--help"])
    with pytest.raises(SystemExit) as chosen:
        main(["no such file"])

    assert (helped.value.code, chosen.value.code) == (0, 2)
    told = capsys.readouterr()
    assert "usage: python -m tests.mutants" in told.out
    assert "holds any of: no such file" in told.err
