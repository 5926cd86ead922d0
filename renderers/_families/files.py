"""Any folder of model files as families: `asset cars: models "FOLDER"`, `draw: cars("sedan*")`."""

import logging
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from datagen.errors import InputError
from datagen.grammar import Asset

from .._attributes import Colour, Number, Values
from .family import Piece
from .geometry import Geometry, moved, placement
from .models.limits import FORMATS
from .models.loading import Model, read_models
from .models.words import EXEMPLAR, TURN, meant
from .procedural import BUILT_IN, KNOWN, Kinds, Procedural, kinds_of
from .vehicles.parts import contact

log = logging.getLogger(__name__)

_MOST_FILES = 5_000

_WIDTH = Number("width", 1.75, 0.0, 500.0)
_LENGTH = Number("height", 4.2, 0.0, 500.0)
_TALL = Number("tall", 1.48, 0.0, 500.0)

_SLAB = 0.2  # as high as this part of its length, or lower: it lies, and has no darkness under it
_FOOT = 0.2  # what is below this part of the height is near the ground
_FADE = 0.08  # of the length of the foot, outside of which its darkness ends


@dataclass(frozen=True)
class ModelFamily:
    """Some of a folder's models: number floor(exemplar * n) of n, in the order of their names.

    `width`, `height` (along the model) and `tall` stretch it. Of these, one that is 0 or left out
    follows the others in the file's proportions; a node without any is as large as a car. `turn`
    is for files whose front is not where theirs should be, in quarter turns: all formats are read
    as glTF is meant, up is y and the front is at +z. `colour` and `second` change nothing: files
    bring theirs.
    """

    models: tuple[Model, ...]
    reads = (
        _WIDTH,
        _LENGTH,
        _TALL,
        EXEMPLAR,
        TURN,
        Colour("colour", "white"),
        Colour("second", "white"),
    )

    def pieces(self, values: Values, distance: float) -> list[Piece]:
        model = self.models[EXEMPLAR.pick(values, len(self.models))]
        quarters = TURN.of(values) / (math.pi / 2)
        if abs(quarters - round(quarters)) > 1e-3:
            raise ValueError(f"`turn` is {quarters * 90:g} deg; it must be 0, 90, 180 or 270")
        x, y, z = model.extents
        size = _size(values, (y, x, z) if round(quarters) % 2 else (x, y, z))
        matrix = placement(size=size)
        matrix[:, :3] = matrix[:, :3] @ _quarter_turns(round(quarters))
        body = Piece(model.geometry, matrix)
        return [body] if size[2] < _SLAB * max(size[:2]) else [body, _darkness(model, matrix)]


def _darkness(model: Model, matrix: np.ndarray) -> Piece:
    flat = matrix.copy()
    flat[2, 2] = 1.0
    return Piece(_ground(model), flat)


@cache
def _ground(model: Model) -> Geometry:
    """The darkness where a model meets the ground; x and y in the model's own units."""
    points = model.geometry.positions
    foot = points[points[:, 2] <= _FOOT, :2]
    low, high = foot.min(axis=0), foot.max(axis=0)
    wide, long = np.maximum((high - low) * model.extents[:2], 1e-3 * max(model.extents)).tolist()
    shape = contact((wide, long), _FADE * max(wide, long), 0.75)
    across, along = np.maximum(high - low, 1e-3).tolist()
    middle = (*((low + high) / 2).tolist(), 0.0)
    return moved(shape, placement(middle, size=(across, along, 1.0)))


def _quarter_turns(n: int) -> np.ndarray:
    """Exact, so that boxes stay boxes."""
    c, s = ((1, 0), (0, 1), (-1, 0), (0, -1))[n % 4]
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]], np.float32)


