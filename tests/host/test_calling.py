"""Calls into plugins: each answers for itself, and so does who fails, also within a wrapper."""

import gc
import weakref
from types import SimpleNamespace
from typing import Any

import pluggy
import pytest
from peewee import OperationalError

from app import NotReady, hookimpl
from app.database.error_kinds import classify_error, own_error
from app.host.calling import Answer, Calling
from app.porch.errors import PluginFailed

GRANT = dict.fromkeys(("reward", "event", "player", "db", "settings", "batch", "now"))
BUILD = {"event": None, "grants": (), "settings": {}, "now": 0}


def make_plugin(hook: str, function: Any, **options: Any) -> Any:
    return SimpleNamespace(**{hook: hookimpl(**options)(function)})


def listen(*plugins: Any) -> Calling:
    """These plugins, called a, b, …; the last one is asked first."""
    calling = Calling()
    for name, plugin in zip("abcd", plugins, strict=False):
        calling.register(plugin, name)
    return calling


def fail(error: Exception) -> Any:
    def build_report(event: Any) -> Any:
        raise error

    return make_plugin("build_report", build_report)


def test_it_works() -> None:
    ours, theirs = {"paid": 1}, {"paid": 2}
    calling = listen(
        make_plugin("grant_reward", lambda reward: ours),
        make_plugin("grant_reward", lambda reward, now: theirs if now else None),
        make_plugin("grant_reward", lambda: None),
    )

    heard = calling.ask("grant_reward", **GRANT | {"now": 1})
    assert (heard.value, heard.find_last(), heard.find_author(theirs)) == (theirs, "b", "b")
    heard = calling.ask("grant_reward", **GRANT)
    assert (heard.value, heard.find_last(), heard.find_author(theirs)) == (ours, "a", None)
    assert calling.ask("find_player", event=None, db=None, settings={}).value is None


def test_of_equal_answers_each_has_its_own_author() -> None:
    calling = listen(
        make_plugin("build_report", lambda event: [1]), make_plugin("build_report", lambda: [1])
    )

    heard = calling.ask("build_report", **BUILD)

    assert [heard.find_author(one) for one in heard.value] == ["b", "a"]


def test_who_raises_is_named_whatever_stands_around_it() -> None:
    def wrap(event: Any) -> Any:
        return (yield)

    def raise_after(event: Any) -> Any:
        yield
        raise KeyError("mine")

    wrapper = make_plugin("build_report", wrap, wrapper=True)
    with pytest.raises(PluginFailed, match="the plugin b failed in build_report: ValueError"):
        listen(wrapper, fail(ValueError("x")), wrapper).ask("build_report", **BUILD)
    broken = make_plugin("build_report", raise_after, wrapper=True)
    with pytest.raises(PluginFailed, match="the plugin a failed in build_report: KeyError"):
        listen(broken, make_plugin("build_report", lambda event: 1)).ask("build_report", **BUILD)


def lose_connection() -> OperationalError:
    """What our database says."""
    error = OperationalError(2013, "gone")
    own_error(error)
    return error


@pytest.mark.parametrize("error", [NotReady("not now"), lose_connection()])
def test_our_errors_and_our_databases_pass_as_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        listen(fail(error)).ask("build_report", **BUILD)

    assert raised.value is error


def test_an_error_of_a_plugins_own_database_is_the_plugins() -> None:
    """Also where it was handled, and something else came of it."""

    def hide(event: Any) -> Any:
        try:
            raise OperationalError(2013, "gone")
        except OperationalError:
            raise KeyError("pet")  # noqa: B904

    for plugin in (fail(OperationalError(2013, "gone")), make_plugin("build_report", hide)):
        with pytest.raises(PluginFailed, match="failed in build_report") as raised:
            listen(plugin).ask("build_report", **BUILD)
        assert classify_error(raised.value) == "refused"


def test_who_is_asked_alone_answers_for_his_own_database() -> None:
    """Also for what he does later, as one who yields what he answers."""

    def answer(event: Any) -> Any:
        yield 1
        raise OperationalError(2013, "gone")

    calling = listen(make_plugin("build_report", answer))

    [heard] = calling.ask_each("build_report", BUILD, lambda answers: list(answers[0]))

    assert heard.error is not None
    assert classify_error(heard.error) == "refused"


def test_who_failed_and_was_covered_for_has_not_answered() -> None:
    def cover(event: Any) -> Any:
        try:
            return (yield)
        except ValueError:
            return [7]

    calling = listen(make_plugin("build_report", cover, wrapper=True), fail(ValueError("x")))

    heard = calling.ask("build_report", **BUILD)

    assert (heard.value, heard.find_last()) == ([7], None)


def test_each_alone_costs_the_others_nothing() -> None:
    broken = KeyError("x")
    calling = listen(make_plugin("build_report", lambda event: 1), fail(broken))

    assert list(calling.ask_each("build_report", BUILD)) == [
        Answer("a", [1]), Answer("b", error=broken),
    ]  # fmt: skip
    unread = list(calling.ask_each("build_report", BUILD, lambda answers: answers[9]))
    assert [type(one.error) for one in unread] == [IndexError, KeyError]


def test_an_object_may_be_a_plugin_and_keeps_what_else_it_has() -> None:
    class Ours:
        """It pays."""

        paid = 0

        @hookimpl
        def grant_reward(self, now: int) -> dict[str, int]:
            self.paid += now
            return {"paid": self.paid}

    calling = listen(Ours())

    assert calling.ask("grant_reward", **GRANT | {"now": 3}).value == {"paid": 3}
    plugin = calling.manager.get_plugin("a")
    assert (plugin.paid, plugin.__doc__) == (3, "It pays.")
    assert calling.list_hooks("a") == ("grant_reward",)
    plugin.paid = 10
    assert calling.ask("grant_reward", **GRANT | {"now": 1}).value == {"paid": 11}


def test_a_wrapper_that_yields_nothing_is_refused_as_ever() -> None:
    with pytest.raises(pluggy.PluginValidationError, match="generator"):
        listen(make_plugin("build_report", lambda event: 1, wrapper=True))


def test_what_nobody_asks_for_is_not_kept() -> None:
    """A hook may be called by itself, as for each webhook request: what came of it would pile up."""

    class Receipt(dict[str, int]):
        pass

    class Fault(Exception):
        pass

    kept: list[Any] = []

    def grant_reward(now: int) -> Receipt:
        receipt = Receipt()
        kept.append(weakref.ref(receipt))
        if now:
            error = Fault()
            kept.append(weakref.ref(error))
            raise error
        return receipt

    calling = listen(make_plugin("grant_reward", grant_reward))

    calling.manager.hook.grant_reward(**GRANT | {"now": 0})
    with pytest.raises(Fault):
        calling.manager.hook.grant_reward(**GRANT | {"now": 1})
    calling.ask("grant_reward", **GRANT | {"now": 0})
    gc.collect()

    assert [one() for one in kept] == [None] * 4
