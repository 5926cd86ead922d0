"""The queue without a broker: whatever order things happen in, each payload is done, and reported.

One process plays all parts, so that a failure can be replayed: the conductor by rounds, workers
that are killed at chosen places, a Redis that loses, doubles and delays, and the clocks.
"""

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from datagen.files import write_atomic
from datagen.jobs import markers, work
from datagen.jobs.attending import Attendant
from datagen.jobs.batch import Batch, begin
from datagen.jobs.executors import ATTEMPTS
from datagen.jobs.queue import Line, Queue, Run

JOB = "abcdefghij01"
COUNT = 4
POISON = 2  # this payload kills whoever is at it
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
PLACES = ("begun", "half done", "published", "reported")


class Killed(BaseException):
    """The process ends here; nothing that it would do at its end is done."""


class World:
    """What the parts share: the folder, Redis, the clock, and which processes live."""

    def __init__(self, folder: Path) -> None:
        self.jobs, self.out = folder / "jobs", folder / "out"
        (self.jobs / JOB).mkdir(parents=True)
        self.out.mkdir()
        self.redis: list[tuple[str, int, int]] = []
        self.now = 1000.0
        self.me = 1  # process id of who acts
        self.dead: set[int] = set()
        self.place: str | None = None  # at which who acts is killed
        self.poisoned = 0  # how often the poison was begun in this batch

    def kill_at(self, place: str) -> None:
        if self.place == place:
            self.dead.add(self.me)
            raise Killed

    def post(self) -> SimpleNamespace:
        return SimpleNamespace(
            send=lambda queue, message: self.redis.append(message),
            waiting=lambda queue: (set(self.redis), set()),
        )

    @contextmanager
    def patched(self):
        """Processes and their ends are played; files are real."""
        who = {"host": "here", "machine": "m", "born": "b"}
        world, remove, report = self, markers.Marker.remove, Batch.report

        def me():
            return {**who, "pid": world.me}

        def removed(marker):
            if world.me in world.dead:
                os.close(marker._handle)
            else:
                remove(marker)

        def reported(batch, index, what):
            report(batch, index, what)
            world.kill_at("reported")

        with (
            mock.patch.object(os, "fsync"),  # power is not lost here
            mock.patch.object(markers, "_me", me),
            mock.patch.object(markers, "_machine", return_value="m"),
            mock.patch.object(markers, "_born", lambda pid: "" if pid in world.dead else "b"),
            mock.patch.object(markers.Marker, "remove", removed),
            mock.patch.object(Batch, "report", reported),
            mock.patch.dict(work.WORK, {"play": f"{__name__}:playing"}),
        ):
            yield


world: World  # of the example that runs


@contextmanager
def playing():
    """A work function that publishes one file, as all of ours do: what is there is left alone."""

    def run(payload, progress):
        k = payload["k"]
        if k == POISON:
            world.place = "half done"
            world.poisoned += 1
        world.kill_at("begun")
        if not (world.out / str(k)).exists():
            world.kill_at("half done")
            progress(1)
            write_atomic(world.out / str(k), f"made {k}")
        world.kill_at("published")
        return {"k": k}

    yield run


class Play(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        global world
        self.folder = Path(tempfile.mkdtemp(prefix="datagen-play-", dir=MEMORY))
        world = self.world = World(self.folder)
        self.patches = self.world.patched()
        self.patches.__enter__()
        self.next_pid, self.doubled = 1, False
        self.reports: dict[int, dict] = {}
        self.conduct()

    def conduct(self) -> None:
        """A conductor begins, maybe after another one was killed."""
        self.reports.clear()
        self.seen = set()
        self.world.poisoned = 0
        self.left = [k for k in range(COUNT) if not (self.world.out / str(k)).exists()]
        payloads = [{"k": k} for k in self.left]
        asked = Queue("redis://nowhere", self.world.jobs, JOB, lambda payload, done: None)
        self.batch = begin(self.world.jobs, JOB, "play", payloads, asked.session)
        line = Line(self.world.post())
        self.run = Run(asked, self.batch, payloads, line, None, lambda: self.world.now)

    @rule()
    def from_now_on_all_comes_twice(self) -> None:
        self.doubled = True

    @rule()
    def conductor_dies(self) -> None:
        self.conduct()

    @rule()
    def round(self) -> None:
        for report in self.run.round():
            k = report["payload"]["k"]
            assert k not in self.reports, "reported twice"
            self.reports[k] = report

    @rule(place=st.sampled_from((None, None, *PLACES)), which=st.integers(0, 9))
    def work(self, place: str | None, which: int) -> None:
        """A worker takes a message, not always the oldest; it may be killed on the way."""
        if not self.world.redis:
            return
        message = self.world.redis.pop(which % len(self.world.redis))
        if self.doubled and message not in self.seen:
            self.world.redis.append(message)
        self.seen.add(message)
        self.next_pid += 1
        self.world.me, self.world.place = self.next_pid, place
        try:
            Attendant(self.world.jobs).attend(message, {})
        except Killed:
            pass
        finally:
            self.world.place = None

    @rule()
    def all_goes_well_for_a_while(self) -> None:
        for _ in range(3):
            self.work(None, 0)
            self.round()

    @rule(which=st.integers(0, 9))
    def a_message_comes_twice(self, which: int) -> None:
        if self.world.redis:
            self.world.redis.append(self.world.redis[which % len(self.world.redis)])

    @rule(which=st.integers(0, 9))
    def a_message_is_lost(self, which: int) -> None:
        if self.world.redis:
            self.world.redis.pop(which % len(self.world.redis))

    @rule()
    def redis_loses_everything(self) -> None:
        self.world.redis.clear()

    @rule(seconds=st.sampled_from((0.5, 3, 40)))
    def time_goes_by(self, seconds: float) -> None:
        self.world.now += seconds
        for marker in self.batch.attempts.iterdir():  # of the dead, for the others are done
            changed = marker.stat().st_mtime_ns - int(seconds * 1e9)
            os.utime(marker, ns=(changed, changed))

    @invariant()
    def what_is_published_is_whole(self) -> None:
        for path in self.world.out.iterdir():
            assert path.read_text() == f"made {path.name}"
        assert self.world.poisoned <= ATTEMPTS

    def teardown(self) -> None:
        """When nothing happens to it any more, everything comes to an end."""
        try:
            for _ in range(200):
                if self.run.is_over:
                    break
                self.round()
                self.work(None, 0)
                self.time_goes_by(1.0)
            assert self.run.is_over
            assert sorted(self.reports) == self.left
            for k, report in self.reports.items():
                if "error" in report:
                    assert report["error"]["message"] == f"its process died {ATTEMPTS} times"
                else:
                    assert (self.world.out / str(k)).exists()
            assert "error" in self.reports[POISON]
            assert not (self.world.out / str(POISON)).exists()
            self.batch.close()
        finally:
            self.patches.__exit__(None, None, None)
            shutil.rmtree(self.folder)


Play.TestCase.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
TestPlay = Play.TestCase
