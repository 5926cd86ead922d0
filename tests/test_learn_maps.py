"""`learn` from label maps, end to end: layouts and appearance, generated, verified, resumed."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from pairs import DRAWN, DREAMED, write_learner, write_pairs
from PIL import Image
from resuming import killed_when
from rewriting import rewritten
from safetensors.torch import load_file

from datagen import pipeline
from datagen.audit import audit_frame
from datagen.edits import Edits
from datagen.errors import InputError, PartialError, RecipeError
from datagen.jobs.conducted import Conducted
from datagen.jobs.executors import InProcess
from datagen.labels import annotate
from datagen.learning import job
from datagen.learning.appearance import looks
from datagen.learning.job import learn
from datagen.learning.maps import sheets
from datagen.learning.maps.statements import statements
from datagen.learning.run import RunFolder
from datagen.reading.maps import read_maps
from datagen.recipe import load
from datagen.report import colour_of

LEFT = {"layout.safetensors", "appearance.safetensors", "metrics.jsonl", "report.json"}
STEPS = {"layout": 9, "gate": 6, "appearance": 3 + 2 * 3 + 1}
TWO_STEPS = ("--set", "train.steps=2", "--set", "train.batch=2")


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("yard")
    write_pairs(folder / "pairs")
    write_learner(folder / "dreamed", DREAMED)
    write_learner(folder / "drawn", DRAWN)
    return folder


@pytest.fixture(scope="module")
def ticks():
    return []


@pytest.fixture(scope="module")
def run(place, ticks) -> Path:
    """A run of SemGAN and conditional IMLE that nothing disturbed; read-only."""
    report = learn(
        load(place / "dreamed/yard.toml"), place / "pairs", place / "run", progress=ticks.append
    )
    assert report.targets == 6 and report.rejected == 0
    return place / "run"


@pytest.fixture(scope="module")
def drawn_run(place) -> Path:
    """A run that learned the pixels of a drawn world; read-only."""
    learn(load(place / "drawn/yard.toml"), place / "pairs", place / "drawn-run")
    return place / "drawn-run"


def content(run: Path) -> dict[str, str]:
    return {name: hashlib.sha256((run / name).read_bytes()).hexdigest() for name in LEFT}


def metrics(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


# ----------------------------------------------------------------------------------- what is left


def test_every_step_has_its_reading_and_progress_is_told_to_the_end(run, ticks):
    expected = [(phase, k + 1) for phase, steps in STEPS.items() for k in range(steps)]
    assert [(line["phase"], line["iteration"]) for line in metrics(run)] == expected
    for phase, steps in STEPS.items():
        told = [tick for tick in ticks if tick.phase == phase]
        assert told[-1].step == told[-1].steps == steps


def test_the_recipe_of_the_run_has_weights_by_their_names_and_can_be_moved(run, tmp_path):
    stored = json.loads((run / "recipe.json").read_text())
    assert stored["generator"]["weights"]["source"] == "layout.safetensors"
    assert stored["renderers"][0]["weights"]["source"] == "appearance.safetensors"
    shutil.copytree(run, tmp_path / "moved")
    moved = load(tmp_path / "moved")
    assert moved.untaught() == {} and moved.digest == load(run).digest
    weights = moved.renderers[0].weights
    assert weights is not None and str(tmp_path / "moved") in weights.source


def test_the_report_says_what_was_learned_and_shows_it(run):
    page = (run / "report.html").read_text()
    data = json.loads((run / "report.json").read_text())
    said = {one["kind"]: one["text"] for one in data["statements"]}
    assert "from 6 label maps" in page and "No map shows post" in said["not learned"]
    assert [sheet["file"] for sheet in data["sheets"]] == [
        "maps.png", "layouts.png", "pairs.png", "images.png"
    ]  # fmt: skip
    assert page.count("data:image/webp") == 4
    for title in ("Layouts: a generator", "Gate: a network", "Appearance: a generator"):
        assert title in page


def test_classes_that_no_layout_shows_are_said_to_be_missing(place, run, tmp_path):
    recipe, maps = load(place / "dreamed/yard.toml"), read_maps(place / "pairs", load(run).world())
    weights = run / "layout.safetensors"
    tensors = load_file(weights)
    layer = max(int(name.split(".")[1]) for name in tensors if name.startswith("body."))
    last = f"body.{layer}.bias"
    ground = 1 + (*maps.categories, *maps.stuff).index("ground")
    bias = tensors[last] + 1e6 * (torch.arange(len(tensors[last])) == ground)
    flat = rewritten(weights, tmp_path / "flat.safetensors", tensors={last: bias})
    taught = recipe.with_weights({"layout": flat, "appearance": run / "appearance.safetensors"})
    said = [one.text for one in statements(recipe, maps, taught) if one.kind == "not learned"]
    (text,) = [text for text in said if "None of 64 layouts shows" in text]
    assert "shows crate, sky," in text


def test_classes_of_the_label_maps_that_the_world_lacks_are_said_to_be_ignored(
    place, run, tmp_path
):
    folder = shutil.copytree(place / "pairs", tmp_path / "pairs")
    (folder / "classes.txt").write_text("-\nmoon\nground\ncrate\n")
    recipe = load(place / "dreamed/yard.toml")
    maps = read_maps(folder, recipe.world())
    share = sum(np.mean(maps.source.values(item.map) == 1) for item in maps.source.items) / 6
    (said,) = [one for one in statements(recipe, maps, load(run)) if "moon" in one.text]
    assert said.kind == "not learned"
    assert f"yard has no moon ({share:.1%}): {share:.1%} of the label maps' pixels" in said.text


def test_label_maps_on_a_sheet_have_a_legend_of_what_they_show(place, run):
    maps = read_maps(place / "pairs", load(run).world())
    sheet = sheets.given_maps(maps)
    legend = sheet[-30:].reshape(-1, 3)
    for name, is_told in (("crate", True), ("post", False), ("sky", True)):
        number = (*maps.categories, *maps.stuff).index(name) + 1
        assert (legend == colour_of(number)).all(1).any() == is_told, name


def test_an_appearance_without_styles_is_shown_once(place, drawn_run):
    maps = read_maps(place / "pairs", load(drawn_run).world())
    widths = []
    for sets in ((), ("learn.appearance.style=0", "learn.appearance.draws=1")):
        recipe = load(drawn_run, sets)
        widths.append(sheets.learned_pairs(recipe, recipe.parts["renderers.1"], maps).shape[1])
    assert widths == [5 * 170 + 10, 3 * 170 + 10]  # map and photo, and what was learned


def test_the_classes_that_look_like_another_one_are_not_said_to_be_missing(place, tmp_path):
    recipe = load(place / "drawn/yard.toml", ["learn.appearance.like={post='crate'}"])
    report = learn(recipe, place / "pairs", tmp_path / "run")
    assert not [one for one in report.statements if one.kind == "not learned"]


# --------------------------------------------------------------------------------------- datasets


def test_a_run_generates_what_can_be_verified_trained_on_made_again_and_moved(run, cli, tmp_path):
    done = cli("generate", run, "--out", tmp_path / "d", "--set", "renderers.0.gate=0.0")
    assert done.code == 0, done.err
    assert cli("verify", tmp_path / "d", "--rerender", "1").code == 0
    names = {path.name for path in (tmp_path / "d").iterdir()}
    assert {"generator.safetensors", "renderer-0.safetensors"} <= names
    labels = json.loads((tmp_path / "d/annotations.json").read_text())
    assert [c["name"] for c in labels["categories"]] == ["crate", "post"]
    card = " ".join((tmp_path / "d/README.md").read_text().split())
    assert "things of one class that touch are one instance" in card
    assert cli("preview", run, "-n", 2, "-o", tmp_path / "p.png").code == 0
    assert cli("check", run).code == 0
    cited = cli("cite", run).out
    assert "Adversarial Pixel-Level" in cited and "Conditional {IMLE}" in cited
    done = cli("train", tmp_path / "d", "--out", tmp_path / "detector", *TWO_STEPS)
    assert done.code == 0, done.err
    learned = json.loads((tmp_path / "detector/train.json").read_text())
    assert (learned["pictures"], learned["validation"]["pictures"]) == (4, 1)
    assert any(learned["things"]["training"].values())
    assert (tmp_path / "detector/model.safetensors").is_file()
    shutil.move(tmp_path / "d", tmp_path / "e")
    again = cli("regen", tmp_path / "e", 3, "-o", tmp_path / "again.png")
    assert again.code == 0, again.err


def test_the_labels_of_a_drawn_world_stay_while_its_pixels_are_learned(place, drawn_run):
    plain = load(place / "drawn/yard.toml").model_copy(
        update={"renderers": load(place / "drawn/yard.toml").renderers[:1]}
    )
    learned = load(drawn_run)
    assert learned.generator.use == "prior" and learned.renderers[0].weights is None
    with pipeline.opened(plain) as one, pipeline.opened(learned) as other:
        for k in range(4):
            before, after = pipeline.label(k, *one(k)), pipeline.label(k, *other(k))
            assert before.annotations == after.annotations and before.scene == after.scene
            assert not np.array_equal(before.frame.image, after.frame.image)


def test_a_gate_that_nothing_passes_says_what_to_do_and_one_that_rejects_is_counted(run, tmp_path):
    with pytest.raises(PartialError, match="20 pictures of it were rejected.*lower the renderer"):
        pipeline.generate(load(run, ["renderers.0.gate=1.0"]), tmp_path / "none")
    with pipeline.opened(load(run, ["renderers.0.gate=0.3"])) as make_frame:
        assert sum(make_frame(k).rejected for k in range(4)) > 0


def test_a_job_learns_the_same_and_takes_its_folder_first(place, run, tmp_path):
    order = job.order(load(place / "dreamed/yard.toml"), place / "pairs", tmp_path / "run")
    assert not (tmp_path / "run").exists()
    order.claim()
    assert (tmp_path / "run/meta.json").is_file()
    with pytest.raises(RecipeError, match="of `learn` that has not ended; go on with --resume"):
        load(tmp_path / "run")
    told = []
    means = Conducted(InProcess, lambda done, total, words: told.append(done), print)
    report = job.conduct(json.loads(json.dumps(order.arguments)), means)
    assert content(tmp_path / "run") == content(run) and told
    assert report["targets"] == 6 and report["statements"]


# ----------------------------------------------------------------------------- looks and changes


def test_a_look_between_two_and_that_of_a_photo_are_shown(place, drawn_run, cli, tmp_path):
    out = ("-n", 2, "-o", tmp_path / "p.png")
    done = cli("preview", drawn_run, *out, "--between", "0,3")
    assert done.code == 0, done.err
    with Image.open(tmp_path / "p.png") as sheet:
        assert sheet.size[0] == 7 * (32 * 5 + 10) + 10
    done = cli("preview", drawn_run, *out, "--like", place / "pairs/images/2.png", "--json")
    assert done.code == 0, done.err
    code = json.loads(done.out)["code"]
    assert 0 <= code < 4  # styles of the bank
    liked = (tmp_path / "p.png").read_bytes()
    assert cli("preview", drawn_run, *out, "--set", f"renderers.1.code={code}").code == 0
    assert (tmp_path / "p.png").read_bytes() == liked


def test_each_style_between_two_shows_the_same_scenes(run):
    ways = looks.between(load(run, ["renderers.0.gate=1.0"]), "1,2", 3)
    first, *others = [next(iter(pipeline.first(way, 1))) for way in ways]
    assert all(np.array_equal(first.class_map, other.class_map) for other in others)
    assert not np.array_equal(first.image, others[-1].image)


def test_looks_that_cannot_be_shown_are_refused_in_one_line(place, drawn_run, cli, tmp_path):
    out, photo = ("-o", tmp_path / "p.png"), place / "pairs/images/2.png"
    shutil.copy(photo, tmp_path / "alone.png")
    cli("preview", drawn_run, *out, "--between", "3").refused(2, "--between 3,7")
    cli("preview", drawn_run, *out, "--between", "1,2", "--drop", 1).refused(2, "no change")
    for path, words in ((tmp_path / "alone.png", "no label map"), (tmp_path / "no", "not there")):
        cli("preview", drawn_run, *out, "--like", path).refused(2, words, "folder of label maps")
    plain = ("--set", 'renderers=[{use="raster"}]')
    cli("preview", drawn_run, *out, *plain, "--like", photo).refused(2, "this recipe has `raster`")
    with pytest.raises(InputError, match="keeps no styles; learn with learn.appearance.bank above"):
        looks.like(load(without_bank(place, tmp_path)), photo)
    assert not (tmp_path / "p.png").exists()


def without_bank(place: Path, folder: Path) -> Path:
    recipe = load(place / "drawn/yard.toml", ["learn.appearance.bank=0"])
    learn(recipe, place / "pairs", folder / "bankless")
    return folder / "bankless"


@pytest.mark.parametrize("learned", ["run", "drawn_run"])
def test_a_thing_is_taken_away_and_the_layout_without_it_is_drawn(learned, request):
    loaded, seen = load(request.getfixturevalue(learned)), 0
    for before, after in pipeline.first_edited(loaded, 4, Edits(dropped=frozenset({1}))):
        assert {thing.id for thing in after.instances} == {
            thing.id for thing in before.instances if thing.id != 1
        }
        assert audit_frame(after, annotate(after)) == []
        is_seen = bool((before.instance_map == 1).any())
        assert np.array_equal(before.image, after.image) != is_seen
        seen += is_seen
    assert seen


# ----------------------------------------------------------------------------------------- resume


class _Stopped(Exception):
    """Somebody pulled the plug."""


def resumed(place: Path, out: Path) -> dict[str, str]:
    learn(load(place / "dreamed/yard.toml"), place / "pairs", out, resume=True)
    return content(out)


@pytest.mark.parametrize("phase", STEPS)
def test_a_run_stopped_in_any_phase_comes_to_the_same_bytes(
    place, run, tmp_path, monkeypatch, phase
):
    save = RunFolder.save

    def stop(folder, of, step, tensors):
        save(folder, of, step, tensors)
        if of == phase:
            raise _Stopped

    monkeypatch.setattr(RunFolder, "save", stop)
    with pytest.raises(_Stopped):
        learn(load(place / "dreamed/yard.toml"), place / "pairs", tmp_path / "run")
    monkeypatch.undo()
    assert (tmp_path / f"run/checkpoints/{phase}-00000004").is_dir()
    assert resumed(place, tmp_path / "run") == content(run)


def test_a_run_killed_outright_comes_to_the_same_bytes(place, run, tmp_path):
    out = tmp_path / "run"
    there = out / "checkpoints/appearance-00000004"
    recipe, target = place / "dreamed/yard.toml", place / "pairs"
    killed_when(there, "learn", recipe, "--target", target, "--out", out)
    assert resumed(place, out) == content(run)


def test_a_run_killed_before_its_weights_were_written_comes_to_the_same_bytes(place, run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    for name in ("layout.safetensors", "appearance.safetensors", "recipe.json", "report.json"):
        (tmp_path / "run" / name).unlink()
    assert resumed(place, tmp_path / "run") == content(run)


def test_a_run_is_not_resumed_with_other_maps_or_settings(place, run, tmp_path):
    recipe = place / "dreamed/yard.toml"
    other = write_pairs(tmp_path / "other", 7)
    with pytest.raises(InputError, match="started with something else.*pictures of the target"):
        learn(load(recipe), other, run, resume=True)
    with pytest.raises(InputError, match=r"learn.layout.width: 4 -> 8"):
        learn(load(recipe, ["learn.layout.width=8"]), place / "pairs", run, resume=True)


# --------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("verb", ["generate", "preview"])
def test_a_recipe_that_has_not_learned_yet_says_so_in_one_line(place, cli, tmp_path, verb):
    out = ("-o", tmp_path / "x.png") if verb == "preview" else ("--out", tmp_path / "d")
    done = cli(verb, place / "dreamed/yard.toml", *out)
    done.refused(2, "generator: `semgan` has not learned anything yet", "`datagen learn`")
    assert not (tmp_path / "d").exists()
    done = cli("check", place / "dreamed/yard.toml")
    assert done.code == 0 and "`semgan` takes names and the canvas from this grammar" in done.out
    assert "an image holds" not in done.out


def test_targets_that_cannot_teach_are_refused_before_anything_is_written(place, tmp_path):
    drawn, dreamed = (load(place / name / "yard.toml") for name in ("drawn", "dreamed"))
    photos = tmp_path / "photos"
    shutil.copytree(place / "pairs/images", photos)
    bare = write_pairs(tmp_path / "bare")
    shutil.rmtree(bare / "images")
    few = write_pairs(tmp_path / "few", 3)
    for recipe, target, words in (
        (drawn, photos, "no label maps are found here; give"),
        (drawn, bare, "have no pictures, and what layouts look like is learned from them"),
        (dreamed, few, "need at least 4 label maps to learn from, found 3"),
    ):
        with pytest.raises(InputError, match=words):
            learn(recipe, target, tmp_path / "run")
    odd = load(place / "drawn/yard.toml", ["learn.appearance.like={post='lamp'}"])
    with pytest.raises(InputError, match=r"learn.appearance.like: post = 'lamp'"):
        learn(odd, place / "pairs", tmp_path / "run")
    with pytest.raises(InputError, match="--truth is for learning a grammar's structure"):
        learn(drawn, place / "pairs", tmp_path / "run", truth=tmp_path / "t.json")
    assert not (tmp_path / "run").exists()


def test_layouts_alone_need_no_pictures(place, run, tmp_path):
    bare = write_pairs(tmp_path / "bare")
    shutil.rmtree(bare / "images")
    painted = f'renderers.0.weights="{run / "appearance.safetensors"}"'
    recipe = load(place / "dreamed/yard.toml", [painted])
    assert recipe.untaught() == {"generator": "layout"}
    learn(recipe, bare, tmp_path / "run")
    assert (tmp_path / "run/layout.safetensors").read_bytes() == (
        run / "layout.safetensors"
    ).read_bytes()


def test_a_recipe_of_layouts_alone_makes_no_pictures(place):
    with pytest.raises(RecipeError, match=r"gives a Layout, no picture; add a \[\[renderers\]\]"):
        load(place / "dreamed/yard.toml", ["renderers=[]"])


def test_what_has_learned_already_is_not_taught_again(run, place, tmp_path):
    with pytest.raises(InputError, match="have learned already, and `semgan` takes no structure"):
        learn(load(run), place / "pairs", tmp_path / "again")


def test_structure_is_not_learned_through_a_gate(place, drawn_run, tmp_path):
    gated = load(drawn_run, ["renderers.1.gate=0.5"])
    with pytest.raises(InputError, match=r"rejects some; switch its gate off"):
        learn(gated, place / "pairs/images", tmp_path / "again")
