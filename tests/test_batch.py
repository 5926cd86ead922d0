"""The files of a batch, markers, and what a worker does with a message; all without a broker."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from faulty import write_recipe

from datagen import recipe
from datagen.dataset import store
from datagen.errors import DiskFullError, InputError
from datagen.jobs import making, markers, work
from datagen.jobs.attending import Attendant
from datagen.jobs.batch import CANCEL, begin, folder_id, folder_of, opened
from datagen.jobs.making import shard_payloads
from datagen.jobs.markers import Marker, index_of, is_ahead, look, marked, others
from datagen.jobs.watching import STALE, Watch

JOB = "abcdefghij01"
PAYLOADS = [{"k": k, "text": "ü\n" * k} for k in range(5)]


@pytest.fixture
def jobs(tmp_path):
    (tmp_path / "jobs" / JOB).mkdir(parents=True)
    return tmp_path / "jobs"


# ----------------------------------------------------------------------------------------- files


@pytest.mark.parametrize(
    "job", ["", "..", "../../x", "abcdefghij0", "abcdefghij012", "ABCDEFGHIJ01", "abcdefghij0\n",
            "abcdefghij/1", "abcdefghij٠1", None, 7, [], {"a": 1}, True]
)  # fmt: skip
def test_what_is_no_id_names_no_folder(jobs, job):
    with pytest.raises(InputError, match="is no job"):
        folder_of(jobs, job)


@pytest.mark.parametrize("number", ["1", "../1", -1, 10**9, 1.0, True, [], {}])
def test_what_is_no_number_names_no_batch_and_no_payload(jobs, number):
    with pytest.raises(InputError, match="is no number of a batch"):
        folder_of(jobs, JOB, number)
    batch = begin(jobs, JOB, "make_shard", PAYLOADS)
    with pytest.raises(InputError):
        batch.index(number)


def test_each_payload_is_read_by_itself(jobs):
    begin(jobs, JOB, "make_shard", PAYLOADS)
    batch = opened(jobs, JOB, 1)
    assert [batch.payload(k) for k in (4, 0, 2, 1, 3)] == [PAYLOADS[k] for k in (4, 0, 2, 1, 3)]
    with pytest.raises(InputError, match="has 5 payloads"):
        batch.index(5)


def test_a_new_batch_closes_those_of_conductors_that_died_and_no_number_comes_twice(jobs):
    first = begin(jobs, JOB, "make_shard", PAYLOADS)
    second = begin(jobs, JOB, "make_shard", PAYLOADS)
    assert not first.folder.exists()
    second.close()
    assert begin(jobs, JOB, "make_shard", PAYLOADS).number == 3


def test_nobody_waits_for_a_batch_that_is_closed_gone_or_cancelled(jobs):
    batch = begin(jobs, JOB, "make_shard", PAYLOADS)
    assert batch.is_wanted
    (jobs / JOB / CANCEL).touch()
    assert not batch.is_wanted
    (jobs / JOB / CANCEL).unlink()
    batch.close()
    assert not batch.is_wanted
    with pytest.raises(InputError, match="has no batch 1"):
        opened(jobs, JOB, 1)


def test_a_report_is_taken_once_and_a_damaged_one_is_none(jobs):
    batch = begin(jobs, JOB, "make_shard", PAYLOADS)
    batch.report(3, {"payload": {}, "result": {}})
    (batch.reports / "2.json").write_bytes(b"")
    (batch.reports / "1.json").write_text("[]")
    assert sorted(batch.reported()) == [1, 2, 3]
    assert batch.take_report(3) == {"payload": {}, "result": {}}
    assert [batch.take_report(k) for k in (1, 2, 3)] == [None, None, None]
    assert list(batch.reported()) == []


def test_a_jobs_folder_has_one_name_wherever_it_is_mounted(tmp_path):
    name = folder_id(tmp_path / "jobs")
    (tmp_path / "jobs").rename(tmp_path / "elsewhere")
    assert folder_id(tmp_path / "elsewhere") == name
    assert folder_id(tmp_path / "jobs") != name


# --------------------------------------------------------------------------------------- markers


def dead_marker(folder, index):
    """What a process leaves that is killed at a payload."""
    code = (
        "import os, sys; from pathlib import Path; from datagen.jobs.markers import Marker;"
        "Marker(Path(sys.argv[1]), int(sys.argv[2])); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, folder, str(index)])
    assert done.returncode == -9


def test_a_marker_tells_whether_its_process_lives(tmp_path):
    with marked(tmp_path, 7) as marker:
        marker.tell(12)
        seen = look(tmp_path / marker.name)
        assert (seen.done, seen.is_gone) == (12, False)
        assert index_of(marker.name) == 7
    assert list(tmp_path.iterdir()) == []
    dead_marker(tmp_path, 7)
    (left,) = tmp_path.iterdir()
    assert look(left).is_gone


def test_of_attempts_that_begin_together_the_first_goes_on(tmp_path):
    first, second = Marker(tmp_path, 1), Marker(tmp_path, 1)
    Marker(tmp_path, 11)
    (seen,) = others(tmp_path, second, 1)
    assert is_ahead(seen, second)
    (seen,) = others(tmp_path, first, 1)
    assert not is_ahead(seen, first)


def test_an_attempt_without_a_heartbeat_is_not_ahead(tmp_path):
    first = Marker(tmp_path, 1)
    os.utime(tmp_path / first.name, ns=(0, first.began - int(markers._FRESH * 2e9)))
    second = Marker(tmp_path, 1)
    assert not is_ahead(*others(tmp_path, second, 1), second)


def test_an_attempt_stands_still_by_the_clock_of_who_watches(tmp_path):
    now = [0.0]
    watch = Watch(tmp_path, lambda: now[0])
    marker = Marker(tmp_path, 3)
    # The clock of another machine may be a day off.
    os.utime(tmp_path / marker.name, ns=(0, 10**18))
    marker_seen = list(watch.look())
    assert marker_seen == [(3, 0)]
    assert watch.is_under_way(3)
    now[0] = STALE - 1
    assert list(watch.look()) == []
    assert watch.is_under_way(3)
    assert watch.workers == 1
    now[0] = STALE + 1
    list(watch.look())
    assert not watch.is_under_way(3)
    assert watch.dead(3) == {marker.name}
    assert watch.workers == 0
    marker.tell(1)
    assert list(watch.look()) == [(3, 1)]
    assert watch.is_under_way(3)
    watch.forget(3)
    assert list(tmp_path.iterdir()) == []


def test_a_process_of_this_machine_that_died_is_seen_at_once(tmp_path):
    dead_marker(tmp_path, 2)
    watch = Watch(tmp_path)
    list(watch.look())
    assert len(watch.dead(2)) == 1
    assert not watch.is_under_way(2)


# ------------------------------------------------------------------------------------- attending


@pytest.fixture
def shards(jobs, tmp_path):
    """A batch of shards of a small dataset, and its folder."""
    return a_dataset(tmp_path, jobs)


def a_dataset(folder, jobs, **renderer):
    loaded = recipe.load(write_recipe(folder / "r", "count = 6\nshard_size = 2", **renderer))
    out = folder / "d"
    out.mkdir()
    (out / "recipe.json").write_text(json.dumps(loaded.encode()))
    cut = store.shards_of(6, 2)
    return begin(jobs, JOB, "make_shard", shard_payloads(out, cut), "session"), out


def published(out):
    return [store.is_published(out, shard) for shard in store.shards_of(6, 2)]


def test_a_message_makes_its_shard_and_reports_it(jobs, shards):
    batch, out = shards
    attendant = Attendant(jobs)
    assert attendant.attend((JOB, 1, 1), {}).endswith("done")
    attendant.close()
    assert published(out) == [False, True, False]
    assert batch.take_report(1)["result"] == {"start": 2, "stop": 4}
    assert list(batch.attempts.iterdir()) == []


@pytest.mark.parametrize(
    ("positional", "named"),
    [
        ((), {}), ((JOB, 1), {}), ((JOB, 1, 0, 0), {}), ((JOB, 1, 0), {"out": "/"}),
        (("../../x", 1, 0), {}), ((JOB, "..", 0), {}), ((JOB, 1, "0"), {}), ((JOB, 1, 99), {}),
        ((JOB, 2, 0), {}), (("zzzzzzzzzzzz", 1, 0), {}), (([], {}, None), {}),
    ],
)  # fmt: skip
def test_a_message_that_names_nothing_here_is_dropped(jobs, shards, positional, named):
    assert Attendant(jobs).attend(positional, named).startswith("dropped: ")
    assert published(shards[1]) == [False] * 3


def test_work_that_nobody_knows_is_reported(jobs):
    batch = begin(jobs, JOB, "os.system", PAYLOADS)
    Attendant(jobs).attend((JOB, 1, 0), {})
    assert "no work called `os.system`" in batch.take_report(0)["error"]["message"]


def test_what_is_settled_or_given_up_is_not_begun(jobs, shards):
    batch, out = shards
    batch.give_up(0)
    batch.report(1, {"payload": {}, "result": {}})
    for index in (0, 1):
        assert "settled" in Attendant(jobs).attend((JOB, 1, index), {})
    assert published(out) == [False] * 3


def test_a_second_message_leaves_alone_what_somebody_is_at(jobs, shards):
    batch, out = shards
    with marked(batch.attempts, 0):
        assert "somebody is at it" in Attendant(jobs).attend((JOB, 1, 0), {})
    assert published(out) == [False] * 3
    assert not batch.has_report(0)


def test_after_three_dead_attempts_a_payload_is_not_begun(jobs, shards):
    batch, out = shards
    for _ in range(3):
        dead_marker(batch.attempts, 0)
    assert "not begun" in Attendant(jobs).attend((JOB, 1, 0), {})
    error = batch.take_report(0)["error"]
    assert error["type"] == "WorkerLost"
    assert error["message"] == "its process died 3 times"
    assert published(out) == [False] * 3


def test_a_cancelled_job_stops_in_the_middle_of_a_payload(jobs, tmp_path, monkeypatch):
    monkeypatch.setattr("datagen.jobs.attending._LOOK", 0.0)
    batch, out = a_dataset(tmp_path, jobs)
    original = store.ShardFolder.write

    def write(self, name, data):
        (jobs / JOB / CANCEL).touch()
        return original(self, name, data)

    monkeypatch.setattr(store.ShardFolder, "write", write)
    assert "nobody waits" in Attendant(jobs).attend((JOB, 1, 0), {})
    assert list((out / "tmp").iterdir()) == []
    assert list(batch.attempts.iterdir()) == []
    assert not batch.has_report(0)


def test_components_stay_open_for_the_messages_of_a_session_only(jobs, shards, monkeypatch):
    batch, _ = shards
    opened_for = []
    original = work.WORK["make_shard"]
    monkeypatch.setitem(work.WORK, "make_shard", f"{__name__}:counted")
    monkeypatch.setattr(sys.modules[__name__], "_opened", opened_for, raising=False)
    assert original
    attendant = Attendant(jobs)
    for index in range(3):
        attendant.attend((JOB, 1, index), {})
    assert len(opened_for) == 1
    payloads = [batch.payload(k) for k in range(3)]
    begin(jobs, JOB, "make_shard", payloads, "session")
    attendant.attend((JOB, 2, 0), {})
    assert len(opened_for) == 1
    begin(jobs, JOB, "make_shard", payloads, "another")
    attendant.attend((JOB, 3, 0), {})
    assert len(opened_for) == 2


def counted():
    _opened.append(1)  # noqa: F821  set by the test
    return making.shard_making()


def test_a_disk_that_takes_no_report_leaves_no_half_of_one(jobs, shards, monkeypatch):
    batch, _ = shards

    def full(*given, **named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(DiskFullError):
        batch.report(0, {"payload": {}, "result": {}})
    assert "full" in Attendant(jobs).attend((JOB, 1, 0), {})
    assert list(batch.reports.iterdir()) == []
    assert list(batch.attempts.iterdir()) == []
