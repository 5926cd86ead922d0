"""Work and executors: plain data in and out, the same reports here and in processes."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faulty import ROOT, TESTS, write_recipe

from datagen import recipe
from datagen.dataset import store
from datagen.decoding import decode
from datagen.errors import InputError
from datagen.jobs.crew import ONE_THREAD, Member
from datagen.jobs.executors import InProcess, Local, Processes
from datagen.jobs.making import ShardJob, shard_payloads
from datagen.jobs.work import find


def begin(folder, text="count = 6\nshard_size = 2", **renderer):
    """A dataset folder with its recipe, and one payload for each shard."""
    loaded = recipe.load(write_recipe(folder / "r", text, **renderer))
    out = folder / "d"
    out.mkdir()
    (out / "recipe.json").write_text(json.dumps(loaded.encode()))
    shards = store.shards_of(loaded.count, loaded.shard_size)
    return out, shard_payloads(out, shards)


def ignore(payload, done):
    pass


def reports_of(executor, payloads, here=None):
    with executor.open("make_shard") as hands:
        return list(hands.run(payloads, here))


EXECUTORS = [InProcess(ignore), Processes(2, ignore)]


@pytest.mark.parametrize("executor", EXECUTORS, ids=["here", "processes"])
def test_every_payload_is_answered_once(tmp_path, executor):
    _, payloads = begin(tmp_path)
    reports = reports_of(executor, payloads)
    key = lambda report: report["payload"]["start"]  # noqa: E731
    assert [r["payload"] for r in sorted(reports, key=key)] == payloads
    assert all(
        r["result"] == {"start": r["payload"]["start"], "stop": r["payload"]["stop"]}
        for r in reports
    )


@pytest.mark.parametrize("executor", EXECUTORS, ids=["here", "processes"])
def test_no_payloads_are_no_reports(executor):
    assert reports_of(executor, []) == []


@pytest.mark.parametrize("executor", EXECUTORS, ids=["here", "processes"])
@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"start": "0"}, "`start`"),
        ({"start": -1}, "`start`"),
        ({"stop": 99}, "no images"),
        ({"start": 2}, "no images"),
        ({"more": 1}, "unknown key `more`"),
        ({"out": "/nonexistent"}, "no recipe.json"),
    ],
)
def test_a_payload_of_a_stranger_is_refused_and_the_next_one_done(tmp_path, executor, change, word):
    _, payloads = begin(tmp_path)
    first, second = reports_of(executor, [payloads[0] | change, payloads[1]])
    bad, good = sorted((first, second), key=lambda report: "result" in report)
    assert word in bad["error"]["message"]
    assert bad["error"]["type"] in ("InputError", "RecipeError")
    assert "result" in good


def test_what_cannot_travel_fails_in_process_too(tmp_path):
    with pytest.raises(TypeError, match="not JSON serializable"):
        reports_of(InProcess(ignore), [{"out": tmp_path}])


def test_the_name_of_a_folder_need_not_be_text():
    folder = Path(os.fsdecode(b"/d \xff\xfe%41\n"))
    payload = json.loads(json.dumps(shard_payloads(folder, [store.Shard(0, 2)])[0]))
    assert decode(ShardJob, payload, "job").place == folder


def test_unknown_work_is_refused():
    with pytest.raises(InputError, match="no work called"):
        find("os.system")


def test_components_open_once_for_many_payloads(tmp_path, monkeypatch):
    _, payloads = begin(tmp_path)
    import faulty

    opened = []
    original = faulty.Renderer.open
    monkeypatch.setattr(
        faulty.Renderer, "open", lambda *given: opened.append(1) or original(*given)
    )
    reports_of(InProcess(ignore), payloads)
    assert len(opened) == 1


def test_a_published_shard_is_not_made_again(tmp_path):
    out, payloads = begin(tmp_path)
    reports_of(InProcess(ignore), payloads)
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*.png")}
    reports_of(InProcess(ignore), payloads)
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*.png")} == before


def test_a_worker_that_dies_is_replaced_and_its_shard_made(tmp_path):
    _, payloads = begin(tmp_path, fault="kill once", at=3, memory=str(tmp_path / "memory"))
    reports = reports_of(Processes(2, ignore), payloads)
    assert all("result" in report for report in reports)
    assert (tmp_path / "memory").exists()


def test_a_payload_that_kills_three_workers_is_given_up_and_the_others_done(tmp_path):
    out, payloads = begin(tmp_path, fault="kill", at=3)
    reports = reports_of(Processes(2, ignore), payloads)
    lost = [report for report in reports if "error" in report]
    assert [report["payload"]["start"] for report in lost] == [2]
    assert lost[0]["error"]["type"] == "WorkerLost"
    assert "died 3 times, the last time with signal 9" in lost[0]["error"]["message"]
    assert len(reports) == 3
    assert store.first_unwritten(out, store.Shard(2, 4), "png") == 3
    assert len(list((out / "tmp").iterdir())) == 3


def test_progress_comes_from_inside_a_shard(tmp_path):
    _, payloads = begin(tmp_path, "count = 6\nshard_size = 6", pause=0.15)
    told = []
    reports_of(Processes(1, lambda payload, done: told.append(done)), payloads)
    assert told
    assert all(0 < done <= 6 for done in told)


def test_workers_are_held_to_one_thread(tmp_path):
    module = tmp_path / "threads.py"
    module.write_text(
        "import cv2, os, torch\nfrom datagen.generators.prior import Generator as Prior\n"
        "class Generator(Prior):\n"
        "    def open(self, grammar):\n"
        f"        told = [os.environ[k] for k in {sorted(ONE_THREAD)}]\n"
        "        told += [cv2.getNumThreads(), torch.get_num_threads()]\n"
        "        raise RuntimeError(str(told))\n"
    )
    sys.path.insert(0, str(tmp_path))
    try:
        _, payloads = begin(tmp_path, "[generator]\nuse = 'threads:Generator'")
        (report,) = reports_of(Processes(1, ignore), payloads[:1])
    finally:
        sys.path.remove(str(tmp_path))
    assert report["error"]["message"].endswith(str(["1"] * len(ONE_THREAD) + [1, 1]))


def gone(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_a_worker_that_is_not_needed_leaves_in_order():
    member = Member("make_shard")
    member.dismiss()
    assert member.end() == 0


def test_closing_the_reports_early_ends_the_workers(tmp_path):
    _, payloads = begin(tmp_path, pause=0.05)
    with Processes(2, ignore).open("make_shard") as hands:
        reports = hands.run(payloads)
        next(reports)
        children = workers_of(os.getpid())
        assert len(children) == 2
        reports.close()
        assert any(map(gone, children))
        assert len(list(hands.run(payloads))) == 3
    assert all(map(gone, children))


def test_processes_and_what_they_opened_stay_from_run_to_run(tmp_path):
    _, payloads = begin(tmp_path)
    with Processes(1, ignore).open("make_shard") as hands:
        before = workers_of(os.getpid())
        for _ in range(2):
            assert len(list(hands.run(payloads))) == 3
        assert workers_of(os.getpid()) == before
    assert workers_of(os.getpid()) == []


# ------------------------------------------------------------------------- this process works too


def done_here(reports):
    return [report["payload"]["start"] for report in reports if report.get("result") == "here"]


def here(payload):
    return "here"


@pytest.mark.parametrize(
    ("executor", "shares"),
    [(InProcess(ignore), [0, 2, 4]), (Processes(2, ignore), [4]), (Local(1, ignore), [0, 2, 4])],
    ids=["alone", "with two", "with nobody"],
)
def test_this_process_does_what_is_left_to_it(tmp_path, executor, shares):
    _, payloads = begin(tmp_path)
    reports = reports_of(executor, payloads, here)
    assert sorted(report["payload"]["start"] for report in reports) == [0, 2, 4]
    assert done_here(reports) == shares
    assert done_here(reports_of(executor, payloads[:1], here)) == [0]


def test_what_a_worker_died_at_is_done_here_and_one_that_never_did_anything_not_replaced(tmp_path):
    _, payloads = begin(tmp_path, fault="kill", at=0)
    with Processes(2, ignore).open("make_shard") as hands:
        assert hands.others == 2
        assert sorted(done_here(hands.run(payloads, here))) == [0, 4]
        assert hands.others == 1
        assert sorted(done_here(hands.run([payloads[0], payloads[2]], here))) == [0, 4]
        assert hands.others == 1  # it had made a shard: a new one takes its place
        fresh = workers_of(os.getpid())
        assert done_here(hands.run(payloads[1:], here)) == [4]
        assert workers_of(os.getpid()) == fresh


def test_what_is_raised_here_is_raised(tmp_path):
    _, payloads = begin(tmp_path)

    def fail(payload):
        raise ZeroDivisionError

    for executor in (InProcess(ignore), Processes(1, ignore)):
        with pytest.raises(ZeroDivisionError):
            reports_of(executor, payloads, fail)
    assert workers_of(os.getpid()) == []


def workers_of(pid):
    """Process ids of the workers that `pid` has started."""
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split() if not tracks(int(child))]


def tracks(pid):
    """Is it the tracker that multiprocessing starts once, in whatever test comes first?"""
    return b"resource_tracker" in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_workers_die_with_their_parent_even_when_it_is_killed(tmp_path):
    _, payloads = begin(tmp_path, "count = 600\nshard_size = 300", pause=0.05)
    code = (
        "from datagen.jobs.executors import Processes\n"
        "with Processes(2, lambda p, d: None).open('make_shard') as hands:\n"
        f"    list(hands.run({payloads!r}))"
    )
    path = os.pathsep.join([str(ROOT), str(TESTS)])
    parent = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path})
    try:
        assert wait_for(lambda: len(list(tmp_path.glob("d/tmp/*/*.png"))) > 4)
        workers = workers_of(parent.pid)
        assert len(workers) == 2
        assert not any(map(gone, workers))
    finally:
        parent.kill()
        parent.wait()
    assert wait_for(lambda: all(map(gone, workers)), seconds=5)
