"""A batch of pictures cut into shares, of which this process does one; who works changes no bit."""

import logging
import math
from collections.abc import Callable
from contextlib import closing
from typing import Any

import numpy as np

from datagen.features.counts import CHUNK
from datagen.jobs.executors import Executor, Hands, InProcess, Processes
from datagen.jobs.work import Payload

log = logging.getLogger(__name__)


def helpers(number: int) -> Executor:
    """So many processes beside this one."""
    return Processes(number, _ignored) if number else InProcess(_ignored)


def _ignored(payload: Payload, done: int) -> None:
    """How far a share is: nobody asks, for it takes seconds."""


class Shares:
    """Features of many pictures, by this process and by `hands`, whose results have "features".

    Processes rather than torch's threads: those wait for one another at every layer, and on a
    machine that does anything else they stand still.
    """

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self._told: set[str] = set()  # a machine that lacks something lacks it at every batch

    def rows(
        self,
        count: int,
        payload: Callable[[slice], Payload],
        seen: Callable[[slice], np.ndarray],
    ) -> np.ndarray:
        """Features float32 [count, D]; a part of them as a payload, and as this process sees it."""
        # Whole chunks: a picture's last bits depend on how many others share its batch.
        size = CHUNK * math.ceil(count / (CHUNK * (self._hands.others + 1)))
        if size >= count:
            return seen(slice(0, count))
        parts = {start: slice(start, start + size) for start in range(0, count, size)}
        payloads = [{"start": start, **payload(part)} for start, part in parts.items()]

        def here(payload: Payload) -> dict[str, Any]:
            return {"features": seen(parts[payload["start"]])}

        rows: dict[int, np.ndarray] = {}
        with closing(self._hands.run(payloads, here)) as reports:
            for report in reports:
                start = report["payload"]["start"]
                if "error" in report:
                    self._tell(report["error"]["message"])
                    # What others failed at shall fail here, with an error that people can read.
                    rows[start] = seen(parts[start])
                else:
                    rows[start] = np.asarray(report["result"]["features"], np.float32)
        return np.concatenate([rows[start] for start in parts])

    def _tell(self, message: str) -> None:
        if message not in self._told:
            self._told.add(message)
            log.warning("a worker could not do its share, which is done here: %s", message)
