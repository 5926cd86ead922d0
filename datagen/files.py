"""Files that are whole or absent: written aside, synced, renamed; and folders of one writer."""

import contextlib
import errno
import fcntl
import hashlib
import io
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from datagen.errors import BusyError, DiskFullError, InputError

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to write to that takes the place of `path` at the end, all at once.

    After a crash `path` holds the old content or the new, never half of one.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with disk_space(path.parent):
        try:
            with open(aside, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(aside, path)
        finally:
            aside.unlink(missing_ok=True)
        sync(path.parent)


@contextlib.contextmanager
def atomic_text(path: Path) -> Iterator[IO[str]]:
    """`atomic_file` for ASCII text with plain line ends."""
    with atomic_file(path) as raw:
        file = io.TextIOWrapper(raw, encoding="ascii", newline="\n")
        yield file
        file.detach()  # flushed, and left open for `atomic_file`


def write_atomic(path: Path, content: bytes | str) -> None:
    """Replace the content of `path` at once."""
    with atomic_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def sync(path: Path) -> None:
    """Make a file's bytes, or the names in a folder, outlast a loss of power."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def refuse_filled(out: Path, inputs: Sequence[Path] = ()) -> None:
    """InputError for an `out` that is a file, holds anything, or lies inside one of the inputs."""
    if out.is_file():
        raise InputError(f"{out}: is a file; give a new folder with --out")
    if out.is_dir() and any(out.iterdir()):
        raise InputError(f"{out}: is not empty; name a new folder with --out")
    for folder in inputs:
        if out.resolve().is_relative_to(folder.resolve()):
            raise InputError(f"{out}: lies inside {folder}; name a folder outside it")


def make_folder(path: Path) -> None:
    """Make the folder, and those above it, where they are not there; InputError where none can."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot make this folder ({error.strerror})") from error


def sha256_of(path: Path) -> str:
    """Hex digest of a file's bytes, read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def disk_space(folder: Path) -> Iterator[None]:
    """Turn the several ways of "no space left" into DiskFullError."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_SPACE:
            raise
        raise DiskFullError(
            f"{folder}: the disk (or its quota) is full; what was published is safe: free space "
            "and run the same command with --resume"
        ) from error


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder` for writing; the lock goes with the process, kill -9 included."""
    path = folder / ".lock"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise InputError(f"{folder}: cannot write here ({error.strerror})") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
            raise BusyError(
                f"{folder}: another run (pid {holder}) is writing here; wait for it or stop it"
            ) from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def atomic_folder(out: Path) -> Iterator[Path]:
    """A folder to write to that becomes `out`, absent or empty, by one rename at the end.

    Or goes, when something fails. BusyError while another process writes there; what one leaves
    that is killed, the next removes.
    """
    out = out.resolve()
    aside = out.with_name(f".{out.name}.tmp")
    make_folder(aside)
    with locked(aside), disk_space(out.parent):
        whole = aside / "whole"
        try:
            shutil.rmtree(whole, ignore_errors=True)
            whole.mkdir()
            yield whole
            _rename(whole, out)
            sync(out.parent)
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def _rename(whole: Path, out: Path) -> None:
    try:
        whole.rename(out)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise
        raise InputError(f"{out}: somebody has put something there; choose another") from error


def is_locked(folder: Path) -> bool:
    """Whether somebody holds `folder` for writing; looks without making or keeping anything."""
    try:
        handle = os.open(folder / ".lock", os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        # Shared, so that those who look do not take each other for the holder.
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False
