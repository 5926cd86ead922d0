"""Pictures that are uploaded: by pieces to the disk, judged by their headers, published by renames.

The name that a picture was sent under never becomes a path; see `stem_of`.
"""

import hashlib
import os
import re
import shutil
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from datagen.dataset.headers import UnusableError, opened
from datagen.errors import DiskFullError
from datagen.files import disk_space, is_locked, locked, sync
from datagen.settings.serve import Limits
from datagen.web.home import Home
from datagen.web.problems import Refused
from datagen.web.removal import put_away

_FORMATS = ("PNG", "JPEG")
_ENDINGS = (".png", ".jpg")
_PICTURES = (*_ENDINGS, ".jpeg", ".webp", ".bmp")  # in folders that others have filled
_JUDGING = threading.Lock()  # one at a time: texts in a header may unfold to 64 MB
_FRESH = 60.0  # seconds for which the size of a folder of the configuration is given again


class Picture(NamedTuple):
    """A picture that is whole and judged, and not published yet."""

    original: str  # name that it was sent under, folders in front
    part: Path
    ending: str


@dataclass
class Album:
    """One target's pictures, which nobody but this process changes."""

    folder: Path
    limits: Limits
    pictures: int
    bytes: int
    coming: int = 0  # bytes of uploads under way
    users: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def room(self) -> Iterator[Callable[[int], None]]:
        """A function that takes room for so many bytes, until the end; Refused where none is."""
        taken = 0

        def take(size: int) -> None:
            nonlocal taken
            with self.lock:
                if self.bytes + self.coming + size > self.limits.target:
                    raise Refused(413, f"a target holds {self.limits.target:,} bytes and no more")
                self.coming += size
                taken += size

        try:
            yield take
        finally:
            with self.lock:
                self.coming -= taken

    def publish(self, found: Sequence[Picture]) -> bool:
        """Put the pictures in; one of the same original name goes. Whether any is new."""
        with self.lock:
            places = {stem_of(one.original): one for one in found}
            there = {stem: self._there(stem) for stem in places}
            new = sum(not files for files in there.values())
            if self.pictures + new > self.limits.pictures:
                raise Refused(
                    413, f"a target holds {self.limits.pictures:,} pictures and no more; make two"
                )
            for stem, one in places.items():
                self._put(one, self.folder / f"{stem}{one.ending}", there[stem])
            sync(self.folder)
        return new > 0

    def _there(self, stem: str) -> list[Path]:
        files = (self.folder / f"{stem}{ending}" for ending in _ENDINGS)
        return [file for file in files if file.is_file()]

    def _put(self, one: Picture, final: Path, before: list[Path]) -> None:
        final.parent.mkdir(parents=True, exist_ok=True)
        size = one.part.stat().st_size - sum(file.stat().st_size for file in before)
        os.replace(one.part, final)
        for file in before:
            if file != final:
                file.unlink()
        self.pictures += 1 - len(before)
        self.bytes += size


