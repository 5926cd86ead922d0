"""A complete dataset as one tar file that is made while it is read: no disk, little memory.

The same dataset gives the same bytes: names in a fixed order, no time, nobody's.
"""

import os
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from datagen.dataset import listing, store
from datagen.dataset.store import Shard
from datagen.errors import InputError

_BLOCK = 512  # bytes; a tar file is made of these
_END = 2 * _BLOCK
_PIECE = 1 << 18  # bytes that are handed on at once
_PLAIN_NAME = 100  # characters of a name that needs no header of its own
_PLAIN_SIZE = 8**11  # bytes, and more needs one too


@dataclass(frozen=True)
class Member:
    """What becomes a file when the archive is unpacked."""

    name: str  # in the archive
    size: int  # bytes
    content: str | bytes  # name of a file in the dataset's folder; or what it holds


def whole(folder: Path) -> Iterator[Member]:
    """Every file of the folder, below the folder's own name; the marker comes last.

    What is unpacked from an archive that was cut off so does not count as complete.
    """
    for name, size in listing.files(folder):
        yield Member(f"{folder.name}/{name}", size, name)
    for name in (listing.FILE, store.COMPLETE):
        size = store.inside(folder, name).stat().st_size
        yield Member(f"{folder.name}/{name}", size, name)


def samples(folder: Path, shards: Iterable[Shard]) -> Iterator[Member]:
    """As WebDataset reads them: files of one image follow one another, and share a key.

    00000000.png or .jpg is the image, 00000000.json its record, 00000000.scene.json its scene;
    passes are named as in the dataset.
    """
    for shard in shards:
        sizes = {
            name: entry["size"] for name, entry in store.summary(folder, shard)["files"].items()
        }
        of_key: dict[str, list[str]] = {}
        for name in sorted(sizes):
            of_key.setdefault(name.partition(".")[0], []).append(name)
        with (
            store.inside(folder, f"{shard.place}/records.jsonl").open("rb") as records,
            store.inside(folder, f"{shard.place}/scenes.jsonl").open("rb") as scenes,
        ):
            for index, record, scene in zip(
                range(shard.start, shard.stop), records, scenes, strict=True
            ):
                key = f"{index:08d}"
                for name in of_key.get(key, ()):
                    yield Member(name, sizes[name], f"{shard.place}/{name}")
                yield Member(f"{key}.json", len(record), record)
                yield Member(f"{key}.scene.json", len(scene), scene)


def size_of(members: Iterable[Member]) -> int:
    """Bytes of their archive."""
    return sum(_header_size(one) + one.size + _padding(one.size) for one in members) + _END


def stream(folder: Path, members: Iterable[Member], start: int = 0) -> Iterator[bytes]:
    """Their archive from byte `start` on, in pieces; what comes before is not read.

    InputError where a file is not as long as it should be: what was handed on ends there.
    """
    piece = bytearray()
    for part in _parts(folder, members, start):
        piece += part
        if len(piece) >= _PIECE:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)


def _parts(folder: Path, members: Iterable[Member], start: int) -> Iterator[bytes]:
    skip = start  # bytes that are still to be left out
    for one in members:
        header = _header_size(one)
        padding = _padding(one.size)
        length = header + one.size + padding
        if skip >= length:
            skip -= length
            continue
        if skip < header:
            yield _header(one)[skip:]
        yield from _content(folder, one, max(0, skip - header))
        yield bytes(padding)[max(0, skip - header - one.size) :]
        skip = 0
    yield bytes(_END)[skip:]


def _content(folder: Path, member: Member, start: int) -> Iterator[bytes]:
    if isinstance(member.content, bytes):
        yield member.content[start:]
        return
    path = store.inside(folder, member.content)
    left = member.size - start
    with path.open("rb", buffering=0) as file:
        if os.fstat(file.fileno()).st_size == member.size:
            file.seek(start)
            while left > 0 and (part := file.read(min(left, _PIECE))):
                left -= len(part)
                yield part
    if left > 0:
        raise InputError(f"{path}: has not the {member.size:,} bytes that it was written with")


def _header(member: Member) -> bytes:
    info = tarfile.TarInfo(member.name)
    info.size, info.mode = member.size, 0o644
    return info.tobuf(tarfile.USTAR_FORMAT if _is_plain(member) else tarfile.PAX_FORMAT)


def _header_size(member: Member) -> int:
    return _BLOCK if _is_plain(member) else len(_header(member))


def _is_plain(member: Member) -> bool:
    """Whether one block has room for its name and size."""
    name = member.name
    return len(name) <= _PLAIN_NAME and name.isascii() and member.size < _PLAIN_SIZE


def _padding(size: int) -> int:
    return -size % _BLOCK
