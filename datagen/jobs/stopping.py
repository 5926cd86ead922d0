"""How a process that runs for long is told to end."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stoppable() -> Iterator[None]:
    """SIGTERM and Ctrl-C end this process in order, also while no library looks for them."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(0)

    before = {name: signal.signal(name, stop) for name in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
