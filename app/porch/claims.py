"""What a plugin is given that delivers claims to the console of a game, and what it gives back."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class ClaimState(StrEnum):
    """What has become of a claim; each equals its text, as "done"."""

    READY = "ready"  # to be fetched by a game server, or delivered to a console
    LEASED = "leased"  # one of them has it, and nothing has left yet where it is a console
    SENDING = "sending"  # committed before the first byte leaves
    DONE = "done"  # given out
    REFUSED = "refused"  # the game said no, or nothing was sent: it waits for a person
    WAITS = "waits"  # its player is not there
    UNKNOWN = "unknown"  # bytes may have left, and nobody knows what became of them
    DEAD = "dead"  # its player was erased


class IfUnknown(StrEnum):
    """What is done with a claim of which nobody knows whether it was given out."""

    ASK = "ask"  # a person decides
    AGAIN = "again"  # it is sent again: for commands that may run twice
    CHECK = "check"  # another command finds out


@dataclass(frozen=True, slots=True)
class GameServer:
    """A console that claims are delivered to; from the hook game_servers."""

    plugin: str  # who delivers to it: a plugin's name
    name: str  # 1 to 32 of a-z A-Z 0-9 _ . -; a plugin's own are told apart by it
    servers: Sequence[str]  # claims of these server_ids are its own; no game server can lease them
    connections: int = 1  # so many sends at once, on all hosts together
    lists_players: bool = False  # whether list_online knows who is there
    names: re.Pattern[str] | None = None  # what a nickname must match whole; None: any
    prefixes: Sequence[str] = ()  # that a nickname may have before that, as "."
    expires: float | None = (
        None  # seconds after which a claim is not delivered any more; None: never
    )

    def takes_name(self, nickname: str) -> bool:
        """Whether a command may name this player."""
        bare = [nickname, *(nickname.removeprefix(one) for one in self.prefixes if one)]
        return self.names is None or any(self.names.fullmatch(one) for one in bare)


@dataclass(frozen=True, slots=True)
class QueuedClaim:
    """A claim as it was queued: what is to be given to whom."""

    id: int
    server_id: str
    nickname: str  # "": it is given to the server itself
    event_type: str
    event_id: str
    payload: Mapping[str, Any]  # JSON, as the rule has it, filled in
    created_at: int = 0  # ms since the epoch, UTC
    sends: int = 0  # how often bytes of it may have left, this time included


@dataclass(frozen=True, slots=True)
class ClaimPlan:
    """How a claim is delivered; from the hook plan_claim."""

    command: str  # what is sent, as a person is shown it
    needs_player: bool = True  # False: also while he is not there
    if_unknown: IfUnknown = IfUnknown.ASK
    check: str = ""  # what is sent to find out whether it was given
    more: Mapping[str, Any] = field(default_factory=dict)  # what else send_claim needs


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """What became of a send: DONE, REFUSED, WAITS or UNKNOWN; from the hook send_claim."""

    state: ClaimState
    answer: str = ""  # what the game said; kept, shown, and masked
    why: str = ""  # where it is not done
