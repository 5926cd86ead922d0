"""A finished dataset brought from an object store into a folder; every file is checked."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from datagen.dataset import store
from datagen.dataset.store import COMPLETE, LOCK
from datagen.digest import of_bytes
from datagen.errors import InputError, VerifyError
from datagen.files import disk_space, locked, make_folder, sync, write_atomic
from datagen.storage.address import Address, address
from datagen.storage.objects import Objects

_MANIFEST = "manifest.json"
_ASIDE = ".fetch"  # a folder for files that are not whole yet


@dataclass(frozen=True)
class Fetched:
    """What lies in `out` now."""

    url: str
    out: Path
    images: int
    files: int
    fetched: int  # by this run; the others were there
    dataset_digest: str

    def to_json(self) -> dict[str, Any]:
        return vars(self) | {"out": str(self.out)}


def fetch(
    url: str | Address,
    out: str | Path,
    *,
    resume: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Fetched:
    """Download a finished dataset; `progress` is told how many files of how many are there.

    VerifyError, when all else is there, for files that are not what the manifest promises.
    """
    objects = Objects(address(url) if isinstance(url, str) else url)
    out = Path(out)
    marker, vouched = objects.read(COMPLETE), objects.read(_MANIFEST)
    if marker is None or vouched is None or marker != of_bytes(vouched).encode() + b"\n":
        raise InputError(
            f"{objects.at}: there is no finished dataset; run `datagen generate` with --resume"
        )
    _refuse(out, vouched, objects.at, resume)
    make_folder(out)
    with locked(out), disk_space(out):
        (out / COMPLETE).unlink(missing_ok=True)
        write_atomic(out / _MANIFEST, vouched)
        manifest = store.read_json(out / _MANIFEST)
        fetched = _bring_all(objects, manifest["files"], out, progress or (lambda *_: None))
        for folder in {(out / name).parent for name in manifest["files"]}:
            sync(folder)
        write_atomic(out / COMPLETE, marker)
    return Fetched(
        url=str(objects.at),
        out=out,
        images=manifest["images"],
        files=len(manifest["files"]),
        fetched=fetched,
        dataset_digest=manifest["dataset_digest"],
    )


def _refuse(out: Path, vouched: bytes, at: Address, resume: bool) -> None:
    """InputError for a folder that holds anything but a part of this dataset."""
    if out.is_file():
        raise InputError(f"{out} is a file; give a new folder with --out")
    if not out.is_dir() or all(entry.name == LOCK for entry in out.iterdir()):
        return
    if not resume:
        raise InputError(
            f"{out} is not empty; go on with --resume, or give a new folder with --out"
        )
    if not (out / _MANIFEST).is_file() or (out / _MANIFEST).read_bytes() != vouched:
        raise InputError(f"{out} holds no part of {at} as it is now; give a new folder with --out")


def _bring_all(
    objects: Objects,
    files: dict[str, dict[str, Any]],
    out: Path,
    progress: Callable[[int, int], None],
) -> int:
    """Every file that is not there; how many were brought."""

    def bring(name: str) -> tuple[str, bool | None]:
        return name, _bring(objects, name, files[name], out)

    for name in files:
        place = PurePosixPath(name)
        if place.is_absolute() or ".." in place.parts or not name.isprintable():
            raise InputError(
                f"{objects.at}: its manifest names a file that lies outside of it ({name!a})"
            )
    broken, fetched = [], 0
    (out / _ASIDE).mkdir(exist_ok=True)
    for done, (name, is_new) in enumerate(objects.each(bring, files), 1):
        if is_new is None:
            broken.append(name)
        else:
            fetched += is_new
        progress(done, len(files))
    shutil.rmtree(out / _ASIDE)
    if broken:
        raise VerifyError(
            f"{objects.at}: {len(broken)} of {len(files)} objects are missing or not what the "
            f"manifest promises; the first is {min(broken)}. Remove {COMPLETE} there, and of "
            "each that is a shard's the whole shard; then run `datagen generate` with --resume, "
            "and fetch again"
        )
    return fetched


def _bring(objects: Objects, name: str, entry: dict[str, Any], out: Path) -> bool | None:
    """Whether the file had to be brought; None where the store does not have it as promised."""
    path = out / name
    if store.is_as_listed(path, entry):
        return False
    aside = out / _ASIDE / of_bytes(name.encode())
    if not objects.download(name, aside) or not store.is_as_listed(aside, entry):
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    sync(aside)
    aside.replace(path)
    return True
