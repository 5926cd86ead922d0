"""Styles, scripts and pictures of the pages. Addresses hold a digest, so browsers ask only once."""

import hashlib
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse

from datagen.web.home import NotHere

_FOLDER = Path(__file__).parents[1] / "static"
_MEDIA = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
}
_DIGESTS = {
    str(path.relative_to(_FOLDER)): hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    for path in _FOLDER.rglob("*")
    if path.suffix in _MEDIA
}

router = APIRouter(prefix="/static", include_in_schema=False)


def address(name: str) -> str:
    """Where a browser gets a file of the folder `static`; KeyError for one that is not there."""
    return f"/static/{_DIGESTS[name]}/{name}"


def has(name: str) -> bool:
    """Whether there is such a file."""
    return name in _DIGESTS


@router.get("/{digest}/{name:path}")
def file(digest: str, name: str) -> FileResponse:
    """The file; another version's address leads nowhere."""
    if _DIGESTS.get(name) != digest:
        raise NotHere("there is no such file")
    path = _FOLDER / name
    forever = {"Cache-Control": "public, max-age=31536000, immutable"}
    return FileResponse(path, media_type=_MEDIA[path.suffix], headers=forever)
