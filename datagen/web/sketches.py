"""The first images of a world, each with its labels to be drawn over it in a browser."""

import base64
import io
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from datagen import labels
from datagen.frame import Frame
from datagen.web import layers


def drawn(frames: Iterable[Frame]) -> dict[str, Any]:
    """`images`: each with width, height, things, picture and masks; `counts` of each category."""
    images = [_sketch(frame) for frame in frames]
    counts = Counter((t["category_id"], t["category"]) for one in images for t in one["things"])
    return {"images": images, "counts": [(*key, n) for key, n in sorted(counts.items())]}


def _sketch(frame: Frame) -> dict[str, Any]:
    height, width = frame.image.shape[:2]
    annotations = [one.to_json() for one in labels.annotate(frame)]
    record = {
        "index": 0,
        "image": {"width": width, "height": height},
        "annotations": annotations,
    }
    masks = layers.drawn(Path(), record, "masks")
    keys = ("category_id", "category", "bbox")
    return {
        "width": width,
        "height": height,
        "things": [{key: one[key] for key in keys} for one in annotations],
        "picture": f"data:image/webp;base64,{_text(_webp(frame.image))}",
        "masks": f"data:image/png;base64,{_text(masks)}",
    }


def _webp(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    # Few pixels are seen enlarged, where every loss shows.
    Image.fromarray(image).save(file, "WEBP", lossless=image.shape[1] <= 200, quality=85)
    return file.getvalue()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
