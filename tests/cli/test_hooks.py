"""`guerdon hooks`: the reference, where no source is at hand."""

import pytest
from click.testing import CliRunner

import app
from app.cli.hooks import list_hooks
from app.cli.main import main


def run(*words: str) -> str:
    result = CliRunner().invoke(main, ["hooks", *words])
    assert result.exit_code == 0, result.output
    return result.output


def test_it_works() -> None:
    """All hooks, each with what it may take."""
    said = run()

    assert "grant_reward(reward, event, player, db, settings, batch, now)\n    Inside: give" in said
    assert len(list_hooks()) == said.count("(") - said.count(" (") == 33


@pytest.mark.parametrize("name", [*list_hooks(), *app.__all__])
def test_all_that_a_plugin_has_is_told(name: str) -> None:
    said = run(name)

    assert name in said
    assert len(said.splitlines()) > 1, "it has no docstring"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Event", "occurred_at: int | None = None  # ms since the epoch, UTC"),
        ("OutcomeState", 'HELD = "held"  # waits for its player'),
        ("Batch", "gather(self, write"),
        ("add_to_players", "players: app.porch.types.PlayersTable"),
    ],
)
def test_fields_units_and_arguments_are_told(name: str, said: str) -> None:
    assert said in run(name)


def test_a_name_that_is_none_is_guessed_at() -> None:
    result = CliRunner().invoke(main, ["hooks", "grant_rewards"])

    assert result.exit_code == 1
    assert 'did you mean "grant_reward"?' in result.output
