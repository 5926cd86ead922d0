"""Pictures, or cut-outs of them, with what is there and what a detector found."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from datagen.labelled import Box
from datagen.report.sheet import contact_sheet

LABEL = (0, 200, 120)  # R, G, B: what is there
DETECTION = (255, 140, 0)  # what was found
_SIDE = 160  # px of a cut-out on the sheet
_LEAST = 48  # px of the picture that it shows
_AROUND = 2.2  # its side, in longer sides of the box
_WHOLE = 330  # px: the longer side of a whole picture on the sheet


@dataclass(frozen=True)
class Crop:
    """One thing or detection and the other boxes around it; or a whole picture."""

    image: np.ndarray  # uint8 [H, W, 3] RGB, the whole picture
    about: Box | None  # what the cut-out is around; None: the whole picture
    caption: str
    labels: Sequence[Box]
    detections: Sequence[Box]
    thick: Collection[Box]  # of both: which to look at


def crop_sheet(crops: Sequence[Crop], columns: int) -> np.ndarray:
    """uint8 [H, W, 3] RGB: each with its caption; labels green, detections orange."""
    pieces = [_piece(crop) for crop in crops]
    return contact_sheet(
        pieces, columns=columns, scale=1.0, captions=[crop.caption for crop in crops]
    )


def _piece(crop: Crop) -> np.ndarray:
    left, top, right, bottom = _shown(crop)
    cut = crop.image[top:bottom, left:right]
    scale = (_WHOLE if crop.about is None else _SIDE) / max(cut.shape[:2])
    size = max(1, round(cut.shape[1] * scale)), max(1, round(cut.shape[0] * scale))
    method = cv2.INTER_CUBIC if scale >= 1 else cv2.INTER_AREA
    piece = np.array(cv2.resize(cut, size, interpolation=method))
    for colour, boxes in ((LABEL, crop.labels), (DETECTION, crop.detections)):
        for box in boxes:
            bold = 2 if tuple(box) in crop.thick else 1
            first = round((box[0] - left) * scale), round((box[1] - top) * scale)
            last = (
                round((box[0] + box[2] - left) * scale) - 1,
                round((box[1] + box[3] - top) * scale) - 1,
            )
            cv2.rectangle(piece, first, last, colour, bold)
    return piece


def _shown(crop: Crop) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what of the picture is shown, px."""
    height, width = crop.image.shape[:2]
    if crop.about is None:
        return 0, 0, width, height
    x, y, w, h = crop.about
    side = max(_LEAST, round(_AROUND * max(w, h)))
    left, right = _window(x + w / 2, side, width)
    top, bottom = _window(y + h / 2, side, height)
    return left, top, right, bottom


def _window(centre: float, side: int, length: int) -> tuple[int, int]:
    """First and last + 1 pixel of a stretch of `side` around `centre`, inside the picture."""
    start = round(centre - side / 2)
    start = max(0, min(start, length - side))
    return start, max(start + 1, min(start + side, length))
