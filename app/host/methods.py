"""Which requests each source takes, where it takes more than a POST to its name."""

from collections.abc import Collection, Mapping
from typing import Any

from app.host.calling import Calling

METHODS = ("GET", "POST", "PUT")
FAULT = f"must return a dict of sources and lists of methods, of {', '.join(METHODS)}"


def gather_methods(calling: Calling, settings: Any, faults: list[str]) -> dict[str, frozenset[str]]:
    """What source_methods says, all plugins together; what is no such thing is a fault."""
    gathered: dict[str, frozenset[str]] = {}
    for answer in calling.ask_each("source_methods", {"settings": settings}):
        if answer.error is not None:
            faults.append(f"plugin {answer.plugin}: source_methods() failed: {answer.error!r}")
        for methods in answer.value or ():
            if not are_methods(methods):
                faults.append(f"plugin {answer.plugin}: source_methods() {FAULT}")
                continue
            for source, some in methods.items():
                gathered[source] = gathered.get(source, frozenset()) | frozenset(some)
    return gathered


def are_methods(methods: Any) -> bool:
    return isinstance(methods, Mapping) and all(
        isinstance(source, str)
        and isinstance(some, Collection)
        and not isinstance(some, str)
        and bool(some)
        and set(some) <= set(METHODS)
        for source, some in methods.items()
    )
