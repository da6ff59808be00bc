"""The contract of reporters: the scaffold's and ours keep it, and careless ones are told why not."""

from collections.abc import Callable
from typing import Any

import pytest

from app.guerdon import Guerdon
from app.paying.settler import Work
from app.porch.rounds import list_game_events
from app.scaffold.plugin import make_plugin
from app.testing.clock import Clock
from app.testing.contracts.reporter import ReporterContract
from app.testing.platforms import Platform, answer_g123, answer_sud
from app.web import examples
from tests.world.game_server import make_level_up

CODE, _, _ = make_plugin("chat", "reporter")


class ChatContract(ReporterContract):
    __test__ = False
    plugin = "chat"
    section = '[plugins.chat]\nurl = "{platform}/hook"\ntimeout = 1\n'


def test_it_works(
    add_plugin: Callable[..., str],
    open_service: Callable[..., Guerdon],
    platform: Platform,
    clock: Clock,
) -> None:
    """A contract is held outside of pytest's own fixtures too."""
    add_plugin(CODE, "chat")
    contract = ChatContract()
    contract.open(open_service, platform, clock)

    contract.test_it_is_told_once()


class TestScaffold(ChatContract):
    __test__ = True

    @pytest.fixture(autouse=True)
    def _drop(self, add_plugin: Callable[..., str]) -> None:
        add_plugin(CODE, "chat")


class TestWebhook(ReporterContract):
    plugin = "webhook"
    section = (
        '[plugins.webhook]\nurl = "{platform}/hook"\nsecret = "whsec_c2VjcmV0c2VjcmV0c2VjcmV0"\n'
        "timeout = 1\n"
    )


class TestG123(ReporterContract):
    plugin = "g123"
    section = (
        '[plugins.g123]\nhost = "{platform}"\napp_id = "app-7"\napp_secret = "g123-secret-73a9"\n'
        "timeout = 1\n"
    )

    def cause(self, guerdon: Guerdon) -> None:
        guerdon.settler.settle([Work(list_game_events("level_up", make_level_up()))])

    def accept(self, handler: Any) -> None:
        answer_g123(handler)


class TestSud(ReporterContract):
    plugin = "sud"
    sets_its_times = True  # each minute, three times: its sheet
    section = (
        '[plugins.sud]\nreport_url = "{platform}/report_game_info"\napp_id = "app-7"\n'
        'app_secret = "sud-secret-73a9"\ntimeout = 1\n'
    )

    def cause(self, guerdon: Guerdon) -> None:
        guerdon.settler.settle([Work(list_game_events("game_start", examples.GAME_START))])

    def accept(self, handler: Any) -> None:
        answer_sud(handler)


PICKY = CODE.replace(
    'if event.type != "server.vote":', 'if event.type != "server.vote" or not grants:'
).replace("def build_report(event: Event)", "def build_report(event: Event, grants)")


def test_a_vote_that_earned_something_is_told(
    add_plugin: Callable[..., str],
    open_service: Callable[..., Guerdon],
    platform: Platform,
    clock: Clock,
) -> None:
    """Many tell of paid votes alone: the contract's earns gold, unless `rules` say otherwise."""
    add_plugin(PICKY, "chat")
    contract = ChatContract()
    contract.open(open_service, platform, clock)

    contract.test_it_is_told_once()


def test_a_vote_that_is_not_told_is_explained(
    add_plugin: Callable[..., str],
    open_service: Callable[..., Guerdon],
    platform: Platform,
    clock: Clock,
) -> None:
    class Unpaid(ChatContract):
        __test__ = False
        rules = ""

    add_plugin(PICKY, "chat")
    contract = Unpaid()
    contract.open(open_service, platform, clock)

    with pytest.raises(AssertionError, match="bring that about in `cause`"):
        contract.test_it_is_told_once()


FORGETFUL = CODE.replace("if not 200 <= answer.status < 300:", "if answer.status == 999:")
CHANGING = CODE.replace("body=report.body", 'body=report.body + b" " * report.sends')
IMPATIENT = CODE.replace(", retry_in=wanted", "")


@pytest.mark.parametrize(
    ("code", "clause", "arguments", "sentence"),
    [
        (FORGETFUL, "test_an_error_is_no_success", [500], "status 500 is taken for success"),
        (FORGETFUL, "test_a_redirect_is_not_followed", [], "status 301 is taken for success"),
        (CHANGING, "test_the_bytes_are_the_same_each_time", [], "its bytes change"),
        (IMPATIENT, "test_retry_after_is_honoured", [], "sent again before Retry-After"),
    ],
)
def test_what_is_wrong_is_caught_and_its_author_told(
    code: str, clause: str, arguments: list[Any], sentence: str, add_plugin: Callable[..., str],
    open_service: Callable[..., Guerdon], platform: Platform, clock: Clock,
) -> None:  # fmt: skip
    assert code != CODE
    add_plugin(code, "chat")
    contract = ChatContract()
    contract.open(open_service, platform, clock)

    with pytest.raises(AssertionError, match=sentence):
        getattr(contract, clause)(*arguments)