def _size(values: Values, extents: tuple[float, float, float]) -> tuple[float, float, float]:
    """Width, length and height in metres, of a model with these extents."""
    wanted = (_WIDTH, _LENGTH, _TALL)
    given = any(entry.name in values for entry in wanted)
    sizes = [entry.of(values) if not given or entry.name in values else 0.0 for entry in wanted]
    width, length, tall = sizes
    scales = [size / extent for size, extent in zip(sizes, extents, strict=True) if extent > 0]
    along = length / extents[1] if extents[1] > 0 else 0.0
    scale = along or next((scale for scale in scales if scale > 0), 0.0)
    if scale <= 0:
        raise ValueError("one of `width`, `height` and `tall` must be above 0")
    # What is flat in the file has no extent to keep, but its matrix must have an inverse.
    x, y, z = (extent or 1.0 for extent in extents)
    return width or x * scale, length or y * scale, tall or z * scale


@dataclass(frozen=True)
class Models:
    """A folder of model files. Nothing is loaded before a label is asked for."""

    asset: str
    folder: Path
    files: Mapping[str, Path]  # by name: the stem, or its path in the folder where stems repeat

    def family(self, label: str, symbol: str) -> ModelFamily | Kinds:
        """The models that a label names: a name, or patterns such as "sedan*|taxi".

        All are read now, so that a file which cannot be used is refused before anything is drawn.
        Where the folder has none, our own stand in: no pack has every kind of vehicle.
        """
        names = meant(label, self.files)
        if names:
            return ModelFamily(read_models([self.files[name] for name in names]))
        own = kinds_of(label)
        if own is None:
            there = ", ".join(f'"{name}"' for name in list(self.files)[:20])
            raise InputError(
                f'symbol `{symbol}`: asset `{self.asset}` has no "{label}"; it has {there}; '
                f"and {BUILT_IN}: {KNOWN}"
            )
        _tell_stand_in(self.folder, label, ", ".join(own.names))
        return own


@cache
def _tell_stand_in(folder: Path, label: str, kinds: str) -> None:
    """Once: a renderer is opened many times."""
    log.warning('%s has no model "%s"; our own stands in: %s', folder, label, kinds)


def load_models(asset: Asset) -> Models | Procedural:
    """The models behind an asset, or InputError that says what is there instead."""
    if asset.source == BUILT_IN:
        return Procedural(asset.name)
    folder = Path(asset.source)
    if not folder.is_dir():
        found = "is not a folder" if folder.exists() else "is not there"
        raise InputError(
            f"asset `{asset.name}`: {asset.source} {found}; models are `{BUILT_IN}` (built in) or "
            f"a folder of {', '.join(FORMATS).upper()} files; set it under [assets] in the recipe"
        )
    paths = _model_files(folder)
    if not paths:
        there = ", ".join(sorted(path.name for path in folder.iterdir())[:10]) or "nothing"
        raise InputError(
            f"asset `{asset.name}`: {folder} has no {', '.join(FORMATS).upper()} files; "
            f"there: {there}"
        )
    if len(paths) > _MOST_FILES:
        raise InputError(f"asset `{asset.name}`: {folder} has more than {_MOST_FILES} model files")
    return Models(asset.name, folder, _named(folder, paths))


def _model_files(folder: Path) -> list[Path]:
    files = (Path(at, name) for at, _, names in os.walk(folder) for name in names)
    return sorted(file for file in files if _format(file) in FORMATS)


def _format(file: Path) -> str:
    return file.suffix.lower().removeprefix(".")


def _named(folder: Path, paths: Iterable[Path]) -> dict[str, Path]:
    """Sorted by name. Packs come in several formats: of files alike but for it, one is taken."""
    best: dict[str, list[Path]] = {}
    for path in paths:
        best.setdefault(path.stem, []).append(path)
    named: dict[str, Path] = {}
    for stem, some in best.items():
        first = min(FORMATS.index(_format(path)) for path in some)
        alike = [path for path in some if FORMATS.index(_format(path)) == first]
        for path in alike:
            place = path.relative_to(folder).with_suffix("").as_posix()
            named[stem if len(alike) == 1 else place] = path
    return dict(sorted(named.items()))
