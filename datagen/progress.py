"""How those who wait are told how far something is."""

from collections.abc import Callable

Advance = Callable[[int, int, str], None]  # done, total, a few words
