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
    """The request is not a delivery its source could have sent; the message becomes the reply.

    `code` is for write_reply: an error code of the source's own.
    """

    def __init__(self, message: str, status: int = 400, code: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Crowded(GuerdonError):
    """So much comes in at once, unverified, that this body had to make room for others."""


class BadSignature(BadDelivery):
    """The delivery's signature is missing or wrong; nothing of it may be stored."""

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message, 401, code)


class DeliveryError(GuerdonError):
    """A report did not arrive, or was refused; it is sent again by its schedule.

    `permanent`: it is not, for it would be refused again. `retry_in` (seconds) replaces the
    schedule's pause. The message is kept and shown: put no secret and no body in it.
    """

    def __init__(
        self, message: str, permanent: bool = False, retry_in: float | None = None
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_in = retry_in


class NotReady(GuerdonError):
    """The event cannot be paid now, but may be later: it waits and is tried again.

    `retry_in` (seconds) replaces the configured delay of the next try.
    """

    def __init__(self, reason: str, retry_in: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_in = retry_in


class NeverPayable(GuerdonError):
    """The event can never be paid, as a vote that its site has deleted: it is dead at once, and shown."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnknownPlayer(NotReady):
    """No player answers to the event's nickname or user id."""


class RefusedName(UnknownPlayer):
    """The nickname is one that nobody may have: it is not looked for, and no player is made of it."""


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


class Inseparable(GuerdonError):
    """A part of a transaction failed, with `error`, and cannot be undone without the rest."""

    def __init__(self, error: Exception) -> None:
        super().__init__("a part of the transaction cannot be undone alone")
        self.error = error


class DatabaseUnavailable(GuerdonError):
    """The database did not answer, answered too late, or is not fit to pay with."""


class ConnectionLost(DatabaseUnavailable):
    """The database answers, but hangs up on the same unit each time, as on one that is too large."""


class NetworkFailed(GuerdonError):
    """An HTTP exchange came to no usable end; the message is short and holds no secret."""


class BadReport(GuerdonError):
    """A report that is not there, or that cannot be sent again."""


class BadClaim(GuerdonError):
    """The claim is not there, or is not leased to whoever acknowledges it."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class NotSent(GuerdonError):
    """A claim was not sent: no byte of its command can have left. It is tried again.

    `retry_in` (seconds) replaces the usual pause. The message is kept and shown: put no secret in it.
    """

    def __init__(self, reason: str, retry_in: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_in = retry_in


class RefusedClaim(GuerdonError):
    """A claim that no console can be given as it is: it waits for a person, and nothing was sent."""


class OutcomeUnknown(GuerdonError):
    """Bytes may have left, and no answer was understood: nobody knows whether a claim was given out."""
