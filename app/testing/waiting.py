"""Waiting for what another process or thread does."""

import time
from collections.abc import Callable
from typing import Any

PATIENCE = 120.0  # seconds: what a quiet machine does at once takes long on a busy one


def wait_until(condition: Callable[[], Any], timeout: float = PATIENCE, pause: float = 0.05) -> Any:
    """What `condition` returns once it is true; the test fails after `timeout` seconds.

    Name a shorter one only where the time is what is tested.
    """
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(pause)
    raise AssertionError(f"not within {timeout} s: {condition}")
