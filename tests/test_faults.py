"""Real faults on real processes: kill -9, full disks, two writers; then nothing is lost or torn."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest
from faulty import ROOT, TESTS, write_recipe

from datagen import pipeline, recipe
from datagen.rng import Stream, rng_for

COUNT, SIZE = 40, 4
SETTINGS = f"count = {COUNT}\nshard_size = {SIZE}"
ENDS = ("annotations.json", "scenes.jsonl", "audit.json", "README.md", "manifest.json", "_COMPLETE")


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """A recipe that takes about half a second, so that there is time to break it."""
    return write_recipe(tmp_path_factory.mktemp("slow"), SETTINGS, pause=0.01)


@pytest.fixture(scope="module")
def clean(slow, tmp_path_factory):
    """The same dataset made without any fault."""
    return pipeline.generate(recipe.load(slow), tmp_path_factory.mktemp("clean") / "d")


def start(slow, out, *args, **options):
    """The command line in a process of its own."""
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{TESTS}"} | options.pop("env", {})
    command = [sys.executable, "-m", "datagen", "generate", str(slow), "--out", str(out), "--json"]
    return subprocess.Popen(
        [*command, *args],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def finish(process):
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def run(slow, out, *args, **options):
    return finish(start(slow, out, *args, **options))


def wait_for(condition, process):
    """Until the condition holds; a process that ends first makes the test fail."""
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)


def shards(out):
    return len(list(out.glob("shards/*")))


def kill(process):
    process.kill()
    process.communicate()


def assert_same(out, clean):
    """Every byte as if nothing had happened, and nothing besides."""
    names = {p.relative_to(clean.out) for p in clean.out.rglob("*") if p.is_file()}
    assert {p.relative_to(out) for p in out.rglob("*") if p.is_file()} == names
    for name in names:
        if name.name != ".lock":
            assert (out / name).read_bytes() == (clean.out / name).read_bytes(), name
    assert pipeline.verify(out).findings == ()


@pytest.mark.parametrize(("workers", "after"), [(1, 0), (1, 5), (2, 1), (2, 5)])
def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(slow, clean, tmp_path, workers, after):
    out = tmp_path / "d"
    process = start(slow, out, "--workers", str(workers))
    wait_for(lambda: shards(out) >= after and any(out.glob("tmp/*/*.png")), process)
    kill(process)
    assert not (out / "_COMPLETE").exists()
    assert shards(out) < COUNT // SIZE
    code, stdout, stderr = run(slow, out, "--workers", str(workers), "--resume")
    assert code == 0, stderr
    report = json.loads(stdout)
    assert report["dataset_digest"] == clean.dataset_digest
    assert report["rendered"] <= COUNT - after * SIZE
    assert_same(out, clean)


def test_a_run_killed_again_and_again_gets_there(slow, clean, tmp_path):
    out = tmp_path / "d"
    rng = rng_for(0, 0, Stream.BOOTSTRAP)
    for _ in range(6):
        process = start(slow, out, "--workers", "2", *(["--resume"] if out.exists() else []))
        images = 1 + int(rng.integers(SIZE))
        wait_for(lambda n=images: len(list(out.glob("tmp/*/*.png"))) >= n, process)
        kill(process)
    code, _, stderr = run(slow, out, "--resume")
    assert code == 0, stderr
    assert_same(out, clean)


@pytest.mark.parametrize("kept", range(len(ENDS)))
def test_a_run_killed_while_it_ends_goes_on_from_there(slow, clean, tmp_path, kept):
    out = shutil.copytree(clean.out, tmp_path / "d")
    for name in ENDS[kept:]:
        (out / name).unlink()
    (out / ".manifest.json.1.tmp").write_text("half")
    report = pipeline.generate(recipe.load(slow), out, resume=True)
    assert report.rendered == 0
    assert_same(out, clean)


def workers_of(process):
    with open(f"/proc/{process.pid}/task/{process.pid}/children") as file:
        return [int(child) for child in file.read().split()]


def test_a_killed_worker_costs_nothing_but_time(slow, clean, tmp_path):
    out = tmp_path / "d"
    process = start(slow, out, "--workers", "2")
    for done in (1, 4):
        wait_for(lambda n=done: shards(out) >= n and len(workers_of(process)) == 2, process)
        os.kill(workers_of(process)[0], signal.SIGKILL)
    code, stdout, stderr = finish(process)
    assert code == 0, stderr
    assert json.loads(stdout)["dataset_digest"] == clean.dataset_digest
    assert_same(out, clean)


def test_a_shard_that_kills_its_workers_ends_in_exit_code_4(tmp_path):
    path = write_recipe(tmp_path / "r", SETTINGS, fault="kill", at=9)
    code, _, stderr = run(path, tmp_path / "d", "--workers", "2")
    assert code == 4, stderr
    assert "00000008-00000012, which fails at image 9" in stderr
    assert "Traceback" not in stderr
    assert shards(tmp_path / "d") == COUNT // SIZE - 1


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_interrupt_leaves_no_rubbish_and_can_go_on(slow, clean, tmp_path, workers):
    out = tmp_path / "d"
    process = start(slow, out, "--workers", workers)
    wait_for(lambda: shards(out) >= 2, process)
    children = workers_of(process)
    process.send_signal(signal.SIGINT)
    code, _, stderr = finish(process)
    assert code == 130, stderr
    assert "Traceback" not in stderr
    assert not (out / "tmp").exists()
    assert not any(os.path.exists(f"/proc/{pid}") for pid in children)
    assert run(slow, out, "--resume")[0] == 0
    assert_same(out, clean)


def test_a_second_run_into_the_folder_names_the_first(slow, clean, tmp_path):
    out = tmp_path / "d"
    first = start(slow, out)
    wait_for(lambda: shards(out) >= 1, first)
    first.send_signal(signal.SIGSTOP)  # a stopped run still holds its folder
    for more in ([], ["--resume"]):
        code, _, stderr = run(slow, out, *more)
        assert code == 1, stderr
        assert str(first.pid) in stderr
    first.send_signal(signal.SIGCONT)
    assert finish(first)[0] == 0
    assert_same(out, clean)


def limit_files(size):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def assert_paused(out, code, stderr):
    assert code == 1, stderr
    assert "--resume" in stderr
    assert "Traceback" not in stderr
    assert not (out / "_COMPLETE").exists()
    assert not (out / "tmp").exists()


# Bytes that a file may have: too few for a shard's labels; for the joined labels at the end.
@pytest.mark.parametrize(("size", "shards_done"), [(1_500, 0), (20_000, COUNT // SIZE)])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_file_that_may_not_grow_pauses_the_run(slow, clean, tmp_path, size, shards_done, workers):
    out = tmp_path / "d"
    code, _, stderr = run(slow, out, "--workers", workers, preexec_fn=limit_files(size))
    assert_paused(out, code, stderr)
    assert shards(out) == shards_done
    assert run(slow, out, "--workers", workers, "--resume")[0] == 0
    assert_same(out, clean)


def test_a_disk_that_is_full_at_once_leaves_nothing(slow, tmp_path):
    code, _, stderr = run(slow, tmp_path / "d", preexec_fn=limit_files(100))
    assert code == 1, stderr
    assert "full" in stderr
    assert not (tmp_path / "d").exists()


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system with room for bytes but for 60 names only."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = "size=64m,nr_inodes=60"
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)],
        capture_output=True,
        text=True,
    )
    if made.returncode:
        pytest.skip(f"cannot mount a file system here: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_full_disk_pauses_the_run_and_room_lets_it_end(slow, clean, tiny_disk, workers):
    out = tiny_disk / "d"
    code, _, stderr = run(slow, out, "--workers", workers)
    assert_paused(out, code, stderr)
    assert 0 < shards(out) < COUNT // SIZE
    remount = ["mount", "-o", "remount,nr_inodes=1000", str(tiny_disk)]
    subprocess.run(remount, check=True)
    assert run(slow, out, "--resume")[0] == 0
    assert_same(out, clean)


def test_time_zone_locale_and_hash_seed_change_no_byte(slow, clean, tmp_path):
    env = {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "1"}
    assert run(slow, tmp_path / "d", env=env)[0] == 0
    assert_same(tmp_path / "d", clean)
