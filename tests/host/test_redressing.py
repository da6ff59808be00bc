"""A plugin's functions may be dressed, for a trace: its place among the others stays."""

from types import SimpleNamespace
from typing import Any

from app.host.calling import Calling
from app.porch.hookspecs import hookimpl


def make_plugin(kind: str, says: str) -> Any:
    @hookimpl
    def grant_reward(reward: Any) -> Any:
        return {"from": says} if reward.kind == kind else None

    return SimpleNamespace(grant_reward=grant_reward)


def test_it_works() -> None:
    """The middle one of three is dressed: it is heard, and still asked after the last."""
    calling = Calling()
    for name, kind in (("first", "coin"), ("middle", "coin"), ("last", "gem")):
        calling.register(make_plugin(kind, name), name)
    heard: list[tuple[str, Any]] = []

    def dress(hook: str, function: Any) -> Any:
        def call(reward: Any) -> Any:
            heard.append((hook, function(reward)))
            return heard[-1][1]

        call.__dict__.update(function.__dict__)
        return call

    calling.redress("middle", dress)

    def ask(kind: str) -> Any:
        facts = dict.fromkeys(("event", "player", "db", "settings", "batch", "now"))
        return calling.ask("grant_reward", reward=SimpleNamespace(kind=kind), **facts)

    assert ask("gem").value == {"from": "last"}
    assert heard == []
    assert ask("coin").find_last() == "middle"
    assert heard == [("grant_reward", {"from": "middle"})]
    assert [name for name, _ in calling.manager.list_name_plugin()] == ["first", "middle", "last"]
