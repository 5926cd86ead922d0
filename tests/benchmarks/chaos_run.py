"""One part of a chaos run: jobs one after the other, faults by the plan, and what follows them."""

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from chaos_place import Ballast, Place, Proc, datagen
from chaos_plan import Fault
from chaos_renderer import rendered
from redis.exceptions import RedisError

from datagen.dataset.store import read_json, shards_of
from datagen.errors import InputError
from datagen.jobs.batch import opened
from datagen.jobs.ledger import Job, Jobs, State
from datagen.jobs.markers import index_of, look
from datagen.jobs.work import quoted

_TICK = 0.03  # seconds
_AMID = 20.0  # seconds to wait for a job to make shards; a busy machine takes its time
_VICTIM = 45.0  # seconds to wait for somebody whom a fault can hit
_STUCK = 240.0  # seconds without anything new, and the run is given up
_LATE = 3.0  # seconds for who was stopped to find that all is done, before a dataset is judged
_ODD = 30  # clients that end without a reason, and the run is given up


class Stuck(Exception):
    """Nothing moves any more: a finding, and the end of the run."""


@dataclass
class Hit:
    """A fault that happened, and what followed; seconds since 1970, or since it happened."""

    fault: Fault
    at: float
    job: int
    victims: list[str]
    published: int  # shards of the job at that moment
    begun: frozenset[int] = frozenset()  # shards, by their first image, that were under way
    pieces: frozenset[int] = frozenset()  # those of them that the victims were at
    until: float | None = None  # when it was over, where that took its time
    next: float | None = None  # to the next shard that was published
    fresh: float | None = None  # to the next one that was not under way, or was begun anew
    again: float | None = None  # to the last of `pieces`
    paused: bool | None = None  # a full disk: whether the job noticed

    def to_json(self) -> dict[str, Any]:
        data = asdict(self) | {"fault": None} | asdict(self.fault)
        del data["fault"]
        return data | {"begun": sorted(self.begun), "pieces": sorted(self.pieces)}


@dataclass
class Made:
    """One job's dataset."""

    number: int
    out: Path
    seconds: float
    digest: str = ""
    findings: list[str] = field(default_factory=list)
    lost: int = 0  # images
    twice: int = 0
    torn: int = 0


