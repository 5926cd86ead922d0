"""Worker processes seen from the one that started them: fresh interpreters that speak JSON.

Not `multiprocessing.Process`: its spawn runs the caller's main module again, which breaks plain
scripts, and its pool never notices a worker that was killed.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any

# Set before a worker loads anything: these libraries read them once. Workers share the machine's
# cores already, and sums depend on the number of threads in their last bits.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
}
_PATIENCE = 10  # seconds for a worker to close its components


class Member:
    """One worker process. It dies when this process dies, however that happens."""

    def __init__(self, work: str) -> None:
        self.connection, theirs = Pipe()
        with theirs:
            handle = theirs.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "datagen.jobs.worker", str(handle), work],
                pass_fds=(handle,),
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=2,  # what a plug-in prints must not mix with our own output
                start_new_session=True,  # Ctrl-C reaches us alone, and we tell the workers
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, payload: dict[str, Any]) -> None:
        # A broken pipe shows up again, as the end of the connection, where it is dealt with.
        with contextlib.suppress(OSError):
            self.connection.send_bytes(json.dumps(payload).encode())

    def receive(self) -> dict[str, Any] | None:
        """The next message; None when the process is gone."""
        try:
            return json.loads(self.connection.recv_bytes())
        except (EOFError, OSError):
            return None

    def dismiss(self) -> None:
        """Ask for an orderly end."""
        with contextlib.suppress(OSError):
            self.connection.send_bytes(b"")

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> int:
        """Wait for the process to end; its exit status, negative for a signal."""
        try:
            return self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
        finally:
            self.connection.close()


def listen(members: Iterable[Member]) -> Iterator[tuple[Member, dict[str, Any] | None]]:
    """Waits until somebody speaks or dies; a message, or None, from each of those."""
    by_connection = {member.connection: member for member in members}
    for connection in wait(list(by_connection)):
        assert isinstance(connection, Connection)
        member = by_connection[connection]
        yield member, member.receive()


def _environment() -> dict[str, str]:
    # The whole path: plug-ins may lie where only this process was told to look.
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    return {**os.environ, **ONE_THREAD, "PYTHONPATH": path}
