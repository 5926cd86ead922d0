"""The dry run: its figures against real runs, what it leaves behind, and what it refuses."""

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from itertools import pairwise

import pytest
from faulty import ROOT, TESTS, write_recipe

from datagen import pipeline, recipe
from datagen.estimating import forecast
from datagen.estimating.forecast import mean_of, shard_size
from datagen.estimating.rehearsal import PREFIX, spread
from datagen.estimating.told import told
from datagen.files import locked
from datagen.rng import Stream, rng_for

PAUSE = 0.02  # seconds that an image takes at least


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """A recipe whose images take about the same time each."""
    folder = tmp_path_factory.mktemp("slow")
    return write_recipe(folder, "count = 60\nshard_size = 20", pause=PAUSE)


@pytest.fixture(scope="module")
def found(slow, tmp_path_factory):
    """An estimate for two workers."""
    out = tmp_path_factory.mktemp("out") / "d"
    return forecast.estimate(recipe.load(slow), workers=2, images=5, price=3.6, out=out)


def left_in(folder):
    return list(folder.glob(f"{PREFIX}*"))


# --------------------------------------------------------------------------------- figures


def test_the_time_holds_every_image_of_the_worker_with_most_to_do(found):
    # Three shards of 20 for two workers: one of them has 40 images.
    assert found.seconds.mean == pytest.approx(
        found.start + 40 / found.images_per_second.mean + found.joining
    )
    assert found.images_per_second.mean < 1 / PAUSE
    assert found.seconds.low < found.seconds.mean < found.seconds.high


def test_the_disk_is_what_the_dataset_then_takes(found, slow, tmp_path):
    pipeline.generate(recipe.load(slow), tmp_path / "d")
    files = [path for path in (tmp_path / "d").rglob("*") if path.is_file()]
    taken = sum(path.stat().st_blocks * 512 for path in files)
    assert found.disk == pytest.approx(taken, rel=0.15)
    assert found.disk_wanted == pytest.approx(1.2 * found.disk)
    assert abs(found.files - len(files)) < 10


def test_all_workers_are_paid_from_start_to_end(found):
    assert found.cost.mean == pytest.approx(2 * 3.6 * found.seconds.mean / 3600)


def test_an_estimate_in_words_has_every_figure(found):
    words = [line.split()[0] for line in told(found).splitlines()]
    assert words[:8] == ["images", "start", "speed", "time", "memory", "disk", "shards", "cost"]


def test_workers_without_a_shard_are_told(slow):
    few = recipe.load(slow, ["count=20"])
    found = forecast.estimate(few, workers=2, images=5)
    assert found.warnings == ("1 shards are work for 1 of 2 workers",)


def test_what_was_not_measured_is_called_an_assumption(slow):
    cores = len(os.sched_getaffinity(0))
    found = forecast.estimate(recipe.load(slow), workers=cores + 1, images=5)
    assert f"{cores + 1} workers have a core each" in found.assumed
    assert "assumed" in told(found)


@pytest.mark.parametrize(("count", "most"), [(1, 5), (7, 500), (1000, 500), (10**7, 500)])
def test_images_are_chosen_evenly_over_the_dataset_wherever_the_choice_ends(count, most):
    chosen = spread(count, most)
    assert len(set(chosen)) == len(chosen) <= most
    assert count > most or sorted(chosen) == list(range(count))
    for k in range(5, len(chosen), 7):
        inside = sorted(chosen[:k])
        gaps = [b - a for a, b in pairwise((0, *inside, count))]
        assert max(gaps) <= 3 * count / k + 1


def test_cheap_images_are_tried_for_seconds_and_dear_ones_once(found):
    assert 2 * 5 < found.tried <= 60  # each worker tried more than it was asked to
    assert len(spread(10**6, 25 * 20)) >= 400


def test_the_interval_holds_the_mean_19_times_of_20():
    rng = rng_for(0, 0, Stream.SCENE)
    ranges = [mean_of(tuple(rng.normal(10, 2, 20))) for _ in range(2000)]
    held = statistics.fmean(one.low < 10 < one.high for one in ranges)
    assert 0.935 < held < 0.965


def test_one_image_has_no_interval():
    assert vars(mean_of((2.0,))) == {"mean": 2.0, "low": 2.0, "high": 2.0}


@pytest.mark.parametrize(
    ("seconds", "count", "workers", "expected"),
    [
        (0.1, 10**6, 10, 450),  # three quarters of a minute
        (0.1, 1000, 10, 25),  # four shards for each worker
        (60, 1000, 1, 1),
        (1e-4, 10**7, 1, 10_000),  # the most that a recipe allows
        (1, 1, 100, 1),
    ],
)
def test_shards_are_long_enough_to_pay_and_short_enough_to_share(seconds, count, workers, expected):
    assert shard_size(seconds, count, workers) == expected


def test_a_disk_that_is_too_small_is_told(tmp_path):
    (bytes_short,) = forecast._too_small(tmp_path / "not" / "there", 1e18, 1)
    assert str(tmp_path) in bytes_short and "1000000000.00 GB are needed" in bytes_short
    assert forecast._too_small(tmp_path, 1, 1) == []


# ------------------------------------------------------------------------------- leftovers


def test_nothing_is_left_behind(slow, tmp_path, cli):
    done = cli("estimate", slow, "--out", tmp_path / "d", "--images", 5, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["count"] == 60
    assert list(tmp_path.iterdir()) == []


def start(slow, out):
    """An estimate in a process of its own, which has begun to write."""
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{TESTS}"}
    command = [sys.executable, "-m", "datagen", "estimate", slow, "--out", out, "--images", "1000"]
    more = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen([*map(str, command), "--count=5000"], env=env, **more)
    while not list(out.parent.glob(f"{PREFIX}*/tmp/*/*.png")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    return process


def test_an_interrupted_one_leaves_nothing_behind(slow, tmp_path):
    process = start(slow, tmp_path / "d")
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert "Traceback" not in process.communicate()[1]
    assert left_in(tmp_path) == []


def test_what_a_killed_one_left_goes_with_the_next(slow, tmp_path, cli):
    process = start(slow, tmp_path / "d")
    process.kill()
    process.communicate()
    (folder,) = left_in(tmp_path)
    assert cli("estimate", slow, "--out", tmp_path / "d", "--images", 5).code == 0
    assert left_in(tmp_path) == [folder]  # it might be at its beginning
    os.utime(folder, (0, 0))
    with locked(folder):  # and this one is at work
        assert cli("estimate", slow, "--out", tmp_path / "d", "--images", 5).code == 0
    assert left_in(tmp_path) == [folder]
    os.utime(folder, (0, 0))
    assert cli("estimate", slow, "--out", tmp_path / "d", "--images", 5).code == 0
    assert left_in(tmp_path) == []


# -------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--price", "-1"], "price"),
        (["--price", "nan"], "price"),
        (["--images", "2"], "images"),
        (["--workers", "0"], "workers"),
        (["--count", "0"], "count"),
    ],
)
def test_a_number_out_of_range_is_refused(slow, cli, words, told):
    cli("estimate", slow, *words).refused(2, told)


def test_an_image_that_cannot_be_made_is_named(tmp_path, cli):
    wrong = write_recipe(tmp_path / "r", "count = 10", fault="input", at=0)
    done = cli("estimate", wrong, "--out", tmp_path / "d")
    done.refused(1, "image 0")
    assert left_in(tmp_path) == []
