"""What starts a process of a chaos run again when it has ended, as systemd would."""

import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_TERM = 60.0  # seconds after SIGTERM until SIGKILL, as TimeoutStopSec in docs/deploy


class Service:
    """A process that is started again `rest` seconds after its end."""

    def __init__(self, command: Sequence[object], env: Mapping[str, str], log: Path) -> None:
        self._command, self._env, self._log = [str(word) for word in command], dict(env), log
        self.process: subprocess.Popen[bytes] | None = None
        self.rest = 1.0
        self.due: float | None = 0.0  # when to start; None while it runs, or shall not run
        self.kill_at: float | None = None  # it was asked to end, and has until then
        self.forced = 0  # how often that was not enough
        self.before_start = lambda: None

    def tick(self, now: float) -> None:
        if self.process is not None and self.process.poll() is not None:
            self.process, self.kill_at = None, None
            self.due = now + self.rest
            self.rest = 1.0
        if self.process is not None and self.kill_at is not None and now >= self.kill_at:
            self.forced += 1
            self.kill_at = None
            self.process.kill()
        if self.process is None and self.due is not None and now >= self.due:
            self.due = None
            self.before_start()
            self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches the run alone
            )

    def kill(self, rest: float) -> None:
        assert self.process is not None
        self.rest = rest
        self.process.kill()
        self.process.wait()

    def term(self, rest: float) -> None:
        assert self.process is not None
        self.rest, self.kill_at = rest, time.time() + _TERM
        self.process.terminate()

    def end(self) -> None:
        """For good, in order."""
        self.due = None
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(_TERM)
            except subprocess.TimeoutExpired:
                self.forced += 1
                self.process.kill()
                self.process.wait()
            self.process = None
