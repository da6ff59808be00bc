"""guerdon hooks: the reference of whoever writes a plugin, at hand where no source is."""

import dataclasses
import inspect
from collections.abc import Iterator
from enum import Enum
from typing import Any

import click

import app
from app.config.checking import suggest
from app.porch import hookspecs
from app.porch.errors import GuerdonError
from app.terminal import tell


@click.command("hooks")
@click.argument("name", required=False)
def show_hooks(name: str | None) -> None:
    """Each hook, and what it may take; or all about NAME: a hook, or what a plugin can import."""
    if name is None:
        for hook, function in list_hooks().items():
            tell(f"{hook}({', '.join(inspect.signature(function).parameters)})")
            tell(f"    {str(inspect.getdoc(function)).splitlines()[0]}")
        tell("", "More of one: guerdon hooks NAME, also of what a plugin imports, as Event.")
        return
    tell(*describe(name, find(name)))


def list_hooks() -> dict[str, Any]:
    """The functions that specify the hooks, by name, as the manual has them."""
    marked = vars(hookspecs).items()
    return {name: one for name, one in marked if hasattr(one, f"{hookspecs.NAME}_spec")}


def find(name: str) -> Any:
    """A hook, or a name of the porch. Raises GuerdonError where there is neither."""
    hooks = list_hooks()
    if name in hooks:
        return hooks[name]
    if name not in app.__all__:
        known = [*hooks, *app.__all__]
        raise GuerdonError(
            f"there is no hook and nothing to import of this name{suggest(name, known)}"
        )
    return getattr(app, name)


def describe(name: str, one: Any) -> Iterator[str]:
    """Its signature, or its fields, its methods, and what is to be known of it, in lines."""
    if inspect.isclass(one) and (dataclasses.is_dataclass(one) or issubclass(one, Enum)):
        yield from inspect.getsource(one).splitlines()  # what a field is stands beside it
        return
    try:
        signature = "" if inspect.isclass(one) else str(inspect.signature(one))
    except (TypeError, ValueError):
        signature = ""
    yield f"{name}{signature}"
    yield from (f"    {line}" for line in (inspect.getdoc(one) or "").splitlines())
    if inspect.isclass(one):
        for member, function in vars(one).items():
            if inspect.isfunction(function) and not member.startswith("_"):
                yield ""
                yield from (f"    {line}" for line in describe(member, function))
