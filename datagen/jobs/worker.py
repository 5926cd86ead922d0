"""The main program of a worker process: `python -m datagen.jobs.worker HANDLE WORK`."""

import json
import os
import sys
import time
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Thread
from typing import Any

from datagen.jobs.attempt import attempt
from datagen.jobs.work import find

_INTERVAL = 0.2  # seconds between two messages about progress


def main(handle: int, work: str) -> None:
    """Answer payloads until told to stop."""
    os.set_inheritable(handle, False)
    connection = Connection(handle)
    inbox: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
    Thread(target=_listen, args=(connection, inbox), daemon=True).start()
    with find(work)() as run:
        while (payload := inbox.get()) is not None:
            _send(connection, attempt(run, payload, _Reporter(connection)))


def _listen(connection: Connection, inbox: SimpleQueue[dict[str, Any] | None]) -> None:
    """A thread of its own, so that the end of the parent ends even a worker that is busy."""
    while True:
        try:
            message = connection.recv_bytes()
        except (EOFError, OSError):
            os._exit(1)
        inbox.put(json.loads(message) if message else None)


class _Reporter:
    """Tells how many images are done, but not for every one."""

    def __init__(self, connection: Connection) -> None:
        self.connection, self.last = connection, time.monotonic()

    def __call__(self, done: int) -> None:
        now = time.monotonic()
        if now - self.last >= _INTERVAL:
            self.last = now
            _send(self.connection, {"done": done})


def _send(connection: Connection, message: dict[str, Any]) -> None:
    connection.send_bytes(json.dumps(message).encode())


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
