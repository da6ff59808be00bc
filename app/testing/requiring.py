"""What a machine may lack, and tests then skip."""

import os
from typing import Any

import pytest

REQUIRE_ALL = os.environ.get("GUERDON_REQUIRE_ALL") == "1"


def require(found: Any, what: str) -> None:
    """Skip the test that lacks something; with GUERDON_REQUIRE_ALL=1, fail it."""
    if not found:
        (pytest.fail if REQUIRE_ALL else pytest.skip)(f"{what} is not installed")
