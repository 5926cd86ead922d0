"""`learn` from end to end in a tiny world: what it leaves, and what may change nothing."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from datagen import language, pipeline, recipe
from datagen.errors import BusyError, InputError
from datagen.files import locked
from datagen.learning.evaluation import known_counts
from datagen.learning.job import learn
from datagen.learning.weights import load_model

WORLD = """
world small
canvas 32 x 32
start Scene
Scene -> ground car * uniform_int(0, 3) tree * uniform_int(0, 1)
ground { draw: ground }
car { draw: rect  category: "car"  colour: red  x: uniform(4, 28) px  y: uniform(4, 28) px
      width: 5 px  height: 5 px }
tree { draw: ellipse  category: "tree"  colour: green  x: uniform(4, 28) px  y: uniform(4, 28) px
       width: 6 px  height: 6 px }
"""
RECIPE = """
grammar = "small.scene"
count = 4
[learn]
helpers = 0
hidden = 8
embedding = 4
checkpoint_every = 7
[learn.features]
images = 800
batch = 16
width = 4
[learn.pretraining]
steps = 50
batch = 64
[learn.reinforcement]
iterations = 40
batch = 150
"""
STEPS = {"features": 50, "pretrain": 50, "reinforce": 40}
QUICK = (
    "learn.features.images=256",
    "learn.pretraining.steps=4",
    "learn.reinforcement.iterations=2",
    "learn.reinforcement.batch=16",
)
ROOT = Path(__file__).resolve().parents[1]
# As the command line does, in a process of its own.
LEARN = """
import sys
import pytest
sys.path.append("tests")
from brief import shorten
from datagen.cli import main
shorten(pytest.MonkeyPatch())
sys.exit(main(["learn", *sys.argv[1:]]))
"""

pytestmark = pytest.mark.usefixtures("brief")


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with a recipe, pictures of a place with two or three cars, and their labels."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "small.scene").write_text(WORLD)
    (folder / "small.toml").write_text(RECIPE)
    hidden = folder / "hidden"
    hidden.mkdir()
    (hidden / "small.scene").write_text(WORLD.replace("uniform_int(0, 3)", "uniform_int(2, 3)"))
    (hidden / "hidden.toml").write_text('grammar = "small.scene"\ncount = 40\nseed = 9\n')
    pipeline.generate(recipe.load(hidden / "hidden.toml"), folder / "labelled")
    (folder / "target").mkdir()
    for picture in (folder / "labelled").glob("shards/*/*.png"):
        shutil.copy(picture, folder / "target" / picture.name)
    return folder


@pytest.fixture(scope="module")
def ticks():
    return []


@pytest.fixture(scope="module")
def run(place, ticks) -> Path:
    """A run that nothing disturbed."""
    learn(
        recipe.load(place / "small.toml"),
        place / "target",
        place / "run",
        truth=place / "labelled" / "annotations.json",
        progress=ticks.append,
    )
    return place / "run"


def quick(place, *sets):
    return recipe.load(place / "small.toml", (*QUICK, *sets))


def metrics(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


# ----------------------------------------------------------------------------------- what is left


def test_readings_of_every_step_in_order(run):
    lines = metrics(run)
    expected = [(phase, k + 1) for phase, steps in STEPS.items() for k in range(steps)]
    assert [(line["phase"], line["iteration"]) for line in lines] == expected
    last = lines[-1]
    for name in ("discrepancy", "cost", "entropy", "rejected", "kernel_spread"):
        assert np.isfinite(last[name])
    assert all("loss" in line for line in lines if line["phase"] != "reinforce")


def test_progress_is_told_in_order_and_to_the_end(run, ticks):
    assert list(dict.fromkeys(tick.phase for tick in ticks)) == list(STEPS)
    for phase, steps in STEPS.items():
        told = [tick for tick in ticks if tick.phase == phase]
        assert [tick.step for tick in told] == sorted({tick.step for tick in told})
        assert told[-1].step == told[-1].steps == steps
    assert {tick.phase: tick.values for tick in ticks}["reinforce"].keys() >= {"discrepancy"}


def test_the_learned_grammar_can_be_read_and_differs_in_weights_alone(run):
    learned = language.load(run / "learned.scene")
    before = language.parse(WORLD)
    assert [(r.lhs, r.children) for r in learned.rules] == [
        (r.lhs, r.children) for r in before.rules
    ]
    assert learned.symbols == before.symbols
    assert learned.repeats["car*"].count != before.repeats["car*"].count


def test_the_model_can_be_read_with_the_runs_own_grammar(run):
    load_model(run / "model.safetensors", recipe.load(run).world())


def test_the_report_names_every_distance_and_picture(run):
    report = json.loads((run / "report.json").read_text())
    assert report["distances"].keys() >= {"prior", "learned", "floor", "classify_and_count"}
    assert all(np.isfinite(value) for row in report["distances"].values() for value in row.values())
    assert {h["name"] for h in report["histograms"]} == {
        "things in a picture", "things of class car", "things of class tree",
    }  # fmt: skip
    for histogram in report["histograms"]:
        assert histogram["series"].keys() >= {"prior", "learned", "target (known)"}
        for shares in histogram["series"].values():
            assert len(shares) == len(histogram["labels"])
            assert sum(shares) == pytest.approx(1)
    html = (run / "report.html").read_text()
    for sheet in report["sheets"]:
        assert cv2.imread(str(run / sheet["file"])) is not None
        assert sheet["file"] in html or "base64" in html
    assert report["title"] in html


def test_the_rejected_files_are_listed(run):
    assert (run / "rejected.jsonl").read_text() == ""


def test_a_dataset_of_what_was_learned_verifies(run, tmp_path):
    pipeline.generate(recipe.load(run), tmp_path / "dataset")
    assert pipeline.verify(tmp_path / "dataset").findings == ()
    assert len(list((tmp_path / "dataset").glob("shards/*/*.png"))) == 4


def test_a_run_may_be_moved(run, tmp_path):
    shutil.copytree(run, tmp_path / "elsewhere")
    moved = recipe.load(tmp_path / "elsewhere")
    assert moved.digest == recipe.load(run).digest
    assert moved.generator.component("generators").weights == str(
        tmp_path / "elsewhere" / "model.safetensors"
    )
    with pipeline.opened(moved) as make, pipeline.opened(recipe.load(run)) as original:
        np.testing.assert_array_equal(make(0)[1].image, original(0)[1].image)


def test_weights_that_were_changed_are_refused(run, tmp_path):
    shutil.copytree(run, tmp_path / "changed")
    weights = tmp_path / "changed" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    words = r"model\.safetensors is not what this recipe"
    with pytest.raises(InputError, match=words), pipeline.opened(recipe.load(tmp_path / "changed")):
        pass


def test_results_that_are_gone_come_back_from_the_checkpoints(run, place, tmp_path):
    """As after a kill while the results were written."""
    names = ("model.safetensors", "metrics.jsonl", "recipe.json", "learned.scene")
    again = tmp_path / "again"
    shutil.copytree(run, again)
    for path in again.iterdir():
        if path.is_file() and path.name not in ("metrics.jsonl", "meta.json"):
            path.unlink()
    learn(recipe.load(place / "small.toml"), place / "target", again, resume=True)
    for name in names:
        assert (again / name).read_bytes() == (run / name).read_bytes(), name
    assert (again / "report.html").is_file()


# ------------------------------------------------------------------- what does and does not matter


def test_the_number_of_helpers_changes_no_byte(run, place, tmp_path):
    """150 scenes for three processes: parts of different sizes."""
    helped = recipe.load(place / "small.toml", ["learn.helpers=2"])
    learn(helped, place / "target", tmp_path / "helped")
    for name in ("metrics.jsonl", "model.safetensors", "learned.scene"):
        assert (tmp_path / "helped" / name).read_bytes() == (run / name).read_bytes(), name


def test_the_seed_matters(place, tmp_path):
    for seed in (1, 2):
        learn(quick(place, f"learn.seed={seed}"), place / "target", tmp_path / str(seed))
    lines = [metrics(tmp_path / str(seed)) for seed in (1, 2)]
    one, two = ([line for line in run if line["iteration"] == 1] for run in lines)
    assert [a["phase"] for a in one] == [b["phase"] for b in two] == list(STEPS)
    assert all(a != b for a, b in zip(one, two, strict=True))


# ------------------------------------------------------------------------------- kill -9, then on


def start(place, out):
    command = [place / "small.toml", "--target", place / "target", "--out", out]
    return subprocess.Popen(
        [sys.executable, "-c", LEARN, *map(str, command), "--resume"],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_when(process, out, phase, iteration):
    """kill -9 as soon as the metrics show this reading."""
    wanted = json.dumps({"phase": phase, "iteration": iteration})[:-1] + ","
    while process.poll() is None:
        if (out / "metrics.jsonl").is_file() and wanted in (out / "metrics.jsonl").read_text():
            process.send_signal(signal.SIGKILL)
        time.sleep(0.002)
    process.communicate()


def test_nothing_of_a_killed_run_lives_on(place, tmp_path):
    """Its renderers end with it, wherever it was killed."""
    command = [place / "small.toml", "--target", place / "target", "--out", tmp_path / "x"]
    more = ["--set", "learn.helpers=2", "--set", "learn.features.images=100000"]
    process = subprocess.Popen(
        [sys.executable, "-c", LEARN, *map(str, command), *more],
        cwd=ROOT,
        env=os.environ | {"RUN_OF_TEST": str(tmp_path)},
        stderr=subprocess.PIPE,
    )
    kill_when(process, tmp_path / "x", "features", 30)
    deadline = time.monotonic() + 20
    while descendants(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert descendants(tmp_path) == []


def descendants(mark: Path) -> list[str]:
    """Live processes whose environment holds the mark."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"RUN_OF_TEST={mark}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                found.append(entry.name)
    return found


