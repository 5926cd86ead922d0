"""What `learn.attributes.task` names: how well a batch of labelled frames serves a purpose."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from datagen import plugins
from datagen.errors import InputError
from datagen.frame import Frame
from datagen.rendering import Render
from datagen.rng import Stream, rng_for
from datagen.scene import Scene

Reward = Callable[[Sequence[Frame]], float]  # the higher the better
SceneReward = Callable[[Sequence[Scene], Sequence[int]], float]  # scenes, numbers of their pictures


class Task(Protocol):
    """A frozen description, for instance a `datagen.interfaces.Component`.

    What it opens may keep a state, such as a detector that it goes on training. That state is not
    in the checkpoints: after --resume a task begins anew.
    """

    def open(self) -> AbstractContextManager[Reward]: ...


@contextmanager
def opened_task(name: str, render: Render, seed: int) -> Iterator[SceneReward]:
    """The task behind "package.module:Class", on the pictures that a renderer makes of scenes."""
    with described_task(name).open() as reward:

        def of_scenes(scenes: Sequence[Scene], numbers: Sequence[int]) -> float:
            rngs = [rng_for(seed, number, Stream.REPAINT) for number in numbers]
            value = float(reward(render(scenes, rngs)))
            if not math.isfinite(value):
                raise InputError(f"learn.attributes.task: {name} gave the reward {value}")
            return value

        yield of_scenes


def described_task(name: str) -> Task:
    """The description behind the name; InputError for what cannot be one."""
    described = plugins.load("tasks", name)
    if not hasattr(described, "open"):
        raise InputError(f"learn.attributes.task: {name} has no open(); see docs/learning.md")
    try:
        return described()
    except (TypeError, ValueError) as error:
        raise InputError(
            f"learn.attributes.task: {name} cannot be made without arguments; give its fields "
            "defaults"
        ) from error
