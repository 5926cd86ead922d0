"""A thread of each worker that finds jobs which nobody carries out, and starts their conductors.

No message tells of a job: one that runs for hours would outlive any message's time limit, and
what Redis forgets is still in the folder.
"""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from datagen.errors import DatagenError
from datagen.jobs.conduct import BROKER, PROCESSES
from datagen.jobs.conducted import CONTROL, TRAIN, duty_of
from datagen.jobs.ledger import Job, Jobs
from datagen.jobs.roster import Presence

log = logging.getLogger(__name__)

INTERVAL = 1.0  # seconds between two looks into the folder
AT_ONCE = {CONTROL: 4, TRAIN: 1}  # conductors of a worker; a training takes the whole machine
_SLOWEST = 60.0  # seconds at most before a conductor that failed is started again
_SOUND = 10.0  # seconds after which a conductor that fails is no hopeless case
_PATIENCE = 12  # seconds for conductors to leave in order


@dataclass
class _Conductor:
    """A process that carries out a job, with the pipe that ends it when we end."""

    job: Job
    process: subprocess.Popen[bytes]
    pipe: int
    since: float  # by the monotonic clock

    def close(self) -> None:
        if self.pipe >= 0:
            os.close(self.pipe)
            self.pipe = -1


class Keeper(Thread):
    """Starts conductors for the jobs of a folder until told to stop."""

    def __init__(
        self, jobs: Path, *, broker: str, name: str, duties: Collection[str], processes: int = 0
    ) -> None:
        """`broker` is the URL for conductors; `name` is what jobs know it by, without password."""
        super().__init__(name="keeper", daemon=True)
        self._jobs, self._broker, self._name, self._duties = Jobs(jobs), broker, name, set(duties)
        about = {"broker": name, "duties": sorted(duties), "processes": processes}
        self._presence = Presence(jobs, about)
        told = {BROKER: broker, PROCESSES: str(processes or 1), "PYTHONPATH": _path()}
        self._environment = {**os.environ, **told}
        # Without a broker each conductor has all the processes that there are.
        self._at_once = AT_ONCE if broker else dict.fromkeys(AT_ONCE, 1)
        self._conductors: dict[str, _Conductor] = {}
        # Job -> when its state was written, ns, and the job where it then was one to carry out.
        self._seen: dict[str, tuple[int, Job | None]] = {}
        self._failures: dict[str, tuple[int, float]] = {}  # job -> number, when to try again
        self._done = Event()

    def run(self) -> None:
        try:
            while not self._done.is_set():
                self._survive()
                self._done.wait(INTERVAL)
        finally:
            self._leave()

    def stop(self) -> None:
        """Let all jobs go, for other workers, and wait until they are let go."""
        self._done.set()
        if self.is_alive():
            self.join(_PATIENCE + INTERVAL)

    def conductors(self) -> dict[str, int]:
        """Jobs that this worker carries out, and the processes that do."""
        return {name: one.process.pid for name, one in list(self._conductors.items())}

    def _survive(self) -> None:
        """One look; what goes wrong in it (a full disk, a folder removed) may pass."""
        try:
            self._presence.renew()
            self._bury()
            self._look()
        except (DatagenError, OSError) as error:
            log.warning("keeping the jobs in %s: %s", self._jobs.folder, error)

    def _bury(self) -> None:
        """Forget conductors that have ended; note those that failed."""
        for name, one in list(self._conductors.items()):
            status = one.process.poll()
            if status is None:
                continue
            one.close()
            del self._conductors[name]
            if status == 0:
                self._failures.pop(name, None)
                continue
            now, (number, _) = time.monotonic(), self._failures.get(name, (0, 0.0))
            number = 1 if now - one.since > _SOUND else number + 1
            pause = min(_SLOWEST, 2.0**number - 2)  # the first time none: it may have been killed
            self._failures[name] = number, now + pause
            log.warning("the conductor of job %s ended with %d; see %s", name, status, one.job.log)

    def _look(self) -> None:
        """Start a conductor for every job that waits for one, the oldest first."""
        waiting = [job for name in self._jobs.ids() if (job := self._waiting(name)) is not None]
        for job in sorted(waiting, key=lambda job: (job.created, job.id)):
            duty = duty_of(job.verb)
            busy = sum(duty_of(one.job.verb) == duty for one in self._conductors.values())
            if busy < self._at_once[duty] and not job.is_conducted():
                self._conductors[job.id] = self._start(job)

    def _waiting(self, name: str) -> Job | None:
        """The job, where it is unfinished and this worker's."""
        if name in self._conductors or self._failures.get(name, (0, 0.0))[1] > time.monotonic():
            return None
        job = Job(self._jobs.folder / name)
        try:
            written = job.written()
            seen, waiting = self._seen.get(name, (None, None))
            if seen == written:
                return waiting
            waiting = None if job.standing().state.is_final or not self._is_ours(job) else job
        except (DatagenError, FileNotFoundError):
            return None  # damaged, or removed meanwhile
        self._seen[name] = written, waiting
        return waiting

    def _is_ours(self, job: Job) -> bool:
        return duty_of(job.verb) in self._duties and job.broker in (None, self._name)

    def _start(self, job: Job) -> _Conductor:
        theirs, ours = os.pipe()
        try:
            with job.log.open("ab") as log_file:
                process = subprocess.Popen(
                    [sys.executable, "-m", "datagen.jobs.conduct", *_words(job), str(theirs)],
                    pass_fds=(theirs,),
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log_file,
                    stderr=log_file,
                    start_new_session=True,  # Ctrl-C reaches the worker alone
                )
        except OSError:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        log.info("job %s (%s): conductor %d", job.id, job.verb, process.pid)
        return _Conductor(job, process, ours, time.monotonic())

    def _leave(self) -> None:
        for one in self._conductors.values():
            one.close()
        end = time.monotonic() + _PATIENCE
        for one in self._conductors.values():
            try:
                one.process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                one.process.kill()
                one.process.wait()
        self._presence.end()


def _words(job: Job) -> tuple[str, str]:
    return os.path.abspath(job.folder.parent), job.id


def _path() -> str:
    # The whole path: plug-ins may lie where only this process was told to look.
    return os.pathsep.join(entry or os.getcwd() for entry in sys.path)
