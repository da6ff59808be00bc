"""create_app(), and the porch: all that a plugin may import is `from app import ...` from here."""

from app import interrupting  # noqa: F401, I001  (first: the rest takes a second)

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask import Flask, Request, Response

    from app.database.chunks import run_in_chunks
    from app.database.complaints import explain_refusal
    from app.database.opening import Database
    from app.database.plugin_tables import add_column
    from app.database.upserting import upsert_rows
    from app.guerdon import Guerdon
    from app.network.rcon import RconConnection
    from app.network.websockets import WebSocketLine
    from app.paying.claims import queue_claims
    from app.paying.players import add_to_players, read_from_players
    from app.porch.addresses import is_from
    from app.porch.claims import (
        ClaimPlan,
        ClaimResult,
        ClaimState,
        GameServer,
        IfUnknown,
        QueuedClaim,
    )
    from app.porch.commands import (
        ConsoleSchema,
        ConsolesField,
        Dialect,
        judge_answer,
        judge_check,
        list_game_servers,
        plan_command,
    )
    from app.porch.errors import (
        BadDelivery,
        BadSignature,
        DeliveryError,
        GuerdonError,
        NetworkFailed,
        NeverPayable,
        NotReady,
        NotSent,
        OutcomeUnknown,
        RefusedClaim,
    )
    from app.porch.fields import (
        ColumnName,
        HttpAddress,
        PlainText,
        ReferableString,
        RewardName,
        Secret,
        SecretField,
    )
    from app.porch.hookspecs import hookimpl
    from app.porch.http import (
        fetch_json,
        find_host,
        make_url,
        read_body,
        read_fields,
        read_json_object,
        read_reply,
        read_retry_after,
        require_unicode,
    )
    from app.porch.json import dump_json, read_float
    from app.porch.kept_lines import KeptLines
    from app.porch.listeners import Connection, Listener, receive_until
    from app.porch.lists import follow_lists, poll_list
    from app.porch.masking import cut_text, mask_tokens
    from app.porch.names import PatternField
    from app.porch.patterns import check_pattern, list_holes
    from app.porch.presets import PresetSchema, SitesField
    from app.porch.rounds import (
        describe_game_events,
        join_key,
        list_game_events,
        read_game_delivery,
    )
    from app.porch.rsa import RsaKeyField, decrypt_rsa, write_rsa_key
    from app.porch.signatures import (
        check_hash,
        check_hmac,
        check_token,
        find_named,
        is_fresh,
        is_signature,
        sign_lines,
    )
    from app.porch.taking import guess_time, make_id, read_time, take, take_id, take_text
    from app.porch.text import escape_text, format_time, shorten
    from app.porch.types import (
        Alert,
        Batch,
        Command,
        Delivery,
        Event,
        EventType,
        Gauge,
        Grant,
        Http,
        HttpAnswer,
        ListedVote,
        Outcome,
        OutcomeState,
        Player,
        Polled,
        Report,
        Reward,
        Schedule,
        Settings,
    )
    from app.porch.vote_packets import (
        is_frame,
        is_whole_packet,
        read_frame,
        read_lines,
        read_text,
        write_status,
    )

__all__ = [
    "Alert",
    "BadDelivery",
    "BadSignature",
    "Batch",
    "ClaimPlan",
    "ClaimResult",
    "ClaimState",
    "ColumnName",
    "Command",
    "Connection",
    "ConsoleSchema",
    "ConsolesField",
    "Database",
    "Delivery",
    "DeliveryError",
    "Dialect",
    "Event",
    "EventType",
    "GameServer",
    "Gauge",
    "Grant",
    "GuerdonError",
    "Http",
    "HttpAddress",
    "HttpAnswer",
    "IfUnknown",
    "KeptLines",
    "ListedVote",
    "Listener",
    "NetworkFailed",
    "NeverPayable",
    "NotReady",
    "NotSent",
    "Outcome",
    "OutcomeState",
    "OutcomeUnknown",
    "PatternField",
    "PlainText",
    "Player",
    "Polled",
    "PresetSchema",
    "QueuedClaim",
    "RconConnection",
    "ReferableString",
    "RefusedClaim",
    "Report",
    "Request",
    "Response",
    "Reward",
    "RewardName",
    "RsaKeyField",
    "Schedule",
    "Secret",
    "SecretField",
    "Settings",
    "SitesField",
    "WebSocketLine",
    "add_column",
    "add_to_players",
    "check_hash",
    "check_hmac",
    "check_pattern",
    "check_token",
    "create_app",
    "cut_text",
    "decrypt_rsa",
    "describe_game_events",
    "dump_json",
    "escape_text",
    "explain_refusal",
    "fetch_json",
    "find_host",
    "find_named",
    "follow_lists",
    "format_time",
    "guess_time",
    "hookimpl",
    "is_frame",
    "is_fresh",
    "is_from",
    "is_signature",
    "is_whole_packet",
    "join_key",
    "judge_answer",
    "judge_check",
    "list_game_events",
    "list_game_servers",
    "list_holes",
    "make_id",
    "make_url",
    "mask_tokens",
    "plan_command",
    "poll_list",
    "queue_claims",
    "read_body",
    "read_fields",
    "read_float",
    "read_frame",
    "read_from_players",
    "read_game_delivery",
    "read_json_object",
    "read_lines",
    "read_reply",
    "read_retry_after",
    "read_text",
    "read_time",
    "receive_until",
    "require_unicode",
    "run_in_chunks",
    "shorten",
    "sign_lines",
    "take",
    "take_id",
    "take_text",
    "upsert_rows",
    "write_rsa_key",
    "write_status",
]


def create_app(guerdon: "Guerdon | Path | str" = "config/guerdon.toml") -> "Flask":
    """The web service of a Guerdon, or of the config file at a path.

    Raises ConfigError when the config, a plugin or a rule is at fault. The database need not be
    up: until it is found fit, deliveries are answered with 503.
    """
    from app.guerdon import Guerdon  # noqa: PLC0415  (see PLACES)
    from app.opening import open_guerdon  # noqa: PLC0415  (see PLACES)
    from app.web.building import build_app  # noqa: PLC0415

    return build_app(guerdon if isinstance(guerdon, Guerdon) else open_guerdon(Path(guerdon)))


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if not TYPE_CHECKING:  # a type checker would take every name for one of ours

    def __getattr__(name: str) -> Any:
        """What the porch offers, from where it is."""
        if name in __all__:
            from app.porch import PLACES  # noqa: PLC0415

            for place in PLACES:
                module = import_module(place)
                if hasattr(module, name):
                    globals()[name] = getattr(module, name)
                    return globals()[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