def test_a_run_killed_in_every_phase_ends_as_if_nothing_had_been(run, place, tmp_path):
    """The undisturbed run was given labels as well: nothing is learned from them."""
    out = tmp_path / "killed"
    for phase, iteration in (("features", 12), ("pretrain", 4), ("reinforce", 9)):
        process = start(place, out)
        kill_when(process, out, phase, iteration)
        assert process.returncode == -signal.SIGKILL
        assert metrics(out)[-1]["phase"] == phase
        assert not (out / "model.safetensors").exists()
    with open(out / "metrics.jsonl", "a") as file:
        file.write('{"phase": "reinforce", "iter')  # torn by the crash
    newest = max((out / "checkpoints").glob("reinforce-*"))
    (newest / "state.safetensors").write_bytes(b"torn")  # and the checkpoint before it serves
    process = start(place, out)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    for name in ("metrics.jsonl", "model.safetensors", "learned.scene", "recipe.json"):
        assert (out / name).read_bytes() == (run / name).read_bytes(), name
    assert [p.name for p in (out / "checkpoints").glob(".*")] == []


# ---------------------------------------------------------------------------------------- refusals


def refused(words, *args, **more):
    with pytest.raises(InputError) as caught:
        learn(*args, **more)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message


def test_a_folder_with_something_in_it_is_refused(run, place):
    refused(["not empty", "--resume"], recipe.load(place / "small.toml"), place / "target", run)


