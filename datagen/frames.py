"""From a recipe to labelled, audited frames; image i is a function of (recipe, seed, i) alone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from datagen import audit, labels
from datagen.clips import Draw, drawing, drawing_clips
from datagen.errors import (
    AuditError,
    BusyError,
    DatagenError,
    DiskFullError,
    EditError,
    ImageError,
    MissingError,
    RejectedError,
)
from datagen.frame import Frame
from datagen.interfaces import LABELS
from datagen.recipe import Recipe
from datagen.rendering import opened_renderers
from datagen.rng import Stream, rng_for
from datagen.scene import Scene
from datagen.threads import one_thread

# What is wrong for one image is wrong for all: such errors end the run.
_OF_ALL = (DiskFullError, MissingError, BusyError)

_ATTEMPTS = 20  # at an image whose pictures are rejected


class Made(NamedTuple):
    """An image, and how many attempts at it were rejected before."""

    scene: Scene | None
    frame: Frame
    rejected: int


MakeFrame = Callable[[int], Made]
# (what the generator gave, index of the image, attempt) -> frame
Paint = Callable[[Any, int, int], Frame]


@contextmanager
def opened(recipe: Recipe, canvas: tuple[int, int] | None = None) -> Iterator[MakeFrame]:
    """The recipe's components open, as one function from an image's index to its frame.

    `canvas`: width and height of the pictures, px, in place of the scenes' own.
    """
    with opened_drawing(recipe) as draw, opened_painting(recipe) as paint:
        yield making(draw, paint, canvas)


def making(draw: Draw, paint: Paint, canvas: tuple[int, int] | None = None) -> MakeFrame:
    """The first attempt at each image that is not rejected."""

    def make(index: int, attempt: int) -> tuple[Scene | None, Frame]:
        made = draw(index, attempt)
        if canvas is not None and isinstance(made, Scene):
            made = replace(made, canvas=canvas)
        frame = paint(made, index, attempt)
        return (made if isinstance(made, Scene) else None), frame

    def make_frame(index: int) -> Made:
        with one_thread(), named(index):
            return _first_accepted(lambda attempt: make(index, attempt))

    return make_frame


@contextmanager
def opened_drawing(recipe: Recipe) -> Iterator[Draw]:
    """The recipe's generator, of images or of clips."""
    recipe.check_sources(learn=False)
    generator = recipe.generator.component("generators")
    if recipe.clips is not None and generator.may_move():
        with generator.open_clips(recipe.world(), recipe.clips.frames) as generate:
            yield drawing_clips(recipe, generate)
    else:
        with generator.open(recipe.world()) as generate:
            yield drawing(recipe, generate)


@contextmanager
def opened_painting(recipe: Recipe) -> Iterator[Paint]:
    """The recipe's renderers."""
    with opened_renderers(recipe, frozenset((LABELS, *recipe.passes))) as render:

        def paint(made: Any, index: int, attempt: int) -> Frame:
            # Textures and noise are a whole clip's, or they would flicker.
            number = index if recipe.clips is None else recipe.clips.place(index)[0]
            (frame,) = render([made], [rng_for(recipe.seed, number, Stream.RENDER, attempt)])
            return frame

        yield paint


def _first_accepted(make: Callable[[int], tuple[Scene | None, Frame]]) -> Made:
    refusals = []
    for attempt in range(_ATTEMPTS):
        try:
            return Made(*make(attempt), attempt)
        except RejectedError as error:
            refusals.append(error)
    best = max(refusals, key=lambda error: error.score)
    raise DatagenError(f"{_ATTEMPTS} pictures of it were rejected; of the best, {best}") from best


def may_reject(recipe: Recipe) -> bool:
    """Does the generator or a renderer of the recipe turn some pictures away?"""
    parts = [recipe.generator.component("generators")]
    parts += [part.component("renderers") for part in recipe.renderers]
    return any(part.may_reject() for part in parts)


@contextmanager
def named(index: int) -> Iterator[None]:
    """Whatever goes wrong here is about image `index` and costs its shard, not the whole run."""
    try:
        yield
    except (ImageError, *_OF_ALL):
        raise
    except EditError as error:  # what was asked is wrong, and not how the image is made
        raise EditError(f"image {index}: {error}") from error
    except DatagenError as error:
        raise ImageError(str(error), index) from error
    except Exception as error:
        raise ImageError(f"{type(error).__name__}: {error}", index) from error


def first(recipe: Recipe, number: int) -> Iterator[Frame]:
    """The first images of the dataset that the recipe makes, one by one."""
    with opened(recipe) as make_frame:
        for index in range(number):
            yield make_frame(index).frame


@dataclass(frozen=True)
class LabelledFrame:
    """An audited frame with its labels, and the scene that it was drawn from, as plain data."""

    index: int
    frame: Frame
    annotations: list[dict[str, Any]]
    scene: dict[str, Any] | None
    rejected: int  # attempts


def label(index: int, scene: Scene | None, frame: Frame, rejected: int = 0) -> LabelledFrame:
    """Annotate and audit; a frame with a finding goes no further."""
    with named(index):
        _check_shapes(frame)
        annotations = labels.annotate(frame)
        findings = [f for f in audit.audit_frame(frame, annotations) if f.severity == "error"]
        if findings:
            raise AuditError(f"{findings[0].message} ({len(findings)} findings)")
    plain = [annotation.to_json() for annotation in annotations]
    drawn = None if scene is None else scene.to_json()
    return LabelledFrame(index, frame, plain, drawn, rejected)


def _check_shapes(frame: Frame) -> None:
    shape = (frame.height, frame.width, 3)
    if frame.image.shape != shape or frame.image.dtype.name != "uint8":
        raise AuditError(f"the image is {frame.image.dtype} {frame.image.shape}, not uint8 {shape}")
