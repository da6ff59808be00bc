"""Time for tests."""


class Clock:
    """Time as an argument: ms since the epoch, moved by the test alone."""

    def __init__(self) -> None:
        self.now = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += int(seconds * 1000)
