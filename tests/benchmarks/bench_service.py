"""What a server costs while many ask: how long they wait, and what it takes from who renders.

Run: python -m pytest -q -s tests/benchmarks/bench_service.py

1,000 jobs lie in the folder: ended ones, of which a server keeps what it has read, or ones that
wait for workers elsewhere, which it looks at anew four times a second. 200 clients, in a process of
their own, each ask once a second how one of them stands, now and then for the first page of the
list, over connections that are kept. A job of one process renders meanwhile; the same job without
clients is what it is held against. All share the machine's cores, the clients too.
"""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import numpy as np
import pytest
from servers import server
from service_crowd import CLIENTS

from datagen.jobs.ledger import Job, Jobs, Standing, State

CROWD = Path(__file__).with_name("service_crowd.py")
JOBS = 1000
IMAGES = 6000  # aerial: about a minute of one core
PAIRS = 2
SLOWEST, LEAST = 0.100, 0.9  # s at the 99 % quantile; of the speed alone


@pytest.mark.parametrize("state", [State.DONE, State.QUEUED])
def test_many_ask_and_a_job_renders_as_before(tmp_path, state):
    lie_there(Jobs(tmp_path / "home" / "jobs"), state)
    ratios, waits = [], []
    with server(tmp_path / "home", "--workers", "1") as one:
        for _ in range(PAIRS):
            alone, _ = rendered(one.url)
            beside, found = rendered(one.url, asking=True)
            ratios.append(beside / alone)
            waits += found
    spread = np.quantile(waits, [0.5, 0.95, 0.99, 1.0]) * 1000
    names = ("median", "95 %", "99 %", "slowest")
    told = ", ".join(f"{name} {value:.1f}" for name, value in zip(names, spread, strict=True))
    sys.stdout.write(
        f"\n{len(waits)} answers to {CLIENTS} clients about {JOBS} {state} jobs, ms: {told}\n"
        f"speed of a job beside them / alone: {', '.join(f'{ratio:.3f}' for ratio in ratios)}\n"
    )
    assert spread[2] < 1000 * SLOWEST
    assert statistics.median(ratios) >= LEAST


def lie_there(jobs: Jobs, state: State) -> None:
    for _ in range(JOBS):
        job: Job = jobs.make("generate", {"out": "somewhere"}, "elsewhere", by="others", request="")
        if state.is_final:
            job.write(Standing(state, time.time(), exit_code=0))
        job.write_progress({"done": 10, "total": 10})


def rendered(url: str, *, asking: bool = False) -> tuple[float, list[float]]:
    """Images a second of a job, from its first to its last; and how long clients waited, s."""
    order = {"verb": "generate", "world": {"recipe": "aerial"}, "count": IMAGES}
    with httpx2.Client(base_url=url) as client:
        name = client.post("/api/v1/jobs", json=order, timeout=60).raise_for_status().json()["id"]
        while not done(client, name):
            time.sleep(0.1)
        began, first = time.monotonic(), done(client, name)
        crowd = None
        if asking:
            command = [sys.executable, str(CROWD), url]
            crowd = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        while (now := done(client, name)) < IMAGES:
            time.sleep(0.5)
        rate = (now - first) / (time.monotonic() - began)
        waits = json.loads(crowd.communicate(b"")[0]) if crowd is not None else []
    return rate, waits


def done(client: httpx2.Client, name: str) -> int:
    return client.get(f"/api/v1/jobs/{name}").json()["progress"]["done"]
