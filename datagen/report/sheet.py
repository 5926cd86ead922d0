"""Contact sheets: many images in one, with their labels drawn on them."""

import io
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from datagen import rle
from datagen.errors import InputError
from datagen.files import write_atomic
from datagen.report import Colour, colour_of, ink_on

PAPER = (250, 250, 249)
INK = (32, 36, 42)
FAINT = (110, 116, 124)
GAP = 10  # pixels between pictures, and around the sheet
SMALL = 160  # longer side below which a picture is enlarged, pixels
LARGE = 480  # longer side above which it is shrunk, pixels
MAX_SIDE = 20_000  # of a sheet, pixels
_FILL = 0.38  # opacity of a mask
MOST_NAMED = 6  # things in a picture that still has names
_MOST_TAG = 1.2  # width of a name, in widths of its box


class Thing(Protocol):
    """What a sheet draws of an annotation."""

    @property
    def category_id(self) -> int: ...
    @property
    def category(self) -> str: ...
    @property
    def bbox(self) -> Sequence[float]: ...  # x, y, w, h
    @property
    def segmentation(self) -> Mapping[str, Any]: ...  # COCO run lengths


def contact_sheet(
    images: Sequence[np.ndarray],
    annotations: Sequence[Sequence[Thing]] | None = None,
    *,
    columns: int | None = None,
    scale: float | None = None,
    boxes: bool = True,
    masks: bool = True,
    captions: Sequence[str] | None = None,
    legend: Mapping[str, Colour] | None = None,
    most_named: int = MOST_NAMED,
) -> np.ndarray:
    """uint8 [H, W, 3] RGB: the images (each uint8 [h, w, 3]) in rows, with a legend below.

    `scale` None: pictures under 160 px are enlarged by a whole number, over 480 px shrunk.
    `legend` None: how many annotations there are of each category. Pictures with more than
    `most_named` things show no names.
    """
    _check_sheet(images, annotations, captions)
    scale = scale or _readable_scale(images)
    cells = [_scaled(image, scale) for image in images]
    if annotations is not None:
        for cell, image, things in zip(cells, images, annotations, strict=True):
            _draw_things(cell, things, image.shape[:2], boxes, masks, most_named)
    sheet = _grid(cells, columns, captions)
    if legend is None and annotations is not None:
        legend = _counted([thing for things in annotations for thing in things])
    return np.concatenate([sheet, _legend(legend, sheet.shape[1])]) if legend else sheet


def save_png(path: Path, sheet: np.ndarray) -> None:
    """Write a sheet, whole or not at all."""
    _save(path, sheet, "PNG")


def save_jpeg(path: Path, sheet: np.ndarray) -> None:
    """The same, a tenth as large, where edges need not be sharp."""
    _save(path, sheet, "JPEG", quality=90)


def _save(path: Path, sheet: np.ndarray, format: str, **options: int) -> None:
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, format=format, **options)
    try:
        write_atomic(path, buffer.getvalue())
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); choose another") from error


def mask_of(segmentation: object, height: int, width: int) -> np.ndarray:
    """bool [height, width] of any COCO segmentation, checked before it is decoded."""
    checked = rle.of_segmentations([segmentation], height, width)[0]
    if isinstance(checked, InputError):
        raise checked
    return rle.decode([checked])[0].T.astype(bool)


def _check_sheet(
    images: Sequence[np.ndarray], annotations: Sequence[Any] | None, captions: Sequence[str] | None
) -> None:
    if not len(images):
        raise InputError("no images to show")
    for given in (annotations, captions):
        assert given is None or len(given) == len(images), "one entry for each image"
    for image in images:
        assert image.dtype == np.uint8, image.dtype
        assert image.shape[2:] == (3,), image.shape


def _readable_scale(images: Sequence[np.ndarray]) -> float:
    longer = max(max(image.shape[:2]) for image in images)
    if longer < SMALL:
        return math.ceil(SMALL / longer)
    return min(1.0, LARGE / longer)


def _scaled(image: np.ndarray, scale: float) -> np.ndarray:
    height, width = image.shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    method = cv2.INTER_NEAREST if scale >= 1 else cv2.INTER_AREA
    return np.array(cv2.resize(image, size, interpolation=method))


def _grid(
    cells: Sequence[np.ndarray], columns: int | None, captions: Sequence[str] | None
) -> np.ndarray:
    """The pictures in rows, each centred in a cell as large as the largest."""
    height = max(cell.shape[0] for cell in cells)
    width = max(cell.shape[1] for cell in cells)
    # Without a wish: about one and a half times as wide as high, which fits a page and a screen.
    columns = columns or max(1, round(math.sqrt(len(cells) * 1.5 * height / width)))
    columns = min(columns, len(cells))
    rows = math.ceil(len(cells) / columns)
    text = 22 if captions else 0
    sheet_height, sheet_width = rows * (height + text + GAP) + GAP, columns * (width + GAP) + GAP
    if max(sheet_height, sheet_width) > MAX_SIDE:
        raise InputError(
            f"a sheet of {len(cells)} images would be {sheet_width} x {sheet_height} px; "
            "show fewer images or a smaller scale"
        )
    sheet = _paper(sheet_height, sheet_width)
    for k, cell in enumerate(cells):
        row, column = divmod(k, columns)
        y = GAP + row * (height + text + GAP)
        x = GAP + column * (width + GAP)
        h, w = cell.shape[:2]
        top, left = y + (height - h) // 2, x + (width - w) // 2
        sheet[top : top + h, left : left + w] = cell
        if captions:
            sheet[y + height : y + height + text, x : x + width] = _line(
                captions[k], width, 12, FAINT, margin=2
            )[:text]
    return sheet


