"""Which features a comparison looks through, and what their columns mean."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datagen import plugins, recipe
from datagen.comparing.world import grammar_of
from datagen.errors import InputError
from datagen.features import pixels
from datagen.features.counts import CountFeatures
from datagen.interfaces import FeatureExtractor
from datagen.learning.gap import Column
from datagen.parts import Part, Source
from datagen.settings.learn import TRAINED

# What each sees, and by that what it does not.
_SEES = {
    "counts": "how many of each thing the network counts, and nothing else",
    "pixels": "light, colour, detail and edge directions of whole pictures, but not what is there",
    "cells": "mean colours in a grid: where things are, and nothing finer",
    "squeezenet": "textures, colours and parts of things as a network for photos knows them",
    "inception": "textures, parts and things as a network for photos knows them",
    "mask_rcnn": "things and places as a detector for photos knows them",
    "embedding": "what a network learned to tell about the prior's pictures",
}
_CHUNK = 64  # pictures between two steps of progress


@dataclass(frozen=True)
class Extractor:
    """A feature extractor that is open."""

    name: str
    sees: str
    own_scale: bool  # columns have no unit of their own
    columns: tuple[Column, ...]  # none: a column means nothing by itself
    extract: Callable[[np.ndarray], np.ndarray]

    def rows(self, images: np.ndarray, progress: Callable[[int], None]) -> np.ndarray:
        """Features float32 [N, D] of uint8 [N, H, W, 3]."""
        rows: list[np.ndarray] = []
        for start in range(0, len(images), _CHUNK):
            rows.append(self.extract(images[start : start + _CHUNK]))
            progress(min(start + _CHUNK, len(images)))
        return np.concatenate(rows)


@dataclass(frozen=True)
class Choice:
    """An extractor that is not open yet; `canvas` is what a run's network was trained for."""

    part: Part
    canvas: tuple[int, int] | None = None

    @contextmanager
    def open(self) -> Iterator[Extractor]:
        description: FeatureExtractor = self.part.component("features")
        with description.open() as extract:
            yield Extractor(
                name=description.name,
                sees=_SEES.get(description.name, "what its author says"),
                own_scale=description.standardise,
                columns=_columns(description, extract),
                extract=extract,
            )


def chosen(features: str | None, weights: Path | None) -> Choice:
    """By the name of an extractor, or by a run folder; by default what needs no more than given.

    Nothing is downloaded: without weights there are the statistics of pixels.
    """
    if features is None:
        features = "pixels" if weights is None else "squeezenet"
    path, known = Path(features), plugins.names("features")
    if features not in known and path.is_dir():
        if weights is not None:
            raise InputError(f"--weights {weights}: the run folder {features} has its own weights")
        return _of_run(path)
    if features not in known and (path.is_file() or ":" not in features):
        raise _no_extractor(path, known)
    if features in TRAINED and weights is None:
        raise InputError(
            f"--features {features}: is trained by `datagen learn`; give the run's folder, "
            f"--features RUN, or its file, --weights RUN/features.safetensors"
        )
    if weights is None:
        return Choice(Part(use=features))
    if "weights" not in Part(use=features).described("features").model_fields:
        raise InputError(
            f"--weights {weights}: `{features}` takes none; leave them out, "
            "or name the extractor that they belong to with --features"
        )
    return Choice(Part(use=features, weights=Source(source=str(weights))))


def _no_extractor(given: Path, known: Sequence[str]) -> InputError:
    if given.is_file():
        of_run = (given.parent / "recipe.json").is_file()
        first = f"its run's folder, --features {given.parent}, or " if of_run else ""
        return InputError(
            f"--features {given}: is a file; give {first}the extractor that it belongs to, "
            f"--features NAME --weights {given}"
        )
    hint = plugins.did_you_mean(str(given), known)
    return InputError(f"--features {given}: neither a run folder nor an extractor{hint}")


def _of_run(run: Path) -> Choice:
    """The features that a run learned with."""
    if not (run / "recipe.json").is_file():
        raise InputError(f"--features {run}: holds no recipe.json: it is no finished run")
    part = recipe.read(run / "recipe.json").learn.features.part
    if part.weights is None and part.use in TRAINED:
        file = run / "features.safetensors"
        if not file.is_file():
            raise InputError(f"--features {run}: has no {file.name}: it is no run of `learn`")
        part = part.model_copy(update={"weights": Source(source=str(file))})
    return Choice(part, grammar_of(run).canvas)


def _columns(
    description: FeatureExtractor, extract: Callable[[np.ndarray], np.ndarray]
) -> tuple[Column, ...]:
    if isinstance(extract, CountFeatures):
        return tuple(Column(name, "count", "things") for name in extract.heads.columns())
    if isinstance(description, pixels.Features):
        return tuple(Column(name, "number") for name in pixels.columns())
    return ()
