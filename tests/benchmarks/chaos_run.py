"""One part of a chaos run: jobs one after the other, faults by the plan, and what follows them."""

import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from chaos_client import Client
from chaos_faults import Faults
from chaos_hit import Hit
from chaos_job import AtHand
from chaos_judge import Judge, Made
from chaos_place import Place
from chaos_plan import Fault
from chaos_renderer import rendered

from datagen.dataset.store import read_json
from datagen.jobs.ledger import State

_TICK = 0.03  # seconds
_AMID = 20.0  # seconds to wait for a job to make shards; a busy machine takes its time
_VICTIM = 45.0  # seconds to wait for somebody whom a fault can hit
_STUCK = 240.0  # seconds without anything new, and the run is given up
_LATE = 3.0  # seconds for who was stopped to find that all is done, before a dataset is judged
_ODD = 30  # clients that end without a reason, and the run is given up


class Stuck(Exception):
    """Nothing moves any more: a finding, and the end of the run."""


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
        self.place, self._recipe, self._clean = place, recipe, clean
        self._left, self._end = list(faults), end
        self.missed: list[Fault] = []  # nobody was there whom they could have hit
        self.made: list[Made] = []
        self.findings: list[str] = []
        self.retries: Counter[str] = Counter()
        self.quarantined = 0
        self.published = 0  # images
        self._faults = Faults(place)
        self._judge = Judge(place, clean, digest, self.findings.append)
        self._job: AtHand
        self._due = 0.0
        self._odd = 0

    def __call__(self) -> None:
        self.place.start()
        self._due = time.time() + (self._left[0].gap if self._left else 0.0)
        number = 0
        while number == 0 or self._left or not self._faults.are_over:
            self._carry_out(number)
            number += 1
        while not self._judge.is_over:
            self._step()
        left = self.place.end()
        if left:
            self.findings.append(f"{left} processes outlived the workers")

    @property
    def hits(self) -> list[Hit]:
        return self._faults.hits

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
        client = Client(self.place, self._recipe, out)
        self._job = AtHand(number, self.place, client, self._clean, self.findings.append)
        self._faults.turn_to(self._job)
        while True:
            self._step(active=True)
            if client.due is not None and time.time() >= client.due:
                self._start_client()
            code = client.ended()
            if code is None:
                continue
            digest = self._heard(code)
            if digest is not None:
                break
        made = Made(number, out, time.time() - began, digest)
        self._settle_all(time.time())
        self.made.append(made)
        self.published += len(self._job.seen) and _count(out)
        self._judge.expect(made, self._faults.last_stop + _LATE)

    def _start_client(self) -> None:
        """Who comes back finds that the job goes on, or sends it on."""
        self._job.look(force=True)
        if not (self._job.client.is_back and self._send_on()):
            self._job.client.start()

    def _send_on(self) -> bool:
        """Have a job that ended without being done go on; False where there is none."""
        client, job, state = self._job.client, self._job.job, self._job.state
        if job is None or state is None or state is State.DONE or not state.is_final:
            return False
        if not self._faults.is_full:
            self.retries[str(state)] += 1
            self.quarantined += len(list(client.out.glob("quarantine/*.json")))
            client.about(job, "retry")
        else:  # who retries has made room first
            client.about(job, "show", "--follow")
            client.due = time.time() + 0.5
        return True

    def _heard(self, code: int) -> str | None:
        """What a client's end means; the dataset's digest when the job is done."""
        client = self._job.client
        out, err = client.said()
        self._job.look(force=True)
        if code == 0 and client.is_retry:
            assert self._job.job is not None
            client.about(self._job.job, "show", "--follow")
            return None
        if code == 0:
            return str(json.loads(out)["dataset_digest"])
        if self._send_on():
            return None
        if not self._faults.is_full:
            self._odd += 1
            self.findings.append(f"a client ended with {code}: {err[-400:]}")
        if self._odd > _ODD:
            raise Stuck(f"clients end again and again: {err[-400:]}")
        client.resume(time.time() + 1)
        return None

    # --------------------------------------------------------------------------------------- time

    def _step(self, *, active: bool = False) -> None:
        time.sleep(_TICK)
        now, job = time.time(), self._job
        self.place.tick(now)
        self._faults.end_due(now)
        self._judge.look(now, is_full=self._faults.is_full)
        if active:
            job.look()
            self._look_at_shards()
            if self._left and now >= self._end:
                self._left.clear()
            if self._left and now >= self._due:
                self._happen(now)
            if now - max(job.moved, self._due if self._left else 0.0) > _STUCK:
                raise Stuck(f"nothing new for {_STUCK:.0f} s in job {job.number}: {job.state}")

    def _happen(self, now: float) -> None:
        """The next fault, when there is somebody whom it can hit."""
        fault = self._left[0]
        self._look_at_shards()
        last = self.hits[-1].at if self.hits else 0.0
        if fault.amid and not self._job.is_amid(last) and now - self._due < _AMID:
            return
        happened = self._faults.begin(fault)
        if not happened and now - self._due < _VICTIM:
            return
        self._left.pop(0)
        if not happened:
            self.missed.append(fault)
        if self._left:
            self._due = time.time() + self._left[0].gap

    def _look_at_shards(self) -> None:
        """See what was published, and which faults it follows."""
        if self._job.look_at_shards():
            self._settle()

    def _settle(self) -> None:
        for hit in self._faults.of(self._job.number):
            hit.settle(self._job.seen)

    def _settle_all(self, now: float) -> None:
        """The job is at its end."""
        self._look_at_shards()
        self._settle()
        for hit in self._faults.of(self._job.number):
            hit.close(now)


def _count(out: Path) -> int:
    return len(read_json(out / "annotations.json")["images"])
