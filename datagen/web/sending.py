"""A folder as one tar file, from any byte on: a client goes on where its connection was lost."""

import logging
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Send

from datagen.dataset import archive
from datagen.errors import DatagenError
from datagen.web.described import Answers, content, problem
from datagen.web.home import NotHere
from datagen.web.paging import known, named, tag_of
from datagen.web.problems import Refused

log = logging.getLogger(__name__)

TAR = "application/x-tar"
_RESUMED = re.compile(r"bytes=(\d{1,18})-")
# Of OpenAPI.
DESCRIBED: Answers = {
    **content(TAR),
    206: {"description": "From the byte on that `Range: bytes=N-` asks for."},
    416: problem("`Range` begins after the end."),
}


class Archive(StreamingResponse):
    """Where a file is broken the connection ends before its time: the client knows of it."""

    media_type = TAR

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        except DatagenError as error:
            log.error("a download was broken off: %s", error)


def begun(parts: Iterator[bytes], file: str, tag: str) -> Archive:
    """An archive that is sent from its first byte on, to be saved as `file`."""
    return Archive(parts, 200, _headers(file, tag))


def resumable(
    request: Request, folder: Path, members: Iterable[archive.Member], size: int, tag: str
) -> Response:
    """The archive of a folder's members, of `size` bytes, from the byte on that is asked for.

    304 where the client has what `tag` names; Refused for a range that begins after the end.
    """
    there = known(request, tag)
    if there is not None:
        return there
    start = _start(request, tag, size)
    headers = _headers(f"{folder.name}.tar", tag)
    headers |= {"Accept-Ranges": "bytes", "Content-Length": str(size - start)}
    headers |= {"Content-Range": f"bytes {start}-{size - 1}/{size}"} if start else {}
    return Archive(archive.stream(folder, members, start), 206 if start else 200, headers)


def everything(request: Request, folder: Path) -> Response:
    """The archive of a folder that nobody writes to: all plain files but hidden ones; no links."""
    try:
        found = list(_files(folder))
    except FileNotFoundError as error:  # removed meanwhile
        raise NotHere(f"there is no {folder.parent.name}/{folder.name} any more") from error
    members = [
        archive.Member(f"{folder.name}/{name}", status.st_size, name) for name, status in found
    ]
    tag = tag_of(*(f"{name} {one.st_size} {one.st_mtime_ns} {one.st_ino}" for name, one in found))
    return resumable(request, folder, members, archive.size_of(members), tag)


def _files(folder: Path, inner: str = "") -> Iterator[tuple[str, os.stat_result]]:
    """Below `inner`, in a fixed order."""
    for entry in sorted(os.scandir(folder / inner), key=lambda one: one.name):
        name = f"{inner}{entry.name}"
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _files(folder, f"{name}/")
        elif entry.is_file(follow_symlinks=False):
            yield name, entry.stat(follow_symlinks=False)


def _headers(file: str, tag: str) -> dict[str, str]:
    return named(tag, **{"Content-Disposition": f'attachment; filename="{file}"'})


def _start(request: Request, tag: str, size: int) -> int:
    """The byte that an interrupted download goes on from; other ranges get the whole."""
    asked = _RESUMED.fullmatch(request.headers.get("range", ""))
    if asked is None or request.headers.get("if-range", tag) != tag:
        return 0
    start = int(asked[1])
    if start >= size:
        raise Refused(
            416, f"the archive has {size:,} bytes", **{"Content-Range": f"bytes */{size}"}
        )
    return start
