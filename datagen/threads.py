"""Torch on one thread: the same bits everywhere, and no thread that waits for a busy core."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums in torch depend on the number of its threads in their last bits: use one.

    Speed comes from processes; torch's threads meet after every layer, and where another program
    holds a core for a while, all of them wait.
    """
    torch = sys.modules.get("torch")
    if torch is None:  # not loaded: nothing to hold still
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
