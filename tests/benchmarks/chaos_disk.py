"""A disk of a chaos run, which can be filled without harm to others."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_DISK = "1500m"


@contextmanager
def disk(folder: Path) -> Iterator[bool]:
    """A file system in memory at `folder`; False where this user may not mount one."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", str(folder)]
    mounted = subprocess.run(words, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            # Lazily: whatever still has a file open there has been killed already.
            subprocess.run(["umount", "--lazy", str(folder)], check=False)


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
