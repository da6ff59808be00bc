"""Calls into plugins: the one loop over them, and who answered what.

pluggy asks all of them in one call, so that a wrapper stands around them all, and tells neither who
answered nor who failed. So each plugin is registered behind a stand-in, which notes both.
"""

import functools
import inspect
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType, SimpleNamespace
from typing import Any, TypeVar

import pluggy

from app.database.error_kinds import disown_error, is_own_error
from app.metrics.families import PLUGIN_ERRORS
from app.porch import hookspecs
from app.porch.errors import GuerdonError, NotReady, PluginFailed

Answered = TypeVar("Answered", bound=GuerdonError)


@dataclass(slots=True)  # not frozen, which makes it slower to make: there are several a vote
class Answer:
    """What one plugin answered, or what it raised."""

    plugin: str
    value: Any = None
    error: Exception | None = None


@dataclass(slots=True)
class Heard:
    """What came of one call of all, wrappers and all, and what each plugin gave to it."""

    value: Any
    answers: Sequence[Answer]

    def find_author(self, value: Any) -> str | None:
        """The plugin that gave this very object; None where a wrapper made it."""
        return next((one.plugin for one in self.answers if one.value is value), None)

    def find_last(self) -> str | None:
        """The plugin that answered last; where the first answer ends the call, the one that did."""
        answered = [one.plugin for one in self.answers if one.error is None]
        return answered[-1] if answered else None


class Witness(threading.local):
    """What the stand-ins noted during the call under way, in this thread; None where nobody asks for it."""

    answers: list[Answer] | None = None


class StandIn:
    """A plugin as pluggy has it: its hooks, watched; all else of it as it is."""

    def __init__(self, plugin: Any, hooks: Mapping[str, Callable[..., Any]]) -> None:
        vars(self).update(hooks, _plugin=plugin, __doc__=plugin.__doc__)

    @property
    def plugin(self) -> Any:
        """The plugin itself."""
        return self._plugin

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plugin, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._plugin, name, value)

    def __repr__(self) -> str:
        return repr(self._plugin)