class Albums:
    """All targets: those that were uploaded, and folders that the configuration names."""

    def __init__(self, home: Home, limits: Limits) -> None:
        self._home, self._limits = home, limits
        self._albums: dict[str, Album] = {}
        self._shared: dict[str, tuple[float, tuple[int, int]]] = {}  # name -> when seen, size
        self._lock = threading.Lock()
        self._folder = home.folder / "targets"
        for left in self._folder.glob(".*.part"):  # of a server that was killed
            if not is_locked(left):
                shutil.rmtree(left, ignore_errors=True)

    def size(self, name: str) -> tuple[int, int]:
        """Pictures and bytes of a target that is there; NotHere."""
        folder = self._home.find("targets", name)
        if name in self._home.shared:
            seen, size = self._shared.get(name, (float("-inf"), (0, 0)))
            if time.monotonic() - seen > _FRESH:
                size = _counted(folder)
                self._shared[name] = time.monotonic(), size
            return size
        with self._lock:
            album = self._known(name, folder)
        return album.pictures, album.bytes

    @asynccontextmanager
    async def opened(self, name: str) -> AsyncIterator[Album]:
        """A target to upload to, which need not be there yet; Refused for one more than may be."""
        album = await run_in_threadpool(self._enter, name)
        try:
            yield album
        finally:
            with self._lock:
                album.users -= 1
                if not album.users and not album.folder.is_dir():
                    self._albums.pop(name, None)

    def remove(self, name: str) -> None:
        """Put it away; Refused while somebody uploads to it."""
        folder = self._home.find("targets", name)
        with self._lock:
            album = self._albums.get(name)
            if album is not None and album.users:
                raise Refused(409, f"pictures are being uploaded to targets/{name}; wait for it")
            put_away(folder)
            self._albums.pop(name, None)

    def _enter(self, name: str) -> Album:
        folder = self._home.place("targets", name)
        with self._lock:
            begun = {one for one in self._albums if not self._albums[one].folder.is_dir()}
            if not folder.is_dir() and name not in begun:
                there = sum(1 for one in self._home.names("targets") if self._is_uploaded(one))
                if there + len(begun) >= self._limits.targets:
                    most = f"{self._limits.targets:,}"
                    raise Refused(409, f"the server keeps {most} targets, and no more; remove some")
            album = self._known(name, folder)
            album.users += 1
            return album

    def _is_uploaded(self, name: str) -> bool:
        return name not in self._home.shared

    def _known(self, name: str, folder: Path) -> Album:
        if name not in self._albums:
            pictures, size = _counted(folder)
            self._albums[name] = Album(folder, self._limits, pictures, size)
        return self._albums[name]


def stem_of(original: str) -> str:
    """Where a picture lies in its target's folder, without the ending.

    Of the name that it was sent under only a-z, 0-9 and - stay, for who reads it and so that frames
    of a clip keep their order; a digest tells it from others. Folders become one.
    """
    folder, _, name = original.rpartition("/")
    stem = _plain(name.rpartition(".")[0] or name, name)
    return f"{_plain(folder, folder)}/{stem}" if folder else stem


def _plain(shown: str, whole: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", shown.lower()).strip("-")[:60]
    digest = hashlib.sha256(whole.encode("utf-8", "backslashreplace")).hexdigest()[:12]
    return f"{words}-{digest}" if words else digest


def judged(part: Path) -> str:
    """The ending of a picture whose header is sound; UnusableError."""
    with _JUDGING, opened(part, _FORMATS) as picture:
        return ".png" if picture.format == "PNG" else ".jpg"  # several in one JPEG are an "MPO"


@asynccontextmanager
async def aside(album: Album) -> AsyncIterator[Path]:
    """A folder for an upload under way, which goes away however that ends."""
    folder = album.folder.with_name(f".{uuid.uuid4().hex}.part")
    folder.mkdir()
    try:
        with locked(folder), disk_space(folder):
            yield folder
    except DiskFullError as error:
        raise Refused(507, "the server's disk is full; nothing of this upload is kept") from error
    finally:
        await run_in_threadpool(shutil.rmtree, folder, ignore_errors=True)


async def received(request: Request, file: Path, take: Callable[[int], None]) -> None:
    """Write the body of a request to a file as it comes, taking room for each piece."""
    with open(file, "xb") as whole:
        try:
            async for piece in request.stream():
                take(len(piece))
                await run_in_threadpool(whole.write, piece)
        except ClientDisconnect as error:
            raise Refused(400, "the upload ended before its end; nothing of it is kept") from error
        await run_in_threadpool(os.fsync, whole.fileno())


def one_picture(original: str, part: Path) -> Picture:
    """A picture that came by itself; Refused where it is none."""
    try:
        return Picture(original, part, judged(part))
    except UnusableError as error:
        from PIL import UnidentifiedImageError

        is_another = isinstance(error.__cause__, UnidentifiedImageError)
        raise Refused(415 if is_another else 422, f"{original[:80]}: {error}") from error


def _counted(folder: Path) -> tuple[int, int]:
    """Files that are called pictures, and their bytes; hidden ones and links to folders are not."""
    count = size = 0
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if name.lower().endswith(_PICTURES) and not name.startswith("."):
                try:
                    size += os.stat(os.path.join(place, name)).st_size
                except OSError:
                    continue
                count += 1
    return count, size