def test_a_folder_that_is_no_run_is_not_resumed(place, tmp_path):
    (tmp_path / "letters.txt").write_text("dear")
    refused([str(tmp_path)], quick(place), place / "target", tmp_path, resume=True)
    assert [p.name for p in tmp_path.iterdir() if not p.name.startswith(".")] == ["letters.txt"]


def test_a_file_is_no_run_folder(place):
    refused(["is a file"], quick(place), place / "target", place / "small.toml", resume=True)


def test_resuming_with_another_recipe_is_refused(run, place):
    other = recipe.load(place / "small.toml", ["learn.hidden=9"])
    before = (run / "metrics.jsonl").read_bytes()
    refused(["learn.hidden: 8 -> 9"], other, place / "target", run, resume=True)
    assert (run / "metrics.jsonl").read_bytes() == before


def test_resuming_with_another_target_is_refused(run, place, tmp_path):
    shutil.copytree(place / "target", tmp_path / "target")
    next((tmp_path / "target").iterdir()).unlink()
    loaded = recipe.load(place / "small.toml")
    refused(["pictures of the target"], loaded, tmp_path / "target", run, resume=True)


def test_two_runs_in_one_folder_are_refused(place, tmp_path):
    with locked(tmp_path), pytest.raises(BusyError, match=f"pid {os.getpid()}"):
        learn(quick(place), place / "target", tmp_path, resume=True)


def test_a_run_killed_at_its_very_start_is_resumed(place, tmp_path):
    (tmp_path / ".lock").touch()
    (tmp_path / ".meta.json.123.tmp").write_text("{")
    pretrained = quick(place, "learn.reinforcement.iterations=0")
    learn(pretrained, place / "target", tmp_path, resume=True)
    assert {line["phase"] for line in metrics(tmp_path)} == {"pretrain", "features"}
    assert (tmp_path / "report.html").is_file()