class Calling:
    """Registers plugins, and asks them."""

    def __init__(self) -> None:
        self.manager = pluggy.PluginManager(hookspecs.NAME)
        self.manager.add_hookspecs(hookspecs)
        self.witness = Witness()

    def register(self, plugin: Any, name: str) -> None:
        """Raises pluggy.PluginValidationError for a hook or an argument that there is not."""
        hooks = {
            hook: watch(getattr(plugin, hook), (name, hook), self.witness, bool(options["wrapper"]))
            for hook, options in self._read_hooks(plugin).items()
        }
        self.manager.register(StandIn(plugin, hooks), name)
        self.manager.check_pending()

    def redress(self, name: str, dress: Callable[[str, Callable[..., Any]], Any]) -> None:
        """Have each hook function of a plugin be what `dress(hook, function)` makes of it; all else stays.

        Who is asked first goes by the order of registration, so all are registered anew.
        """
        known: list[tuple[str, Any]] = list(self.manager.list_name_plugin())
        plugins = [(one, stand_in.plugin) for one, stand_in in known]
        for one, _ in plugins:
            self.manager.unregister(name=one)
        for one, plugin in plugins:
            dressed = plugin
            if one == name:
                dressed = SimpleNamespace()
                for hook in self._read_hooks(plugin):
                    setattr(dressed, hook, dress(hook, getattr(plugin, hook)))
            self.register(dressed, one)

    def _read_hooks(self, plugin: Any) -> dict[str, Any]:
        """The hooks that a plugin's functions are for, and how they are marked."""
        marked = {name: self.manager.parse_hookimpl_opts(plugin, name) for name in dir(plugin)}
        return {name: options for name, options in marked.items() if options is not None}

    def list_hooks(self, name: str) -> tuple[str, ...]:
        """The hooks that this plugin answers or wraps."""
        callers = self.manager.get_hookcallers(self.manager.get_plugin(name)) or ()
        return tuple(sorted(caller.name for caller in callers))

    def has(self, hook: str) -> bool:
        """Whether any plugin answers this hook: a call nobody hears is not worth making."""
        return bool(getattr(self.manager.hook, hook).get_hookimpls())

    def list_answerers(self, hook: str) -> list[str]:
        """The plugins that answer a hook; who only wraps it does not."""
        impls = getattr(self.manager.hook, hook).get_hookimpls()
        return [impl.plugin_name for impl in impls if not (impl.wrapper or impl.hookwrapper)]

    def only(self, hook: str, plugin: str) -> Any:
        """The hook as answered by one plugin, and wrapped: where one's failure is its own."""
        others = {name for name in self.list_answerers(hook) if name != plugin}
        named = self.manager.list_name_plugin()
        return self.manager.subset_hook_caller(hook, [p for name, p in named if name in others])

    def ask(self, hook: str, **facts: Any) -> Heard:
        """Ask all in one call, as the hook says: for the first answer, or for everybody's.

        Raises PluginFailed, by the name of the plugin, for an error that is neither ours nor our
        database's; those pass, for whoever runs the transaction.
        """
        witness = self.witness
        outer, witness.answers = witness.answers, []
        try:
            value = getattr(self.manager.hook, hook)(**facts)
            return Heard(value, tuple(witness.answers))
        except NotReady as error:
            raise forget_way(error) from None
        except Exception as error:
            if is_of_guerdon(error):
                raise
            raisers = (one.plugin for one in witness.answers if one.error is error)
            raise PluginFailed(next(raisers, "a plugin"), hook, error) from error
        finally:
            witness.answers = outer

    def ask_each(
        self,
        hook: str,
        facts: Mapping[str, Any] = MappingProxyType({}),
        read: Callable[[Any], Any] = lambda value: value,
    ) -> Iterator[Answer]:
        """Ask one after the other, as registered, each alone; `read` makes of an answer what is wanted.

        Where a plugin, or `read`, raises an Exception, that is its Answer's `error`.
        """
        for name in self.list_answerers(hook):
            try:
                yield Answer(name, read(self.only(hook, name)(**facts)))
            except Exception as error:
                disown_error(error)
                yield Answer(name, error=error)


def is_of_guerdon(error: Exception) -> bool:
    """Whether what came out of a plugin is our error, or our database's: no fault of the plugin."""
    return isinstance(error, GuerdonError) or is_own_error(error)


def forget_way(error: Answered) -> Answered:
    """The same error, for whom its reason is all there is to tell, without the way that it came.

    pluggy's frame knows it, and it that frame: only the collector would free them, and all that was sent.
    """
    error.__context__ = None
    return error.with_traceback(None)


def watch(
    function: Callable[..., Any], place: tuple[str, str], witness: Witness, is_wrapper: bool
) -> Callable[..., Any]:
    """A plugin's function, its answers and errors noted; `place`: the plugin's name, and the hook's."""
    name, _ = place

    def note_error(error: Exception) -> None:
        disown_error(error)
        count_error(error, place)
        # Those around it meet the same error: who raised it noted it first.
        answers = witness.answers
        if answers is not None and not any(one.error is error for one in answers):
            answers.append(Answer(name, error=error))

    @functools.wraps(function)
    def answer(*args: Any) -> Any:
        try:
            value = function(*args)
        except Exception as error:
            note_error(error)
            raise
        if value is not None and witness.answers is not None:
            witness.answers.append(Answer(name, value))
        return value

    @functools.wraps(function)
    def wrap(*args: Any) -> Any:
        try:
            return (yield from function(*args))
        except Exception as error:
            note_error(error)
            raise

    if not is_wrapper:
        return answer
    return wrap if inspect.isgeneratorfunction(function) else function  # pluggy refuses the latter


def count_error(error: Exception, place: tuple[str, str]) -> None:
    """Once, where it was raised, and not where it passes by; what Guerdon's own errors say is no fault."""
    if is_of_guerdon(error) or hasattr(error, "counted_by_guerdon"):
        return
    with suppress(AttributeError):  # it is of slots: counted again by each wrapper around it
        error.counted_by_guerdon = True  # type: ignore[attr-defined]
    PLUGIN_ERRORS[place].inc()
