"""Sprite packs: label -> exemplars; from our own pen, an idx pair, or a folder of images."""

import gzip
import math
import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from datagen.errors import InputError
from datagen.grammar import Asset

from ._strokes import digits

# Each uint8 [h, w] (white ink, brightness is coverage) or [h, w, 4] (premultiplied ink, coverage).
Pictures = list[np.ndarray] | np.ndarray
Pack = Mapping[str, Pictures]

BUILT_IN = "strokes"

_MOST_BYTES = 512 * 2**20  # of one pack, unpacked
_LONGEST = 1024  # px on a side of one sprite
_MOST_SPRITES = 200_000


def load_pack(asset: Asset) -> Pack:
    """The pack behind an asset, or InputError that says what is there instead."""
    if asset.source == BUILT_IN:
        return digits()
    path = Path(asset.source)
    if path.is_dir():
        return _read_folder(path)
    if path.name.endswith("idx3-ubyte.gz") and path.is_file():
        return _read_idx(path)
    found = "is neither" if path.exists() else "is not there"
    raise InputError(
        f"asset `{asset.name}`: {asset.source} {found}; a sprite pack is `{BUILT_IN}` (built in), "
        "a ...-images-idx3-ubyte.gz with its labels beside it, or a folder with one subfolder of "
        "PNG or JPEG images per label; set it under [assets] in the recipe"
    )


def exemplars(pack: Pack, asset: str, label: str, symbol: str) -> Pictures:
    """The exemplars of one label."""
    if label not in pack:
        there = ", ".join(f'"{name}"' for name in list(pack)[:20])
        raise InputError(f'symbol `{symbol}`: asset `{asset}` has no "{label}"; it has {there}')
    return pack[label]


# ------------------------------------------------------------------------------------------- idx


def _read_idx(images: Path) -> Pack:
    labels = images.with_name(images.name.replace("images", "labels").replace("idx3", "idx1"))
    if not labels.is_file():
        beside = ", ".join(sorted(p.name for p in images.parent.iterdir())[:10])
        raise InputError(f"{images}: its labels {labels.name} are not beside it; there: {beside}")
    pixels, classes = _read_array(images, 3), _read_array(labels, 1)
    if len(pixels) != len(classes):
        raise InputError(f"{images}: {len(pixels)} images, but {labels.name} has {len(classes)}")
    order = np.argsort(classes, kind="stable")
    names, starts = np.unique(classes[order], return_index=True)
    groups = np.split(pixels[order], starts[1:])
    return {str(name): group for name, group in zip(names.tolist(), groups, strict=True)}


def _read_array(path: Path, rank: int) -> np.ndarray:
    """An idx file of bytes. Its header is believed only after its size has been judged."""
    try:
        with gzip.open(path, "rb") as stream:
            header = stream.read(4 + 4 * rank)
            shape = _idx_shape(path, header, rank)
            count = math.prod(shape)
            data = stream.read(count + 1)  # one more byte shows that something is left
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be unpacked as gzip: {error}") from error
    if len(data) != count:
        more = "more than" if len(data) > count else f"{len(data)} of"
        raise InputError(f"{path}: holds {more} the {count} bytes that its header promises")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _idx_shape(path: Path, header: bytes, rank: int) -> tuple[int, ...]:
    expected = struct.pack(">BBBB", 0, 0, 8, rank)
    if len(header) != 4 + 4 * rank or header[:4] != expected:
        raise InputError(f"{path}: not an idx file of bytes with {rank} dimensions")
    shape = struct.unpack(f">{rank}I", header[4:])
    sides = all(1 <= side <= _LONGEST for side in shape[1:])
    if not (1 <= shape[0] <= _MOST_SPRITES and sides and math.prod(shape) <= _MOST_BYTES):
        size = " x ".join(map(str, shape))
        raise InputError(
            f"{path}: says that it holds {size} bytes; the most are {_MOST_SPRITES} sprites of "
            f"{_LONGEST} x {_LONGEST} px and {_MOST_BYTES} bytes in all"
        )
    return shape


# ---------------------------------------------------------------------------------------- folder


def _read_folder(folder: Path) -> Pack:
    pack: dict[str, list[np.ndarray]] = {}
    room = _MOST_BYTES
    for label in sorted(p for p in folder.iterdir() if p.is_dir()):
        for path in _image_files(label):
            sprite = _read_image(path)
            room -= sprite.nbytes
            if room < 0:
                raise InputError(f"{folder}: more than {_MOST_BYTES} bytes of sprites")
            pack.setdefault(label.name, []).append(sprite)
    if not pack:
        there = ", ".join(sorted(p.name for p in folder.iterdir())[:10]) or "nothing"
        raise InputError(
            f"{folder}: no subfolder with PNG or JPEG images, one per label; there: {there}"
        )
    return pack


def _image_files(folder: Path) -> Iterator[Path]:
    return (p for p in sorted(folder.iterdir()) if p.suffix.lower() in (".png", ".jpg", ".jpeg"))


def _read_image(path: Path) -> np.ndarray:
    """Grey: brightness is coverage, like an idx pack. Colour: opaque, or as its alpha says."""
    try:
        # The pixels are decoded only after the header has been judged, so Pillow's own warning
        # about large images would be noise.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=("PNG", "JPEG")) as image:
                if max(image.size) > _LONGEST:
                    w, h = image.size
                    raise InputError(
                        f"{path}: {w} x {h} px; a sprite has at most {_LONGEST} px on a side"
                    )
                if image.mode in ("1", "L"):
                    return np.asarray(image.convert("L"))
                return _premultiplied(np.asarray(image.convert("RGBA")))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: cannot be read as PNG or JPEG: {error}") from error


def _premultiplied(rgba: np.ndarray) -> np.ndarray:
    alpha = rgba[..., 3:].astype(np.uint16)
    ink = (rgba[..., :3] * alpha + 127) // 255
    return np.concatenate([ink, alpha], axis=2).astype(np.uint8)
