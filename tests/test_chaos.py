"""A short chaos run: everything is killed, stopped or filled once, and the dataset is the same.

The long one is tests/benchmarks/chaos.py; its figures are in docs/results-chaos.md.
"""

import json
import os
import shutil
import subprocess
import sys

import pytest
from brokers import wait_for
from faulty import ROOT

SCRIPT = ROOT / "tests" / "benchmarks" / "chaos.py"
# With this seed what is hit is down for 10 s in all (16 s with the seed 0), and 10 of the 13 faults
# come while shards are made (7).
SHORT = {"seed": 180, "gap": 0.8, "longest": 3, "count": 180, "shard": 12, "pause": 0.03}
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def command(out, **options):
    words = [sys.executable, SCRIPT, out, "--page", out.parent / "page.md"]
    words += [f"--{name}={value}" for name, value in (SHORT | options).items()]
    return [*map(str, words)]


def chaos(out, **options):
    words = command(out, **options)
    return subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, timeout=600)


def processes_at(folder):
    """Whoever was started for a run in this folder."""
    found = []
    for entry in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/cmdline") as file:
                found += [entry] if str(folder) in file.read() else []
        except OSError:
            continue
    return found


@pytest.mark.slow
def test_whatever_is_killed_no_image_is_lost_made_twice_or_torn(tmp_path):
    out = tmp_path / "run"
    done = chaos(out, faults=13)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((out / "result.json").read_text())
    assert result["findings"] == []
    hits = [json.loads(line) for line in (out / "faults.jsonl").read_text().splitlines()]
    missed = [fault["number"] for part in result["parts"] for fault in part["missed"]]
    assert len(hits) >= 10
    assert sorted([hit["number"] for hit in hits] + missed) <= list(range(13))
    assert all(hit["next"] is not None for hit in hits)
    made = [one for part in result["parts"] for one in part["made"]]
    assert len({one["digest"] for one in made}) == 1
    assert [(one["lost"], one["twice"], one["torn"]) for one in made] == [(0, 0, 0)] * len(made)
    assert "| images lost | 0 | 0 of" in (tmp_path / "page.md").read_text()
    assert processes_at(out) == []
    assert not os.path.ismount(out / "deployed-disk")


@pytest.mark.slow
def test_a_run_that_is_killed_leaves_nothing_behind(tmp_path):
    out = tmp_path / "run"
    run = subprocess.Popen(command(out, faults=13, count=12), env=ENVIRONMENT)
    try:
        # Its disk is full of jobs, and its workers are at them.
        wait_for(lambda: (out / "deployed" / "client.out").exists())
    finally:
        run.kill()
        run.wait()
    wait_for(lambda: processes_at(out) == [], seconds=20)
    shutil.rmtree(out)  # which what is mounted there would not let happen


def test_a_run_uses_nothing_that_is_there(tmp_path):
    (tmp_path / "run").mkdir()
    done = chaos(tmp_path / "run")
    assert done.returncode != 0
    assert "is there already" in done.stderr
    assert list((tmp_path / "run").iterdir()) == []
