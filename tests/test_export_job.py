"""An export as a job: the same as the command, whole or absent, however often it is killed."""

import json
import os
from pathlib import Path

import pytest
from layouts import paint, rectangle, write_dataset

from datagen.dataset.export import ABOUT, export
from datagen.dataset.export.job import order
from datagen.dataset.export.selection import Policy
from datagen.errors import BusyError, InputError
from datagen.files import locked
from datagen.jobs.conduct import conduct
from datagen.jobs.executors import InProcess
from datagen.jobs.ledger import Jobs, State

SPLITS = {"train": 0.5, "val": 0.5}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    things = [[(1, rectangle(k, 2, 6, 5)), (3, rectangle(9, 8, 4, 4))] for k in range(6)]
    frames = [paint(24, 16, one) for one in things]
    return write_dataset(tmp_path_factory.mktemp("made") / "data", frames)


@pytest.fixture
def jobs(tmp_path) -> Jobs:
    return Jobs(tmp_path / "jobs")


def made(jobs, dataset, out, format="coco-polygons", **more):
    one = order(dataset, format, out, Policy(splits=SPLITS), **more)
    one.claim()
    return jobs.make(one.verb, one.arguments, None)


def carried_out(job) -> State:
    with job.held():
        return conduct(job, InProcess)


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def killed_at(step: int, dataset: Path, out: Path) -> None:
    """A process that exports, and is gone at the `step`-th word of how far it is."""
    child = os.fork()
    if child == 0:
        steps = iter(range(step))

        def end(*said):
            if next(steps, None) is None:
                os._exit(9)

        export(dataset, "coco-polygons", out, splits=SPLITS, progress=end)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def test_a_job_makes_what_the_command_makes(dataset, jobs, tmp_path):
    plain = export(dataset, "coco-polygons", tmp_path / "plain", splits=SPLITS)
    job = made(jobs, dataset, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []  # it is taken
    assert carried_out(job) is State.DONE
    assert job.result() == plain.to_json() | {"folder": str(tmp_path / "out")}
    assert files(tmp_path / "out") == files(tmp_path / "plain")
    assert job.progress()["total"] == 6
    assert job.progress()["done"] == 6


@pytest.mark.parametrize("step", [0, 3, 7, 13])
def test_who_is_killed_leaves_nothing_that_looks_whole_and_the_next_one_cleans_up(
    dataset, tmp_path, step
):
    killed_at(step, dataset, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    export(dataset, "coco-polygons", tmp_path / "out", splits=SPLITS)
    export(dataset, "coco-polygons", tmp_path / "plain", splits=SPLITS)
    assert files(tmp_path / "out") == files(tmp_path / "plain")
    assert {path.name for path in tmp_path.iterdir()} == {"out", "plain"}


def test_a_job_whose_conductor_died_after_the_last_file_has_nothing_to_do(dataset, jobs, tmp_path):
    job = made(jobs, dataset, tmp_path / "out")
    export(dataset, "coco-polygons", tmp_path / "out", splits=SPLITS)
    before = (tmp_path / "out" / ABOUT).stat().st_ino
    assert carried_out(job) is State.DONE
    assert (tmp_path / "out" / ABOUT).stat().st_ino == before
    assert job.result()["images"] == 6


def test_a_job_that_is_cancelled_leaves_nothing(dataset, jobs, tmp_path):
    job = made(jobs, dataset, tmp_path / "out")
    (job.folder / "CANCEL").touch()
    assert carried_out(job) is State.CANCELLED
    assert list((tmp_path / "out").iterdir()) == []


def test_an_export_is_cancelled_on_the_way(dataset, tmp_path):
    class Enough(Exception):
        pass

    def stop(done, total, what):
        if (done, what) == (2, "labels"):
            raise Enough

    with pytest.raises(Enough):
        export(dataset, "yolo", tmp_path / "out", progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_every_format_tells_how_far_it_is(dataset, tmp_path):
    for format in ("coco", "coco-polygons", "yolo", "yolo-seg", "panoptic"):
        told = set()

        def tell(*said, told=told):
            told.add(said)

        export(dataset, format, tmp_path / format, splits=SPLITS, progress=tell)
        assert {(6, 6, "images"), (6, 6, "labels")} <= told, format
        assert all(0 <= done <= total == 6 for done, total, _ in told)


def test_two_into_one_folder_are_one_too_many(dataset, tmp_path):
    (tmp_path / ".out.tmp").mkdir()
    with locked(tmp_path / ".out.tmp"), pytest.raises(BusyError):
        export(dataset, "coco", tmp_path / "out")


def test_what_lies_there_is_taken_for_the_export_only_where_it_is(dataset, tmp_path):
    export(dataset, "coco", tmp_path / "out")
    again = export(dataset, "coco", tmp_path / "out", resume=True)
    assert (again.images, again.folder) == (6, str(tmp_path / "out"))
    with pytest.raises(InputError, match="not an empty folder"):
        export(dataset, "coco", tmp_path / "out")
    with pytest.raises(InputError, match="another export"):
        export(dataset, "coco", tmp_path / "out", min_pixels=9, resume=True)
    with pytest.raises(InputError, match="another export"):
        made(Jobs(tmp_path / "jobs"), dataset, tmp_path / "out", resume=True)


def test_a_wrong_order_is_refused_before_there_is_a_job(dataset, jobs, tmp_path):
    with pytest.raises(InputError, match="unknown format"):
        made(jobs, dataset, tmp_path / "out", format="kitty")
    with pytest.raises(InputError, match="inside the dataset"):
        made(jobs, dataset, dataset / "out")
    with pytest.raises(InputError, match="no such folder"):
        made(jobs, tmp_path / "nowhere", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert jobs.ids() == []


def test_it_is_queued_like_the_other_verbs(dataset, cli, jobs, tmp_path):
    out = tmp_path / "out"
    words = ["export", dataset, "--format", "yolo", "--out", out]
    done = cli("submit", *words, "--jobs", jobs.folder, "--json")
    assert done.code == 0, done.err
    about = json.loads(done.out)
    assert about["verb"] == "export"
    cli(*words, "--jobs", jobs.folder).refused(2, "writes to this folder already", "--resume")
    assert carried_out(jobs.find(about["id"])) is State.DONE
    done = cli("jobs", "show", about["id"], "--follow", "--jobs", jobs.folder)
    assert done.out == f"{out}\n"
    assert "6 images, 12 labels, 0 left out" in done.err
    done = cli(*words, "--resume")
    assert (done.code, done.out) == (0, f"{out}\n")
