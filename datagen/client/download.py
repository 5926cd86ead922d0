"""A dataset that comes as one tar file: a connection may be lost, and nothing half is left."""

import tarfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast
from urllib.parse import quote

import httpx2

from datagen.client.wire import Lost, Wire
from datagen.dataset import store
from datagen.errors import DatagenError, VerifyError
from datagen.files import atomic_folder, refuse_filled
from datagen.progress import Advance

DATASETS = "datasets"
_MANIFEST = "manifest.json"


def bring(wire: Wire, kind: str, name: str, out: Path, progress: Advance) -> None:
    """Make `out`, new or empty, from the archive of KIND/NAME; progress is in bytes.

    VerifyError for what is not whole, or of a dataset not as its manifest promises; `out` is as it
    was then.
    """
    refuse_filled(out)
    path = f"/api/v1/{kind}/{quote(name, safe='')}/download"
    with atomic_folder(out) as aside, _opened(_Archive(wire, path, progress)) as archive:
        for member in archive:
            top, _, rest = member.name.partition("/")
            if top != name or not rest or not member.isreg():
                raise VerifyError(f"{wire.url}: {kind}/{name} came with {member.name[:80]!a}")
            # "data": neither absolute paths nor `..`, whatever the server is.
            archive.extract(
                member.replace(name=rest, deep=False), aside, set_attrs=False, filter="data"
            )
        if kind == DATASETS:
            _check(aside, f"{wire.url}: {name}")


class _Archive:
    """What tarfile reads from: the bytes of an answer, also where it takes several."""

    def __init__(self, wire: Wire, path: str, progress: Advance) -> None:
        self._wire, self._path, self._progress = wire, path, progress
        self._at, self._size, self._tag = 0, 0, ""
        self.pieces = self._all()

    def read(self, size: int) -> bytes:
        """The next bytes, more or fewer than `size`; none at the end."""
        return next(self.pieces, b"")

    def _all(self) -> Generator[bytes]:
        attempts = self._wire.attempts()
        while True:
            rest = {"Range": f"bytes={self._at}-", "If-Range": self._tag} if self._at else {}
            try:
                with self._wire.stream(self._path, rest) as answer:
                    self._begin(answer)
                    for piece in answer.iter_bytes():
                        self._at += len(piece)
                        attempts.went_well()
                        self._progress(self._at, self._size, "bytes")
                        yield piece
                return
            except Lost as lost:
                attempts.again(lost)

    def _begin(self, answer: httpx2.Response) -> None:
        """The first answer says what is sent; all others must be of the same."""
        tag = answer.headers.get("etag", "")
        if not self._at:
            self._tag, self._size = tag, int(answer.headers.get("content-length", 0))
        elif answer.status_code != httpx2.codes.PARTIAL_CONTENT or tag != self._tag:
            raise DatagenError(f"{self._wire.url}: it was replaced while it was sent; begin again")


@contextmanager
def _opened(source: _Archive) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(fileobj=cast(IO[bytes], source), mode="r|") as archive:
            yield archive
    except tarfile.TarError as error:
        raise VerifyError(f"the archive cannot be unpacked: {error}") from error
    finally:
        source.pieces.close()


def _check(folder: Path, told: str) -> None:
    """VerifyError for anything but what the manifest lists."""
    if not store.is_complete(folder):
        raise VerifyError(f"{told}: what came is no complete dataset")
    files = store.read_json(folder / _MANIFEST)["files"]
    present = {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    } - {_MANIFEST, store.COMPLETE}
    wrong = sorted(present.symmetric_difference(files))
    wrong += [name for name in files if not store.is_as_listed(folder / name, files[name])]
    if wrong:
        raise VerifyError(
            f"{told}: {len(wrong)} of {len(files)} files are not as the manifest promises; the "
            f"first is {wrong[0]}"
        )