class Client:
    """Somebody who waits for the job, and comes back when killed."""

    def __init__(self, place: Place, recipe: Path, out: Path) -> None:
        self._place, self._recipe, self.out = place, recipe, out
        self.process: subprocess.Popen[bytes] | None = None
        self.due: float | None = 0.0
        self.words = self._generate()

    def _generate(self, *more: str) -> list[str]:
        words = ["generate", self._recipe, "--out", self.out, "--jobs", self._place.jobs, "--json"]
        return datagen(*words, *more)

    def resume(self, due: float) -> None:
        self.words, self.due = self._generate("--resume"), due

    def about(self, job: Job, *words: str) -> None:
        end = ["--jobs", self._place.jobs, "--json"]
        self.words, self.due = datagen("jobs", words[0], job.id, *words[1:], *end), 0.0

    @property
    def is_retry(self) -> bool:
        return "retry" in self.words

    @property
    def is_back(self) -> bool:
        return "--resume" in self.words

    def start(self) -> None:
        folder, self.due = self._place.folder, None
        with (folder / "client.out").open("wb") as out, (folder / "client.err").open("wb") as err:
            self.process = subprocess.Popen(
                self.words,
                env=self._place.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def kill(self, rest: float) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None
        self.resume(time.time() + rest)

    def ended(self) -> int | None:
        """Its exit code, once."""
        code = self.process.poll() if self.process is not None else None
        if code is not None:
            self.process = None
        return code

    def said(self) -> tuple[str, str]:
        folder = self._place.folder
        texts = [(folder / name).read_text(errors="replace") for name in _SAID]
        return texts[0], texts[1]


_SAID = ("client.out", "client.err")


class Run:
    """The faults of one place, in their order; jobs follow one another until all have happened."""

    def __init__(
        self,
        place: Place,
        recipe: Path,
        clean: Path,
        digest: str,
        faults: Sequence[Fault],
        end: float,
    ) -> None:
        """`clean` is the dataset that nothing disturbed; after `end` no fault happens any more."""
        self.place, self._recipe, self._clean, self._digest = place, recipe, clean, digest
        self._left, self._end = list(faults), end
        about = read_json(clean / "recipe.json")
        self._shards = [s.start for s in shards_of(about["count"], about["shard_size"])]
        self._names = {s.start: s.name for s in shards_of(about["count"], about["shard_size"])}
        self.hits: list[Hit] = []
        self.missed: list[Fault] = []  # nobody was there whom they could have hit
        self.made: list[Made] = []
        self.findings: list[str] = []
        self.retries: Counter[str] = Counter()
        self.quarantined = 0
        self.published = 0  # images
        self._stopped: list[tuple[Proc, float, Hit]] = []
        self._full: tuple[Ballast, float, Hit] | None = None
        self._due = 0.0
        self._checks: list[tuple[Made, float]] = []
        self._check: tuple[Made, subprocess.Popen[bytes]] | None = None
        self._seen: dict[int, float] = {}  # shard -> when it was published
        self._moved = time.time()
        self._odd = 0
        self._last_state = 0.0
        self._job: Job | None = None
        self._state: State | None = None

    def __call__(self) -> None:
        self.place.start()
        self._due = time.time() + (self._left[0].gap if self._left else 0.0)
        number = 0
        while number == 0 or self._left or self._stopped or self._full:
            self._carry_out(number)
            number += 1
        while self._checks or self._check:
            self._step()
        left = self.place.end()
        if left:
            self.findings.append(f"{left} processes outlived the workers")

    @property
    def forced(self) -> int:
        """Workers that did not end within a minute of SIGTERM, and were killed."""
        return sum(worker.forced for worker in self.place.workers)

    @property
    def rendered(self) -> int:
        return rendered(self.place.tally)

    # --------------------------------------------------------------------------------------- jobs

    def _carry_out(self, number: int) -> None:
        """One job from its submission to its last shard, with whatever happens meanwhile."""
        out, began = self.place.disk / "data" / str(number), time.time()
        out.parent.mkdir(exist_ok=True)
        self._client, self._seen, self._job, self._state = (
            Client(self.place, self._recipe, out), {}, None, None,
        )  # fmt: skip
        self._number, self._moved = number, began
        while True:
            self._step(active=True)
            if self._client.due is not None and time.time() >= self._client.due:
                self._start_client()
            code = self._client.ended()
            if code is None:
                continue
            digest = self._heard(code)
            if digest is not None:
                break
        made = Made(number, out, time.time() - began, digest)
        self._settle_all(time.time())
        self.made.append(made)
        self.published += len(self._seen) and _count(out)
        late = max([until for _, until, _ in self._stopped], default=0.0)
        self._checks.append((made, max(late, time.time()) + _LATE))

    def _start_client(self) -> None:
        """Who comes back finds that the job goes on, or sends it on."""
        self._look_at_job(force=True)
        if not (self._client.is_back and self._send_on()):
            self._client.start()

    def _send_on(self) -> bool:
        """Have a job that ended without being done go on; False where there is none."""
        job, state = self._job, self._state
        if job is None or state is None or state is State.DONE or not state.is_final:
            return False
        if self._full is None:
            self.retries[str(state)] += 1
            self.quarantined += len(list(self._client.out.glob("quarantine/*.json")))
            self._client.about(job, "retry")
        else:  # who retries has made room first
            self._client.about(job, "show", "--follow")
            self._client.due = time.time() + 0.5
        return True

    def _heard(self, code: int) -> str | None:
        """What a client's end means; the dataset's digest when the job is done."""
        out, err = self._client.said()
        self._look_at_job(force=True)
        if code == 0 and self._client.is_retry:
            assert self._job is not None
            self._client.about(self._job, "show", "--follow")
            return None
        if code == 0:
            return str(json.loads(out)["dataset_digest"])
        if self._send_on():
            return None
        if self._full is None:
            self._odd += 1
            self.findings.append(f"a client ended with {code}: {err[-400:]}")
        if self._odd > _ODD:
            raise Stuck(f"clients end again and again: {err[-400:]}")
        self._client.resume(time.time() + 1)
        return None

    def _look_at_job(self, *, force: bool = False) -> None:
        """The newest job that writes to the folder at hand, and how it stands."""
        now = time.time()
        if not force and now - self._last_state < 0.3:
            return
        self._last_state = now
        with suppress(InputError, OSError):
            ours = quoted(self._client.out.resolve())
            found = [j for j in Jobs(self.place.jobs).all() if j.arguments.get("out") == ours]
            if found:
                self._job = found[-1]
                state = self._job.standing().state
                if state is not self._state:
                    self._state, self._moved = state, now

    # --------------------------------------------------------------------------------------- time

    def _step(self, *, active: bool = False) -> None:
        time.sleep(_TICK)
        now = time.time()
        self.place.tick(now)
        self._resume(now)
        self._make_room(now)
        self._judge(now)
        if active:
            self._look_at_job()
            self._look_at_shards()
            if self._left and now >= self._end:
                self._left.clear()
            if self._left and now >= self._due:
                self._happen(now)
            if now - max(self._moved, self._due if self._left else 0.0) > _STUCK:
                raise Stuck(f"nothing new for {_STUCK:.0f} s in job {self._number}: {self._state}")

    def _resume(self, now: float) -> None:
        for entry in list(self._stopped):
            one, until, hit = entry
            if now >= until or not one.is_here:
                one.send(signal.SIGCONT)
                hit.until = now - hit.at
                self._moved = now
                self._stopped.remove(entry)

    def _make_room(self, now: float) -> None:
        if self._full is None:
            return
        ballast, until, hit = self._full
        hit.paused = bool(hit.paused or self._state is State.PAUSED)
        if now < until and not hit.paused:
            ballast.grow()
            return
        ballast.remove()
        hit.until, self._full, self._moved = now - hit.at, None, now

    # ------------------------------------------------------------------------------------- shards

    def _look_at_shards(self) -> None:
        """See what was published since the last look, and that each is whole at first sight."""
        folder = self._client.out / "shards"
        with suppress(FileNotFoundError), os.scandir(folder) as entries:
            new = [e for e in entries if int(e.name.partition("-")[0]) not in self._seen]
            # The rename stamps it; our look is late by up to a tick, or by what we waited for.
            found = sorted((e.stat().st_ctime, int(e.name.partition("-")[0])) for e in new)
            for when, start in found:
                self._seen[start] = when
                name = self._names[start]
                if not _same(self._clean / "shards" / name, folder / name):
                    self.findings.append(f"shard {name} of job {self._number} is torn when shown")
            if found:
                self._moved = time.time()
                self._settle()

    def _settle(self) -> None:
        """Note for each fault of this job what has followed by now."""
        for hit in self._open():
            after = {start: when for start, when in self._seen.items() if when > hit.at}
            if after and hit.next is None:
                hit.next = min(after.values()) - hit.at
            fresh = [when for start, when in after.items() if start not in hit.begun - hit.pieces]
            if fresh and hit.fresh is None:
                hit.fresh = min(fresh) - hit.at
            if hit.pieces and hit.again is None and hit.pieces <= self._seen.keys():
                hit.again = max(0.0, max(self._seen[start] for start in hit.pieces) - hit.at)

    def _settle_all(self, now: float) -> None:
        """The end of the job is what follows faults that no shard follows."""
        self._look_at_shards()
        self._settle()
        for hit in self._open():
            hit.next = hit.next or now - hit.at
            hit.fresh = hit.fresh or now - hit.at

    def _open(self) -> list[Hit]:
        return [hit for hit in self.hits if hit.job == self._number]

    # ------------------------------------------------------------------------------------- faults

    def _happen(self, now: float) -> None:
        """The next fault, when there is somebody whom it can hit."""
        fault = self._left[0]
        self._look_at_shards()
        if fault.amid and not self._is_amid() and now - self._due < _AMID:
            return
        if not self._hit(fault) and now - self._due < _VICTIM:
            return
        self._left.pop(0)
        if not self.hits or self.hits[-1].fault is not fault:
            self.missed.append(fault)
        if self._left:
            self._due = time.time() + self._left[0].gap

    def _is_amid(self) -> bool:
        """Whether the job makes shards, also after the last fault, and has more to make."""
        last = self.hits[-1].at if self.hits else 0.0
        return max(self._seen.values(), default=0.0) > last and len(self._seen) < len(self._shards)

    def _hit(self, fault: Fault) -> bool:
        place, seconds = self.place, fault.seconds
        kind = fault.kind
        if kind == "kill client":
            if self._client.process is None:
                return False
            return self._did(fault, "client", lambda: self._client.kill(seconds))
        if kind == "flush":
            redis = place.redis()
            if redis is None:
                return False
            with redis:
                return self._did(fault, "broker", redis.flushall)
        if kind == "disk full":
            return self._fill(fault)
        if kind == "kill all":
            return self._kill_all(fault)
        if kind.endswith("broker"):
            return self._broker(fault)
        if kind.endswith("worker"):
            return self._worker(fault)
        found = place.children() if kind.endswith("child") else place.conductors()
        one = self._chosen(found, fault)
        if one is None:
            return False
        if kind.startswith("stop"):
            return self._stop(fault, one, [one])
        return self._did(fault, one, lambda: one.send(signal.SIGKILL), [one])

    def _chosen(self, found: Sequence[Proc], fault: Fault) -> Proc | None:
        """One of them that is not stopped already."""
        stopped = {one.pid for one, _, _ in self._stopped}
        free = sorted((one for one in found if one.pid not in stopped), key=lambda one: one.pid)
        return free[int(fault.pick * len(free))] if free else None

    def _worker(self, fault: Fault) -> bool:
        place = self.place
        pids = place.parents()
        one = self._chosen([one for one in place.all() if one.pid in pids], fault)
        if one is None:
            return False
        (service,) = [w for w in place.workers if w.process and w.process.pid == one.pid]
        hands = place.children([one.pid])
        if service.kill_at is not None and fault.kind != "kill worker":
            return False  # it is about to end
        if fault.kind == "stop worker":
            return self._stop(fault, one, [])
        if fault.kind == "kill worker":
            return self._did(fault, one, lambda: service.kill(fault.seconds), hands)
        return self._did(fault, one, lambda: service.term(fault.seconds))

    def _broker(self, fault: Fault) -> bool:
        place = self.place
        one = self._chosen(place.brokers(), fault)
        if one is None:
            return False
        if fault.kind == "stop broker":
            return self._stop(fault, one, [])
        is_emptied = fault.kind == "empty broker"

        def kill() -> None:
            if place.broker is not None:
                place.broker.before_start = place.forget if is_emptied else lambda: None
                place.broker.kill(fault.seconds)
            else:
                one.send(signal.SIGKILL)
                if is_emptied:
                    place.forget()

        return self._did(fault, one, kill)

    def _stop(self, fault: Fault, one: Proc, hands: Sequence[Proc]) -> bool:
        self._did(fault, one, lambda: one.send(signal.SIGSTOP), hands)
        self._stopped.append((one, time.time() + fault.seconds, self.hits[-1]))
        return True

    def _fill(self, fault: Fault) -> bool:
        if self._full is not None or self._state is not State.RUNNING or not self._seen:
            return False
        ballast = Ballast(self.place.disk)
        self._did(fault, "disk", ballast.grow)
        self._full = ballast, time.time() + fault.seconds, self.hits[-1]
        return True

    def _kill_all(self, fault: Fault) -> bool:
        """As when the machine's power fails, but for its memory of what was written."""
        place = self.place
        found = [one for one in place.all() if "verify" not in one.command]
        hands = place.children()

        def kill() -> None:
            for one in found:
                one.send(signal.SIGKILL)
            for service in (place.broker, *place.workers):
                if service is not None and service.process is not None:
                    service.kill(fault.seconds)
            if self._client.process is not None:
                self._client.kill(fault.seconds)

        return self._did(fault, "all", kill, hands)

    def _did(
        self, fault: Fault, whom: Proc | str, act: Callable[[], object], hands: Sequence[Proc] = ()
    ) -> bool:
        """Do it, and remember how things stood."""
        begun, pieces = self._under_way({one.pid for one in hands})
        name = whom if isinstance(whom, str) else f"{whom.pid} {whom.command[:80].strip()}"
        hit = Hit(
            fault, time.time(), self._number, [name], len(self._seen), begun, pieces,
        )  # fmt: skip
        try:
            act()
        except (RedisError, ProcessLookupError):
            return False  # it went away just now
        self.hits.append(hit)
        return True

    def _under_way(self, pids: set[int]) -> tuple[frozenset[int], frozenset[int]]:
        """Shards that somebody is at, and those of them that these processes are at."""
        begun, theirs = set[int](), set[int]()
        if self._job is None:
            return frozenset(), frozenset()
        for folder in self._job.folder.glob("batches/*/attempts"):
            with suppress(InputError, OSError, ValueError):
                batch = opened(self.place.jobs, self._job.id, int(folder.parent.name))
                for path in folder.iterdir():
                    seen, index = look(path), index_of(path.name)
                    if seen is None or index is None or seen.who is None or seen.is_gone:
                        continue
                    start = batch.payload(index)["start"]
                    begun.add(start)
                    if seen.who.pid in pids:
                        theirs.add(start)
        return frozenset(begun - self._seen.keys()), frozenset(theirs - self._seen.keys())

    # ------------------------------------------------------------------------------------ judging

    def _judge(self, now: float) -> None:
        """`datagen verify`, and every byte beside those that nothing disturbed."""
        if self._check is None and self._checks and now >= self._checks[0][1] and not self._full:
            made = self._checks.pop(0)[0]
            self._check = made, self._verify(made)
        if self._check is not None and self._check[1].poll() is not None:
            made, process = self._check
            self._check = None
            if process.returncode:
                said = (self.place.folder / f"verify-{made.number}").read_text()
                made.findings.append(f"verify ends with {process.returncode}: {said[-400:]}")
            if made.digest != self._digest:
                made.findings.append("another digest")
            compare(self._clean, made)
            self.findings += [f"job {made.number}: {text}" for text in made.findings]
            if not made.findings:
                subprocess.run(["rm", "-rf", str(made.out)], check=False)

    def _verify(self, made: Made) -> subprocess.Popen[bytes]:
        with (self.place.folder / f"verify-{made.number}").open("wb") as out:
            return subprocess.Popen(
                ["nice", "-n", "5", *datagen("verify", made.out, "--json")],
                env=self.place.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )


def _count(out: Path) -> int:
    return len(read_json(out / "annotations.json")["images"])


def _same(one: Path, two: Path) -> bool:
    names = sorted(path.name for path in one.iterdir())
    try:
        if sorted(path.name for path in two.iterdir()) != names:
            return False
        return all((one / name).read_bytes() == (two / name).read_bytes() for name in names)
    except FileNotFoundError:
        return False


def compare(clean: Path, made: Made) -> None:
    """Note what differs from the dataset that nothing disturbed."""
    ours, theirs = _paths(made.out), _paths(clean)
    pictures = {name for name in theirs if name.endswith(".png")}
    made.lost = len(pictures - ours)
    made.twice = sum(name.endswith(".png") for name in ours - theirs)
    ids = [image["id"] for image in read_json(made.out / "annotations.json")["images"]]
    made.twice += len(ids) - len(set(ids))
    made.findings += [f"{name} is not there" for name in sorted(theirs - ours)[:5]]
    made.findings += [f"{name} is too much" for name in sorted(ours - theirs)[:5]]
    files = [name for name in ours & theirs if (clean / name).is_file()]
    other = [n for n in files if (clean / n).read_bytes() != (made.out / n).read_bytes()]
    made.torn = sum(name.endswith(".png") for name in other)
    made.findings += [f"{name} differs" for name in sorted(other)[:5]]


def _paths(folder: Path) -> set[str]:
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    return {name for name in found if name != ".lock"}