def _paper(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), PAPER, np.uint8)


def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow comes with its scalable font"
    return font


def _line(
    text: str, width: int, size: int, colour: tuple[int, int, int], margin: int = GAP
) -> np.ndarray:
    """One line of text on paper, cut with dots where it is too long."""
    font = _font(size)
    text = "  ".join(text.split())  # the font's own space is two pixels wide
    if font.getlength(text) > width - 2 * margin:
        while text and font.getlength(text + "...") > width - 2 * margin:
            text = text[:-1]
        text += "..."
    height = size + 15
    image = Image.fromarray(_paper(height, width))
    ImageDraw.Draw(image).text((margin, height // 2), text, fill=colour, font=font, anchor="lm")
    return np.array(image)


def _draw_things(
    cell: np.ndarray,
    things: Sequence[Thing],
    shape: tuple[int, ...],
    boxes: bool,
    masks: bool,
    most_named: int,
) -> None:
    """Draw labels onto a picture that was `shape` (h, w) once, in place; large things first."""
    scale = cell.shape[1] / shape[1]
    order = sorted(things, key=lambda thing: -thing.bbox[2] * thing.bbox[3])
    if masks:
        for thing in order:
            _draw_mask(cell, thing, shape)
    if boxes:
        for thing in order:
            _draw_box(cell, thing, scale)
        if len(order) <= most_named:  # with more, names hide the things; the legend tells colours
            cell[:] = _with_names(cell, order, scale)


def _draw_mask(cell: np.ndarray, thing: Thing, shape: tuple[int, ...]) -> None:
    mask = mask_of(thing.segmentation, *shape).astype(np.uint8)
    mask = cv2.resize(mask, cell.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    colour = colour_of(thing.category_id)
    inside = mask.astype(bool)
    cell[inside] = (cell[inside] * (1 - _FILL) + np.array(colour) * _FILL).astype(np.uint8)
    outlines, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(cell, outlines, -1, colour, 1)


def _draw_box(cell: np.ndarray, thing: Thing, scale: float) -> None:
    left, top, right, bottom = _corners(thing, scale)
    cv2.rectangle(cell, (left, top), (right, bottom), colour_of(thing.category_id), 1)


def _corners(thing: Thing, scale: float) -> tuple[int, int, int, int]:
    """First and last column and row that the box covers in the scaled picture."""
    x, y, w, h = thing.bbox
    right, bottom = round((x + w) * scale) - 1, round((y + h) * scale) - 1
    return round(x * scale), round(y * scale), right, bottom


def _with_names(cell: np.ndarray, things: Sequence[Thing], scale: float) -> np.ndarray:
    """Category names above or in the boxes; a name that would cover another one is left out."""
    image = Image.fromarray(cell)
    draw, font = ImageDraw.Draw(image), _font(10)
    taken: list[tuple[int, int, int, int]] = []
    for thing in things:
        left, top, right, _ = _corners(thing, scale)
        width = math.ceil(font.getlength(thing.category)) + 6
        if width > _MOST_TAG * (right - left + 1):
            continue
        x = max(0, min(left, cell.shape[1] - width))
        y = top - 12 if top >= 12 else top
        area = (x, y, x + width, y + 12)
        if any(_overlap(area, other) for other in taken):
            continue
        taken.append(area)
        colour = colour_of(thing.category_id)
        draw.rectangle((x, y, x + width - 1, y + 11), fill=colour)
        draw.text((x + 3, y + 6), thing.category, fill=ink_on(colour), font=font, anchor="lm")
    return np.array(image)


def _overlap(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _counted(things: Sequence[Thing]) -> dict[str, Colour]:
    """The name and the number of things of each category."""
    counts = Counter((thing.category_id, thing.category) for thing in things)
    return {f"{name}  {n}": colour_of(number) for (number, name), n in sorted(counts.items())}


def _legend(entries: Mapping[str, Colour], width: int) -> np.ndarray:
    """A swatch and a text for each entry, on as many lines as needed."""
    font = _font(13)
    placed: list[tuple[int, int, Colour, str]] = []
    x, y = GAP, 0
    for text, colour in entries.items():
        step = 18 + math.ceil(font.getlength(text)) + 18
        if x > GAP and x + step > width:
            x, y = GAP, y + 22
        placed.append((x, y, colour, text))
        x += step
    page = Image.fromarray(_paper(y + 22 + GAP, width))
    draw = ImageDraw.Draw(page)
    for x, y, colour, text in placed:
        draw.rounded_rectangle((x, y + 4, x + 12, y + 16), 3, fill=colour)
        draw.text((x + 18, y + 10), text, fill=INK, font=font, anchor="lm")
    return np.array(page)
