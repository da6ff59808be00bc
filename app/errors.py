"""Every error we raise, a sentence each. All of them are a GuerdonError."""

from collections.abc import Sequence


class GuerdonError(Exception):
    """Anything that Guerdon itself refuses or gives up on."""


class ConfigError(GuerdonError):
    """The config cannot be used; `faults` holds one sentence for each thing that is wrong."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


class BadDelivery(GuerdonError):
    """The request is not a delivery its source could have sent; the message becomes the reply."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class BadSignature(GuerdonError):
    """The delivery's signature is missing or wrong; nothing of it may be stored."""


class NotReady(GuerdonError):
    """The event cannot be paid now, but may be later: it waits and is tried again.

    `retry_in` (seconds) replaces the configured delay of the next try.
    """

    def __init__(self, reason: str, retry_in: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_in = retry_in


class UnknownPlayer(NotReady):
    """No player answers to the event's nickname or user id."""


class AmbiguousPlayer(NotReady):
    """More than one player answers to the event's nickname or user id: we never guess."""


class PluginFailed(GuerdonError):
    """A plugin's hook raised; the whole event it was called for is undone."""

    def __init__(self, plugin: str, hook: str, cause: BaseException) -> None:
        super().__init__(f"the plugin {plugin} failed in {hook}: {type(cause).__name__}")
        self.plugin = plugin
        self.hook = hook


class TransactionBroken(GuerdonError):
    """A plugin ended our transaction or hid a database error in it; nothing of it is kept."""


class DatabaseUnavailable(GuerdonError):
    """The database did not answer, answered too late, or is not fit to pay with."""


class NetworkFailed(GuerdonError):
    """An HTTP exchange came to no usable end; the message is short and holds no secret."""


class BadClaim(GuerdonError):
    """The claim is not there, or is not leased to whoever acknowledges it."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status
