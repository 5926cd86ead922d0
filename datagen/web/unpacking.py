"""A tar of pictures that somebody sent: read by pieces, and not a word of it is believed.

Python's own reader keeps what a header promises in memory, and would do so with gigabytes; here it
reads single headers alone. Nothing is written where the archive says.
"""

import gzip
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from datagen.dataset.headers import UnusableError
from datagen.settings.serve import Limits
from datagen.web.problems import Refused
from datagen.web.uploads import Picture, judged

_BLOCK = 512  # bytes; all of a tar is a multiple of it
_PIECE = 1 << 16
_LONGEST = 1 << 16  # bytes of a header about the next one
_RATIO = 100  # of bytes unpacked to packed
_SPARED = 1 << 20  # bytes for which the ratio does not count: small tars are mostly zeros
_HEADERS = 4  # for each picture that may be: its own, two about it, its folder's
_TOLD = 100  # reasons, at most


class Contents(NamedTuple):
    """What was in an archive."""

    pictures: list[Picture]
    left_out: int
    reasons: list[tuple[str, str]]  # (name, why) of the first that were left out


def unpack(archive: Path, into: Path, limits: Limits, take: Callable[[int], None]) -> Contents:
    """Put the pictures of a tar, gzipped or not, as numbered files into the folder `into`.

    `take` is asked for room for each piece. Refused for what no tar of pictures needs, such as a
    link, an absolute path or `..`; other files are left out.
    """
    pictures: list[Picture] = []
    reasons: list[tuple[str, str]] = []
    left_out = 0
    with _opened(archive) as tape:
        for name, size in _files(tape, _HEADERS * limits.pictures):
            if size > limits.upload:
                raise Refused(413, f"{name[:80]}: has more than {limits.upload:,} bytes")
            if len(pictures) >= limits.pictures:
                raise Refused(413, f"the archive has more than {limits.pictures:,} pictures")
            part = into / str(len(pictures))
            with open(part, "wb") as file:
                for piece in tape.pieces(size):
                    take(len(piece))
                    file.write(piece)
            try:
                pictures.append(Picture(name, part, judged(part)))
            except UnusableError as error:
                left_out += 1
                reasons += [(name, str(error))] if len(reasons) < _TOLD else []
    return Contents(pictures, left_out, reasons)


class _Tape:
    """The bytes of a tar, one after the other."""

    def __init__(self, packed: IO[bytes]) -> None:
        self._packed, self._read = packed, 0
        is_gzip = packed.read(2) == b"\x1f\x8b"
        packed.seek(0)
        self._bytes: IO[bytes] = gzip.GzipFile(fileobj=packed) if is_gzip else packed  # type: ignore[assignment]

    def read(self, size: int) -> bytes:
        """So many bytes; Refused where there are less, or where they were hardly any packed."""
        try:
            data = self._bytes.read(size)
        except (OSError, EOFError, zlib.error) as error:
            raise Refused(422, "the archive is damaged: it cannot be unpacked") from error
        if len(data) < size:
            raise Refused(422, "the archive ends before its end: it is no tar, or only half of one")
        self._read += size
        if self._read > _RATIO * self._packed.tell() + _SPARED:
            raise Refused(422, f"the archive unpacks to more than {_RATIO} times its size")
        return data

    def pieces(self, size: int) -> Iterator[bytes]:
        """So many bytes in pieces, and past what fills the last block."""
        for start in range(0, size, _PIECE):
            yield self.read(min(_PIECE, size - start))
        self.read(-size % _BLOCK)

    def skip(self, size: int) -> None:
        for _ in self.pieces(size):
            pass


@contextmanager
def _opened(archive: Path) -> Iterator[_Tape]:
    with open(archive, "rb") as packed:
        yield _Tape(packed)


def _files(tape: _Tape, most: int) -> Iterator[tuple[str, int]]:
    """Name and size of each file, whose bytes come next and are to be read by who asks."""
    told: str | None = None  # a name that a header before has given
    for _ in range(most):
        info = _header(tape.read(_BLOCK))
        if info is None:
            return
        name = _safe(info.name if told is None else told)
        match info.type:
            case tarfile.XHDTYPE:
                told = _path_in(_about(tape, info))
                continue
            case tarfile.GNUTYPE_LONGNAME:
                told = _text(_about(tape, info).rstrip(b"\0"))
                continue
            case tarfile.XGLTYPE:
                _about(tape, info)
                continue
            case tarfile.REGTYPE | tarfile.AREGTYPE:
                if any(part.startswith(".") for part in PurePosixPath(name).parts):
                    tape.skip(info.size)
                else:
                    yield name, info.size
            case tarfile.DIRTYPE:
                tape.skip(info.size)
            case _:
                raise Refused(422, f"{name[:80]}: is a link, a device or the like; leave it out")
        told = None
    raise Refused(413, f"the archive has more than {most:,} entries")


def _header(block: bytes) -> tarfile.TarInfo | None:
    """None at the end of the archive."""
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "backslashreplace")
    except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
        return None
    except (tarfile.HeaderError, ValueError) as error:
        raise Refused(422, "the archive is no tar, or it is damaged") from error
    if info.size < 0:
        raise Refused(422, "the archive has a file of less than no bytes")
    return info


def _about(tape: _Tape, info: tarfile.TarInfo) -> bytes:
    """A header about the next one."""
    if info.size > _LONGEST:
        raise Refused(422, f"the archive has a header of more than {_LONGEST:,} bytes")
    return b"".join(tape.pieces(info.size))


def _path_in(records: bytes) -> str | None:
    """The name in an extended header, `LENGTH KEY=VALUE` and so on."""
    found = None
    while records:
        length = records[:6].partition(b" ")[0]
        size = int(length) if length.isdigit() else 0
        if not len(length) < size <= len(records):
            raise Refused(422, "the archive has a damaged header")
        key, _, value = records[len(length) + 1 : size - 1].partition(b"=")
        if key == b"size" or key.startswith(b"GNU.sparse"):
            raise Refused(422, "the archive has a sparse file, or a huge one; leave it out")
        found = _text(value) if key == b"path" else found
        records = records[size:]
    return found


def _safe(name: str) -> str:
    """The name without `.`; Refused for one that leads out of a folder."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    if name.startswith(("/", "\\")) or name[1:2] == ":" or ".." in parts:
        raise Refused(422, f"{name[:80]}: is an absolute path, or has `..` in it; pack it anew")
    return "/".join(parts)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")
