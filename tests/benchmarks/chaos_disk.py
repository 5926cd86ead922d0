"""A disk of a chaos run, which can be filled without harm to others."""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_DISK = "1500m"
_NEW_MOUNTS = 0x00020000  # CLONE_NEWNS


@contextmanager
def disk(folder: Path) -> Iterator[bool]:
    """A file system in memory at `folder`; False where this user may not mount one.

    Only this process and what it starts see it, and it goes with the last of them: others find an
    empty folder, which they can remove, however this process ends.
    """
    folder.mkdir()
    mounted = _is_apart() and _did("mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", folder)
    try:
        yield mounted
    finally:
        if mounted:
            # Lazily: whatever still has a file open there has been killed already.
            _did("umount", "--lazy", folder)


def _is_apart() -> bool:
    """Whether what is mounted from now on is nobody else's."""
    is_new = ctypes.CDLL(None).unshare(_NEW_MOUNTS) == 0  # os.unshare comes with Python 3.12
    return is_new and _did("mount", "--make-rprivate", "/")


def _did(*command: object) -> bool:
    words = [str(word) for word in command]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


class Ballast:
    """A file that takes all room of a disk."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "ballast"

    def grow(self) -> None:
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            for _ in range(5):
                free = os.statvfs(self._path.parent)
                if free.f_bavail == 0:
                    break
                size = os.fstat(handle).st_size
                os.posix_fallocate(handle, size, free.f_bavail * free.f_frsize)
        except OSError:
            pass  # somebody was faster: it is full
        finally:
            os.close(handle)

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)
