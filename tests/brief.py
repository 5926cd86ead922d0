"""Runs of `learn` that draw less for their report; for tests only.

A run's report and its learned grammar take 2000 pictures and 30,000 scenes, however short the
learning was: most of the time of a run in a tiny world. Fewer take the same way.
"""

import pytest

_LESS = {
    "evaluation._SAMPLES": 96,
    "evaluation._COUNTED": 500,
    "publishing._PROJECTED": 500,
    "publishing._PLACED": 200,
}


def shorten(patch: pytest.MonkeyPatch) -> None:
    """The runs of this process, until the patch is undone."""
    for name, number in _LESS.items():
        patch.setattr(f"datagen.learning.{name}", number)
