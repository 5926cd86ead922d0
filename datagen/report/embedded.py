"""Pictures inside a page, so that one file can be sent around."""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

_EMBEDDED = 400_000  # bytes of a picture in the page
_QUALITIES = (88, 75, 60)
_WEBP_SIDE = 16_383  # pixels; the format holds no more


@dataclass(frozen=True)
class Picture:
    """A contact sheet as a page shows it."""

    title: str
    source: str | None  # data address; None: the file is missing


def picture(folder: Path, data: Mapping[str, Any]) -> Picture:
    """The sheet that `data` gives the title and the file of; ValueError for one that is none."""
    path = (folder / str(data["file"])).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError(f"sheet {data['file']} lies outside the folder")
    source = None
    if path.is_file():
        source = "data:image/webp;base64," + base64.b64encode(_small(path)).decode()
    return Picture(str(data["title"]), source)


def _small(path: Path) -> bytes:
    """A picture as WebP of at most _EMBEDDED bytes: the page is sent around, the PNG file stays."""
    try:
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
    except OSError as error:
        raise ValueError(f"{path.name} is no picture: {error}") from error
    data = _webp(picture, _QUALITIES[0])
    for quality in _QUALITIES[1:]:
        if len(data) > _EMBEDDED:
            data = _webp(picture, quality)
    while len(data) > _EMBEDDED:
        picture.thumbnail((max(1, picture.width * 2 // 3), max(1, picture.height * 2 // 3)))
        data = _webp(picture, _QUALITIES[-1])
    return data


def _webp(picture: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    picture.thumbnail((_WEBP_SIDE, _WEBP_SIDE))
    picture.save(file, "WEBP", quality=quality)
    return file.getvalue()
