"""How fast scenes become frames, beside what the same machine's drawing and PNG calls could reach.

Run: python -m pytest -q -s tests/benchmarks/bench_render.py
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
import pytest

from datagen.dataset.pictures import encode_image
from datagen.derivation import sample_prior
from datagen.interfaces import LABELS
from datagen.language import named
from datagen.placement import expand
from datagen.rng import Stream, rng_for
from renderers.raster import Renderer

WORLDS = ("multi_mnist", "aerial", "colored_shapes")
SCENES = 300
DRAWING = (
    "add", "bitwise_and", "convertScaleAbs", "cvtColor", "extractChannel", "fillConvexPoly",
    "merge", "multiply", "resize", "warpAffine",
)  # fmt: skip

Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


@pytest.mark.parametrize("world", WORLDS)
def test_print_rates(world: str) -> None:
    cv2.setNumThreads(1)
    grammar = named(world)
    scenes = []

    def expand_all() -> None:
        scenes.clear()
        for k in range(SCENES):
            rng = rng_for(0, k, Stream.SCENE)
            scenes.append(expand(grammar, sample_prior(grammar, rng), rng))

    expanding = per_scene(expand_all)
    with Renderer().open(grammar, frozenset((LABELS,))) as draw:
        rngs = [rng_for(0, k, Stream.RENDER) for k in range(SCENES)]
        rendering = per_scene(lambda: draw(scenes, rngs))
        with recorded() as calls:
            frames = draw(scenes, rngs)
    drawing = per_scene(lambda: replay(calls))
    images = [frame.image for frame in frames]
    encoding = per_scene(lambda: [cv2.imencode(".png", image) for image in images])
    writing = per_scene(lambda: [encode_image(image, "png") for image in images])
    things = np.mean([len(frame.instances) for frame in frames])
    sys.stdout.write(f"\n{world}: {things:.1f} things an image, 1 thread\n")
    print_rate("scenes expanded", expanding)
    print_rate("frames rendered, with labels", rendering)
    print_rate("  their OpenCV calls alone", drawing, rendering)
    print_rate("PNG encoded and compared", writing)
    print_rate("  PNG encoding alone", encoding, writing)
    assert len(frames) == SCENES


def print_rate(what: str, seconds: float, whole: float | None = None) -> None:
    share = "" if whole is None else f"   {whole / seconds:5.2f} x faster"
    sys.stdout.write(f"  {what:<32}{1 / seconds:9.0f} /s   {seconds * 1e3:7.3f} ms{share}\n")


def per_scene(run: Callable[[], object], repeats: int = 5) -> float:
    """Seconds a scene, best of a few: other work on the machine only ever adds."""
    run()
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return best / SCENES


def replay(calls: list[Call]) -> None:
    for function, args, options in calls:
        function(*args, **options)


@contextmanager
def recorded() -> Iterator[list[Call]]:
    """Every drawing call that is made meanwhile, with its arguments."""
    calls: list[Call] = []
    originals = {name: getattr(cv2, name) for name in DRAWING}

    def recorder(function: Callable[..., Any]) -> Callable[..., Any]:
        def record(*args: Any, **options: Any) -> Any:
            calls.append((function, args, options))
            return function(*args, **options)

        return record

    try:
        for name, function in originals.items():
            setattr(cv2, name, recorder(function))
        yield calls
    finally:
        for name, function in originals.items():
            setattr(cv2, name, function)