def test_a_run_whose_notes_are_damaged_is_refused(place, tmp_path):
    (tmp_path / "meta.json").write_text("{")
    refused(["meta.json"], quick(place), place / "target", tmp_path, resume=True)


def target_with(place, folder, count):
    (folder / "photos").mkdir()
    for picture in sorted((place / "target").iterdir())[:count]:
        shutil.copy(picture, folder / "photos" / picture.name)
    return folder / "photos"


@pytest.mark.parametrize("count", [0, 1])
def test_targets_with_too_few_pictures_are_refused(place, tmp_path, count):
    photos = target_with(place, tmp_path, count)
    refused([str(photos), "at least"], quick(place), photos, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_few_pictures_are_refused_at_once_or_learned_from(place, tmp_path, count):
    photos = target_with(place, tmp_path, count)
    try:
        learn(quick(place), photos, tmp_path / "run")
    except InputError:
        assert not (tmp_path / "run" / "metrics.jsonl").exists()
    else:
        assert (tmp_path / "run" / "report.html").is_file()


def test_a_target_that_is_not_there_is_refused(place, tmp_path):
    refused(["is not there"], quick(place), tmp_path / "nowhere", tmp_path / "run")
    refused(
        ["is no MP4", "or a folder of photos"], quick(place), place / "small.toml", tmp_path / "run"
    )


def test_of_a_dataset_as_target_the_images_are_learned_from(place, tmp_path):
    few = ["count=5", "shard_size=5", 'passes=["class", "instance"]']
    pipeline.generate(recipe.load(place / "hidden" / "hidden.toml", few), tmp_path / "data")
    learn(quick(place), tmp_path / "data", tmp_path / "run")
    assert (tmp_path / "run" / "rejected.jsonl").read_text() == ""
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["facts"]["target pictures"] == 5
    (tmp_path / "data" / "_COMPLETE").unlink()
    refused(["is not finished", "--resume"], quick(place), tmp_path / "data", tmp_path / "again")


def test_a_run_is_no_target(run, place, tmp_path):
    refused(["is a run of `datagen learn`"], quick(place), run, tmp_path / "run")


def test_targets_that_are_mostly_no_pictures_are_refused(place, tmp_path):
    photos = target_with(place, tmp_path, 4)
    for k in range(5):
        (photos / f"notes{k}.txt").write_text("no picture")
    refused(["usable"], quick(place), photos, tmp_path / "run")


NO_LABELS = '{"images": [], "annotations": [], "categories": []}'


@pytest.mark.parametrize("content", [None, "", "[]", '{"images": 3}', NO_LABELS])
def test_bad_labels_are_refused_before_anything_is_learned(place, tmp_path, content):
    truth = tmp_path / "truth.json"
    if content is not None:
        truth.write_text(content)
    refused(["truth.json"], quick(place), place / "target", tmp_path / "run", truth=truth)
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


def test_labels_of_other_pictures_are_refused(place, tmp_path):
    truth = place / "labelled" / "annotations.json"
    photos = target_with(place, tmp_path, 9)
    words = ["has 40 images, the target folder 9", "give the labels of these"]
    refused(words, quick(place), photos, tmp_path / "run", truth=truth)


def test_a_world_without_categories_is_refused(place, tmp_path):
    (tmp_path / "bare.scene").write_text("world bare\ncanvas 32 x 32\nstart S\nS -> a\na {}\n")
    (tmp_path / "bare.toml").write_text('grammar = "bare.scene"\n')
    refused(["categor"], recipe.load(tmp_path / "bare.toml"), place / "target", tmp_path / "run")


def test_steps_that_no_scene_fits_are_refused_with_a_remedy(place, tmp_path):
    short = quick(place, "learn.max_steps=2")
    refused(["max_steps"], short, place / "target", tmp_path / "run")


def test_the_command_line_says_where_the_run_is(place, tmp_path, cli):
    args = [part for text in QUICK for part in ("--set", text)]
    line = ["learn", place / "small.toml", "--target", place / "target", "--out", tmp_path / "run"]
    outcome = cli(*line, *args, "--json")
    assert outcome.code == 0, outcome.err
    report = json.loads(outcome.out)
    assert report["run"] == str(tmp_path / "run")
    assert report["targets"] == 40 and report["rejected"] == 0
    cli(*line, *args).refused(2, "not empty", "--resume")


# ------------------------------------------------------------------------------------------ labels


def test_known_counts_are_those_of_the_labels(place):
    path = place / "labelled" / "annotations.json"
    counts = known_counts(path, ("car", "tree", "all"))
    data = json.loads(path.read_text())
    assert counts.shape == (40, 3)
    assert counts[:, 2].sum() == len(data["annotations"])
    assert (counts[:, 2] == counts[:, 0] + counts[:, 1]).all()
    first = [a for a in data["annotations"] if a["image_id"] == 1]
    assert counts[0, 2] == len(first)


@pytest.mark.parametrize(
    ("part", "entry", "words"),
    [
        ("images", {"file_name": "x.png"}, "entry 41 of its `images` has no number as `id`"),
        ("categories", {"id": 9}, "entry 3 of its `categories` has no `name`"),
        ("annotations", {"image_id": 1}, "has no number as `category_id`"),
        ("annotations", {"image_id": [1]}, "has no number as `image_id`"),
        ("annotations", {"image_id": 1, "category_id": 9}, "has the `category_id` 9, which none"),
        ("annotations", {"image_id": 99, "category_id": 1}, "has the `image_id` 99, which none"),
    ],
)
def test_what_is_wrong_with_labels_is_told_in_words(place, tmp_path, part, entry, words):
    data = json.loads((place / "labelled" / "annotations.json").read_text())
    data[part].append(entry)
    (tmp_path / "truth.json").write_text(json.dumps(data))
    with pytest.raises(InputError) as caught:
        known_counts(tmp_path / "truth.json", ("car", "tree", "all"))
    assert words in str(caught.value)
    assert "Error" not in str(caught.value)


# ------------------------------------------------------------------------------------------ stages

MOVING = WORLD.replace("x: uniform(4, 28) px", "x: uniform(4, 28) px mutable")
SHORT = ["learn.attributes.steps=6", "learn.attributes.batch=4", "learn.attributes.leaps=1"]


def moving(place, tmp_path, *sets):
    (tmp_path / "small.scene").write_text(MOVING)
    (tmp_path / "small.toml").write_text(RECIPE)
    return recipe.load(tmp_path / "small.toml", (*QUICK, *SHORT, *sets))


def test_mutable_attributes_are_learned_after_structure(place, tmp_path):
    learn(moving(place, tmp_path), place / "target", tmp_path / "run")
    phases = list(dict.fromkeys(line["phase"] for line in metrics(tmp_path / "run")))
    assert phases == ["features", "pretrain", "reinforce", "attributes"]
    loaded = recipe.load(tmp_path / "run")
    model = load_model(tmp_path / "run" / "model.safetensors", loaded.world())
    assert model.structure is not None and model.moved is not None
    assert language.load(tmp_path / "run" / "learned.scene").symbols["car"].attributes["x"].mutable
    pipeline.generate(loaded, tmp_path / "dataset")
    assert pipeline.verify(tmp_path / "dataset").findings == ()


def test_structure_after_attributes_is_learned_on_moved_pictures(place, tmp_path):
    """By the helpers as well: the same bytes with and without them."""
    stages = 'learn.stages=["attributes", "structure"]'
    for helpers in (0, 2):
        made = moving(place, tmp_path, stages, f"learn.helpers={helpers}")
        learn(made, place / "target", tmp_path / str(helpers))
    for name in ("metrics.jsonl", "model.safetensors", "learned.scene"):
        found = [(tmp_path / str(helpers) / name).read_bytes() for helpers in (0, 2)]
        assert found[0] == found[1], name
    still = moving(place, tmp_path, 'learn.stages=["structure"]')
    learn(still, place / "target", tmp_path / "still")
    ours, theirs = (
        [line for line in metrics(tmp_path / name) if line["phase"] == "reinforce"]
        for name in ("0", "still")
    )
    assert ours[0]["discrepancy"] != theirs[0]["discrepancy"]


def test_attributes_alone_leave_the_structure_of_the_prior(place, tmp_path):
    learn(
        moving(place, tmp_path, 'learn.stages=["attributes"]'), place / "target", tmp_path / "run"
    )
    assert {line["phase"] for line in metrics(tmp_path / "run")} == {"features", "attributes"}
    loaded = recipe.load(tmp_path / "run")
    assert load_model(tmp_path / "run" / "model.safetensors", loaded.world()).structure is None


def test_attributes_of_a_world_that_has_none_are_refused(place, tmp_path):
    asked = quick(place, 'learn.stages=["attributes"]')
    refused(["mutable"], asked, place / "target", tmp_path / "run")
    assert not (tmp_path / "run" / "metrics.jsonl").exists()
