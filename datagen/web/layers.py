"""What lies over an image in a browser: boxes, masks, classes and depths as a person sees them."""

import colorsys
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from datagen import rle
from datagen.errors import InputError
from datagen.report import PALETTE, colour_of
from datagen.web.problems import Refused
from datagen.web.rows import damaged, inside

_LARGEST = 1 << 24  # px of an image whose layers are drawn
_FILL = 120  # opacity of a mask within its edge, of 255
_CLEAR = (0, 0, 0, 0)
# From near to far: light to dark, and yellow to violet, which all common colour blindness keeps
# apart. (R, G, B)
_NEAR_TO_FAR = ((253, 231, 37), (122, 209, 81), (34, 168, 132), (42, 120, 142), (68, 1, 84))

Record = Mapping[str, Any]
Colour = tuple[int, int, int, int]  # red, green, blue, opacity


def drawn(folder: Path, record: Record, layer: str) -> bytes:
    """SVG of "boxes", PNG of all others; Refused where the record or its files are damaged."""
    about = record["image"]
    if about["width"] * about["height"] > _LARGEST:
        raise Refused(413, f"layers of more than {_LARGEST:,} pixels are not drawn here")
    return _LAYERS[layer](folder, record)


def _boxes(folder: Path, record: Record) -> bytes:
    """Rectangles along pixel edges, two screen pixels wide at any size."""
    width, height = record["image"]["width"], record["image"]["height"]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" preserveAspectRatio="none" fill="none">'
    )
    return "\n".join([head, *map(_box, record["annotations"]), "</svg>\n"]).encode()


def _box(annotation: Mapping[str, Any]) -> str:
    x, y, w, h = (float(value) for value in annotation["bbox"])
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" stroke-width="2" '
        f'vector-effect="non-scaling-stroke" stroke="{_hex(annotation["category_id"])}">'
        f"<title>{escape(str(annotation['category']))}</title></rect>"
    )


def _hex(category_id: int) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour_of(category_id))


def _masks(folder: Path, record: Record) -> bytes:
    """A colour a class; the edge of each thing is opaque."""
    pixels = _empty(record)
    for annotation, mask in _each_mask(folder, record):
        number = 1 + (annotation["category_id"] - 1) % len(PALETTE)
        pixels[mask] = number
        pixels[_edge(mask)] = number + len(PALETTE)
    fills = [(*colour, _FILL) for colour in PALETTE]
    return _png(pixels, [_CLEAR, *fills, *((*colour, 255) for colour in PALETTE)])


def _instances(folder: Path, record: Record) -> bytes:
    """A colour a thing."""
    pixels = _empty(record)
    for annotation, mask in _each_mask(folder, record):
        pixels[mask] = 1 + (annotation["instance_id"] - 1) % 255
    return _png(pixels, [_CLEAR, *map(_colour_of_thing, range(255))])


def _colour_of_thing(number: int) -> Colour:
    """Neighbours in number are far from each other in hue: by the golden ratio."""
    value = 1.0 if number % 2 else 0.75
    rgb = colorsys.hsv_to_rgb(number * 0.618034 % 1.0, 0.75, value)
    red, green, blue = (round(255 * one) for one in rgb)
    return red, green, blue, 255


def _classes(folder: Path, record: Record) -> bytes:
    """The class pass, with what is no thing; a colour a class."""
    place = _pass(record, "class.png")
    try:
        with Image.open(inside(folder, place), formats=("PNG",)) as stored:
            if stored.size != (record["image"]["width"], record["image"]["height"]):
                raise ValueError(stored.size)
            pixels = np.asarray(stored)
        if pixels.dtype != np.uint8 or pixels.ndim != 2:
            raise ValueError(pixels.shape)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise damaged(folder, place, "is no class pass of its image") from error
    return _png(pixels, [_CLEAR, *((*colour_of(k), 255) for k in range(1, 256))])


def _depth(folder: Path, record: Record) -> bytes:
    """The depth pass from near to far; clear where nothing is."""
    place = _pass(record, "depth.npy")
    shape = (record["image"]["height"], record["image"]["width"])
    try:
        # Mapped: a header that promises more than the file holds is refused, not allocated.
        stored = np.load(inside(folder, place), mmap_mode="r", allow_pickle=False)
        if stored.shape != shape or stored.dtype != np.float32:
            raise ValueError(stored.shape)
    except (OSError, ValueError, SyntaxError) as error:
        raise damaged(folder, place, "is no depth pass of its image") from error
    return _png(_steps(np.array(stored)), [_CLEAR, *_ramp(255)])


def _steps(depth: np.ndarray) -> np.ndarray:
    """uint8 [H, W]: 0 where there is none, 1 for the nearest, 255 for the farthest.

    Metres are told apart by their ratio, since what is near takes up most of a picture.
    """
    there = np.isfinite(depth)
    if not there.any():
        return np.zeros(depth.shape, np.uint8)
    known = depth[there].astype(np.float64)
    known = np.log(known) if known.min() > 0 else known
    least, most = np.percentile(known, [1, 99])
    share = np.clip((known - least) / max(most - least, 1e-9), 0, 1)
    steps = np.zeros(depth.shape, np.uint8)
    steps[there] = 1 + np.rint(share * 254).astype(np.uint8)
    return steps


def _ramp(number: int) -> list[Colour]:
    at = np.linspace(0, len(_NEAR_TO_FAR) - 1, number)
    channels = [
        np.interp(at, np.arange(len(_NEAR_TO_FAR)), [colour[k] for colour in _NEAR_TO_FAR])
        for k in range(3)
    ]
    rows = np.rint(np.stack(channels, axis=1)).astype(int).tolist()
    return [(red, green, blue, 255) for red, green, blue in rows]


def _empty(record: Record) -> np.ndarray:
    return np.zeros((record["image"]["height"], record["image"]["width"]), np.uint8)


def _each_mask(folder: Path, record: Record) -> Iterator[tuple[Mapping[str, Any], np.ndarray]]:
    """Each annotation with its pixels, bool [H, W]; one mask is in memory at a time."""
    about = record["image"]
    stored = [one.get("segmentation") for one in record["annotations"]]
    checked = rle.of_segmentations(stored, about["height"], about["width"])
    for annotation, mask in zip(record["annotations"], checked, strict=True):
        if isinstance(mask, InputError):
            raise damaged(folder, f"a mask of image {record['index']}", f"is broken ({mask})")
        yield annotation, rle.decode([mask])[0].T.astype(bool)


def _edge(mask: np.ndarray) -> np.ndarray:
    """bool [H, W]: pixels with a neighbour that is not of the mask; the picture's rim is none."""
    padded = np.pad(mask, 1, mode="edge")
    core = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~core


def _pass(record: Record, ending: str) -> str:
    """Name of the file of a pass, which `layers` of the image says is there."""
    return next(name for name in record["image"]["passes"] if name.endswith(f".{ending}"))


def _png(pixels: np.ndarray, colours: Sequence[Colour]) -> bytes:
    """uint8 [H, W], places in `colours`."""
    image = Image.fromarray(pixels)
    image.putpalette([value for red, green, blue, _ in colours for value in (red, green, blue)])
    opacity = bytes(alpha for *_, alpha in colours)
    file = io.BytesIO()
    image.save(file, "PNG", transparency=opacity, compress_level=3)
    return file.getvalue()


_LAYERS: Mapping[str, Callable[[Path, Record], bytes]] = {
    "boxes": _boxes,
    "masks": _masks,
    "instances": _instances,
    "class": _classes,
    "depth": _depth,
}
