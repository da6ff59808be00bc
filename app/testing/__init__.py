"""The kit of plugin authors: pytest fixtures, stand-ins for sites and platforms, contracts to inherit."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.testing.contracts.reporter import ReporterContract
    from app.testing.contracts.reward import RewardContract
    from app.testing.contracts.source import SourceContract

__all__ = ["ReporterContract", "RewardContract", "SourceContract"]
PLACES = {
    "ReporterContract": "app.testing.contracts.reporter",
    "RewardContract": "app.testing.contracts.reward",
    "SourceContract": "app.testing.contracts.source",
}


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """A contract, from where it is: nothing is loaded before somebody asks."""
        if name not in PLACES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(PLACES[name]), name)
