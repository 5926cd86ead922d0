"""`learn` from photos alone, end to end: RELATE and GNM, generated, verified, resumed, refused."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from balls import GNM, RELATE, write_learner, write_photos
from PIL import Image
from resuming import killed_when
from rewriting import rewritten
from safetensors.torch import load_file
from test_videos import filmed

from datagen import pipeline
from datagen.audit import audit_frame
from datagen.edits import Edits
from datagen.errors import InputError, RecipeError
from datagen.jobs.conducted import Conducted
from datagen.jobs.executors import InProcess
from datagen.labels import annotate
from datagen.learning import job
from datagen.learning.job import learn
from datagen.learning.parts.material import first_images
from datagen.learning.photos import statements as of_photos
from datagen.learning.photos.statements import overlap, statements
from datagen.learning.spec import Spec, read_spec
from datagen.recipe import load
from datagen.rng import Stream, rng_for

METHODS = {"relate": RELATE, "gnm": GNM}
STEPS = 9
TWO_STEPS = ("--set", "train.steps=2", "--set", "train.batch=2")


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("table")
    write_photos(folder / "photos")
    for name, parts in METHODS.items():
        write_learner(folder / name, parts)
    return folder


@pytest.fixture(scope="module", params=METHODS)
def method(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def ticks():
    return []


@pytest.fixture(scope="module")
def run(place, method, ticks) -> Path:
    """A run that nothing disturbed; read-only."""
    ticks.clear()
    out = place / f"run-{method}"
    report = learn(recipe_of(place, method), place / "photos", out, progress=ticks.append)
    assert report.targets == 24 and report.rejected == 0
    assert report.to_json()["makes_images"]
    return out


def recipe_of(place, method, *sets):
    return load(place / method / "table.toml", sets)


def content(run: Path, method: str) -> dict[str, str]:
    left = (f"{method}.safetensors", "metrics.jsonl", "report.json")
    return {name: hashlib.sha256((run / name).read_bytes()).hexdigest() for name in left}


def metrics(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


# ----------------------------------------------------------------------------------- what is left


def test_every_step_has_its_reading_and_progress_is_told_to_the_end(run, method, ticks):
    told = [(line["phase"], line["iteration"]) for line in metrics(run)]
    assert told == [(method, k + 1) for k in range(STEPS)]
    assert ticks[-1].phase == method and ticks[-1].step == ticks[-1].steps == STEPS


def test_the_recipe_of_the_run_has_weights_by_their_name_and_can_be_moved(run, method, tmp_path):
    stored = json.loads((run / "recipe.json").read_text())
    assert stored["generator"]["weights"]["source"] == f"{method}.safetensors"
    shutil.copytree(run, tmp_path / "moved")
    moved = load(tmp_path / "moved")
    assert moved.untaught() == {} and moved.digest == load(run).digest
    weights = moved.generator.weights
    assert weights is not None and str(tmp_path / "moved") in weights.source


def test_the_report_says_what_was_learned_and_shows_photos_and_things(run, method):
    page = (run / "report.html").read_text()
    data = json.loads((run / "report.json").read_text())
    assert "Pictures of 32 x 32 px, from 24 photos" in page
    assert "some thousand teach more" in page
    read = ["read.png"] if method == "gnm" else []
    shown = [sheet["file"] for sheet in data["sheets"]]
    assert shown == ["photos.png", *read, "things.png", "images.png"]
    assert page.count("data:image/webp") == len(shown)
    assert {"relate": "RELATE: a generator", "gnm": "GNM: a model"}[method] in page


def test_pictures_are_shown_as_they_are_beside_their_labels(run):
    (sheet,) = first_images(load(run))
    plain, beside = sheet.pixels[10:170, 10:170], sheet.pixels[10:170, 180:340]
    image = next(pipeline.first(load(run), 1)).image  # five times as large on the sheet
    assert np.array_equal(plain, image.repeat(5, 0).repeat(5, 1))
    assert not np.array_equal(beside, plain)


# --------------------------------------------------------------------------------------- datasets


def test_a_run_generates_what_can_be_verified_trained_on_made_again_and_moved(
    run, method, cli, tmp_path
):
    done = cli("generate", run, "--out", tmp_path / "d")
    assert done.code == 0, done.err
    assert cli("verify", tmp_path / "d", "--rerender", "1").code == 0
    assert "generator.safetensors" in {path.name for path in (tmp_path / "d").iterdir()}
    labels = json.loads((tmp_path / "d/annotations.json").read_text())
    assert [c["name"] for c in labels["categories"]] == ["box", "ball"]
    assert {thing["category_id"] for thing in labels["annotations"]} == {2}
    card = " ".join((tmp_path / "d/README.md").read_text().split())
    assert "**The labels are the model's own and not exact**" in card
    assert "they are exact" not in card
    assert cli("preview", run, "-n", 2, "-o", tmp_path / "p.png").code == 0
    assert cli("check", run).code == 0
    cited = {"relate": "Structured Latent Spaces", "gnm": "Generative Neurosymbolic Machines"}
    assert cited[method] in cli("cite", run).out
    done = cli("train", tmp_path / "d", "--out", tmp_path / "detector", *TWO_STEPS)
    assert done.code == 0, done.err
    learned = json.loads((tmp_path / "detector/train.json").read_text())
    assert (learned["pictures"], learned["validation"]["pictures"]) == (4, 1)
    assert any(learned["things"]["training"].values())
    assert (tmp_path / "detector/model.safetensors").is_file()
    shutil.move(tmp_path / "d", tmp_path / "e")
    again = cli("regen", tmp_path / "e", 3, "-o", tmp_path / "again.png")
    assert again.code == 0, again.err


def test_the_things_of_a_run_are_moved_dropped_and_given_another_look(run, cli, tmp_path):
    out = ("-n", 2, "-o", tmp_path / "p.png")
    done = cli("preview", run, *out, "--move", "1:3,0", "--drop", 2, "--recolour", 1)
    assert done.code == 0, done.err
    with Image.open(tmp_path / "p.png") as sheet:
        assert sheet.width > 4 * 160  # two pairs
    cli("preview", run, *out, "--drop", 99).refused(2, "there is no thing 99 in these pictures")
    done = cli("preview", run, *out, "--move", "1:500,0")
    done.refused(2, "image 0: --move: thing 1 would be at (5", "outside the picture of 32 x 32 px")


def test_an_edit_changes_the_picture_that_would_have_been_made(run):
    plain = list(pipeline.first(load(run), 3))
    for edits in (Edits(dropped=frozenset({1})), Edits(recoloured=frozenset({1}))):
        pairs = list(pipeline.first_edited(load(run), 3, edits))
        for (before, after), other in zip(pairs, plain, strict=True):
            assert np.array_equal(before.image, other.image)
            assert not np.array_equal(before.image, after.image)
            left = {thing.id for thing in before.instances} - edits.dropped
            assert {thing.id for thing in after.instances} == left
            assert audit_frame(after, annotate(after)) == []


@pytest.mark.parametrize("method", ["relate"], scope="module")  # jobs do not look at it
def test_a_job_learns_the_same_and_takes_its_folder_first(place, run, method, tmp_path):
    order = job.order(recipe_of(place, method), place / "photos", tmp_path / "run")
    assert not (tmp_path / "run").exists()
    order.claim()
    assert (tmp_path / "run/meta.json").is_file()
    means = Conducted(InProcess, lambda done, total, words: None, print)
    report = job.conduct(json.loads(json.dumps(order.arguments)), means)
    assert content(tmp_path / "run", method) == content(run, method)
    assert report["targets"] == 24 and report["statements"]


# -------------------------------------------------------------------------------- worthless models


def test_samples_with_all_things_in_the_same_places_are_told(run, monkeypatch):
    taught, told = load(run), "in the same places"
    assert not any(told in one.text for one in statements(taught, 24))

    def always(seed, *_):
        return rng_for(seed, 1, Stream.EVALUATE)

    monkeypatch.setattr(of_photos, "rng_for", always)
    assert [one.kind for one in statements(taught, 24) if told in one.text] == ["not learned"]


def test_the_overlap_of_two_samples_things_is_that_of_their_insides():
    one = np.zeros((8, 8), np.uint8)
    one[1:5, 1:5], one[5:8, 5:8] = 1, 2
    other = one.copy()
    other[one == 1], other[one == 2] = 2, 1  # numbers do not matter
    assert overlap(one, other) == overlap(one, one) == 1
    assert overlap(one, np.zeros_like(one)) == 0
    assert overlap(np.zeros_like(one), np.zeros_like(one)) == 1
    other[4, 1] = 0
    assert 0.8 < overlap(one, other) < 1  # a pixel makes no other place
    left, down = np.ones((2, 8, 8), np.uint8)
    left[:, 4:], down[4:] = 2, 2  # both fill the picture
    assert overlap(left, down) == pytest.approx(6 * 6 / (6 * 7 + 7 * 6 - 6 * 6))


def test_attempts_that_were_given_up_are_told(place, tmp_path):
    recipe = recipe_of(place, "relate", "learn.relate.steps=3", "learn.relate.attempts=2")
    report = learn(recipe, place / "photos", tmp_path / "run")
    assert len(metrics(tmp_path / "run")) == 1 + 3
    assert any("At attempt 2 of 2" in one.text for one in report.statements)


def test_a_model_whose_background_paints_everything_is_said_to_be_worthless_and_makes_nothing(
    place, cli, tmp_path
):
    learn(recipe_of(place, "relate", "learn.relate.steps=1"), place / "photos", tmp_path / "run")
    file = tmp_path / "run/relate.safetensors"
    last = "before.norms.2.style."  # (1 + scale) x + bias: what objects are made of becomes 0
    weight = torch.zeros_like(load_file(file)[f"{last}weight"])
    bias = torch.tensor([-1.0, 0.0]).repeat_interleave(16)
    rewritten(file, file, tensors={f"{last}weight": weight, f"{last}bias": bias})
    emptied = load(place / "relate/table.toml").with_weights({"relate": file})
    (said,) = [one.text for one in statements(emptied, 24) if one.kind == "not learned"]
    assert "its background paints the objects" in said and str(tmp_path) not in said
    (tmp_path / "run/recipe.json").write_text(json.dumps(emptied.encode()))
    done = cli("generate", tmp_path / "run", "--out", tmp_path / "d")
    done.refused(2, "its background paints the objects", "nothing can be labelled")
    assert not (tmp_path / "d").exists()


def test_a_model_that_shows_no_object_says_so_makes_nothing_and_leaves_a_report(
    place, cli, tmp_path
):
    sets = ("learn.gnm.steps=1", "generator.threshold=0.99")
    recipe, told = place / "gnm/table.toml", [word for one in sets for word in ("--set", one)]
    done = cli("learn", recipe, "--target", place / "photos", "--out", tmp_path / "run", *told)
    assert done.code == 0, done.err
    assert done.err.splitlines()[-1].endswith("report.html; it makes no images")
    data = json.loads((tmp_path / "run/report.json").read_text())
    kinds = [one["kind"] for one in data["statements"]]
    assert kinds == ["learned", "not learned", "unknown", "warning"]
    assert "shows no object" in data["statements"][1]["text"]
    assert [sheet["file"] for sheet in data["sheets"]] == ["photos.png", "read.png"]
    done = cli("generate", tmp_path / "run", "--out", tmp_path / "d")
    done.refused(2, "shows no object in any sample")
    assert not (tmp_path / "d").exists()


# ----------------------------------------------------------------------------------------- resume


def test_a_run_killed_outright_comes_to_the_same_bytes(place, run, method, tmp_path):
    out = tmp_path / "run"
    there = out / f"checkpoints/{method}-00000004"
    recipe, target = place / method / "table.toml", place / "photos"
    killed_when(there, "learn", recipe, "--target", target, "--out", out)
    learn(recipe_of(place, method), target, out, resume=True)
    assert content(out, method) == content(run, method)


def test_a_run_is_not_resumed_with_other_photos_or_settings(place, run, method, tmp_path):
    other = write_photos(tmp_path / "other", seed=1)
    with pytest.raises(InputError, match="started with something else.*pictures of the target"):
        learn(recipe_of(place, method), other, run, resume=True)
    changed = recipe_of(place, method, f"learn.{method}.batch=8")
    with pytest.raises(InputError, match=rf"learn.{method}.batch: 4 -> 8"):
        learn(changed, place / "photos", run, resume=True)


def test_how_often_a_checkpoint_is_written_may_change(place, run, method):
    changed = recipe_of(place, method, f"learn.{method}.checkpoint_every=3")
    before = read_spec(run)
    assert Spec(changed, before.target, before.version).differing(run) == []


# --------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("verb", ["generate", "preview"])
def test_a_recipe_that_has_not_learned_yet_says_so_in_one_line(place, method, cli, tmp_path, verb):
    out = ("-o", tmp_path / "x.png") if verb == "preview" else ("--out", tmp_path / "d")
    done = cli(verb, place / method / "table.toml", *out)
    words = (f"generator: `{method}` has not learned anything yet", "and photos to `datagen learn`")
    done.refused(2, *words)
    assert not (tmp_path / "d").exists()
    done = cli("check", place / method / "table.toml")
    assert done.code == 0 and f"`{method}` takes names and the canvas" in done.out


def test_label_maps_are_no_photos(place, method, tmp_path):
    (tmp_path / "maps/maps").mkdir(parents=True)
    (tmp_path / "maps/classes.txt").write_text("-\nball\n")
    write_photos(tmp_path / "maps/images")
    numbers = tmp_path / "numbers"
    numbers.mkdir()
    for k in range(20):
        Image.fromarray(np.full((32, 32), k % 12, np.uint8)).save(numbers / f"{k}.png")
    recipe = recipe_of(place, method)
    for target, words in (
        (tmp_path / "maps", f"is a folder of label maps, and `{method}` learns from photos alone"),
        (numbers, "no pixel of its pictures is brighter than 11 of 255, as in label maps"),
    ):
        with pytest.raises(InputError, match=words):
            learn(recipe, target, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_folder_of_too_few_photos_is_refused(place, method, tmp_path):
    few = write_photos(tmp_path / "few", 15)
    with pytest.raises(InputError, match="need at least 16 images; found 15 in"):
        learn(recipe_of(place, method), few, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_video_is_learned_from_as_photos_are(place, cli, tmp_path):
    """It goes on under another name; a photo of it is no video, and nothing is written then."""
    file, source = filmed(tmp_path / "v.avi"), place / "gnm" / "table.toml"
    done = cli("learn", source, "--target", file, "--out", tmp_path / "run", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["targets"] == 20
    moved = file.rename(tmp_path / "w.avi")
    again = cli("learn", source, "--target", moved, "--out", tmp_path / "run", "--resume")
    assert again.code == 0, again.err
    photo = next((place / "photos").iterdir())
    refused = cli("learn", source, "--target", photo, "--out", tmp_path / "no")
    refused.refused(2, photo.name, "is no MP4", "give another video, or a folder of photos")
    assert not (tmp_path / "no").exists()


def test_truth_is_no_part_of_learning_from_photos_alone(place, method, tmp_path):
    with pytest.raises(InputError, match="--truth is for learning a grammar's structure"):
        learn(
            recipe_of(place, method), place / "photos", tmp_path / "run", truth=tmp_path / "t.json"
        )


def test_a_world_of_several_categories_wants_one_to_be_named(place, method, tmp_path):
    unnamed = METHODS[method].replace('category = "ball"\n', "")
    recipe = load(write_learner(tmp_path / "two", unnamed))
    with pytest.raises(InputError, match=rf"2 categories \(box, ball\).*learn.{method}.category"):
        learn(recipe, place / "photos", tmp_path / "run")
    wrong = recipe_of(place, method, f"learn.{method}.category=cone")
    with pytest.raises(InputError, match=rf"learn.{method}.category: table has no 'cone'"):
        learn(wrong, place / "photos", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_canvas_that_does_not_fit_is_refused_before_anything_is_written(place, method, tmp_path):
    with pytest.raises(InputError, match="30 x 30 px.*canvas"):
        learn(recipe_of(place, method, "canvas=[30, 30]"), place / "photos", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_has_learned_already_is_not_taught_again(run, method, place, tmp_path):
    with pytest.raises(InputError, match=f"have learned already, and `{method}` takes no struct"):
        learn(load(run), place / "photos", tmp_path / "again")


def test_parts_that_learn_from_photos_and_from_label_maps_cannot_do_both_in_one_run(
    place, method, tmp_path
):
    recipe = recipe_of(place, method, 'renderers=[{use="imle"}]')
    words = rf"generator \(`{method}`\) from photos and renderers.0 \(`imle`\) from label maps"
    with pytest.raises(RecipeError, match=words):
        learn(recipe, place / "photos", tmp_path / "run")


def test_a_run_is_no_folder_of_photos(run, method, place, tmp_path):
    with pytest.raises(InputError, match="is a run of `datagen learn`, no set of pictures"):
        learn(recipe_of(place, method), run, tmp_path / "again")
