"""`datagen advise` from outside: what it writes, what it says, what it refuses."""

import json
from pathlib import Path

import pytest
from test_gallery import NASTY, Page, assert_strict

from datagen import language, recipe
from datagen.errors import InputError
from datagen.language import expected_things
from datagen.report.advice import write_advice
from datagen.report.training import RESULT

WORLD = """
    world small
    canvas 48 x 32
    start Scene
    Scene -> ground car * uniform_int(0, 6) tree * uniform_int(0, 6)
    ground { draw: ground }
    car { draw: car  category: "car"  x: uniform(0, 1) width  y: uniform(0, 1) height
          length: 9 px  width: 5 px }
    tree { draw: tree  category: "tree"  x: uniform(0, 1) width  y: uniform(0, 1) height
           size: uniform(5, 7) px  exemplar: uniform(0, 1) }
"""
FOUND = {"car": (500, 0.9), "tree": (500, 0.3)}  # things, recall


def report(trained_on: int | None = 1000, ap50: float = 0.4, **changes: object) -> dict:
    rows = [("symbol", name, things, recall) for name, (things, recall) in FOUND.items()]
    rows += [("distance", "0-10", 600, 0.9), ("distance", "10-20", 400, 0.2)]
    measures = {"AP": ap50 / 2, "AP50": ap50, "AP75": ap50 / 3, "per_category": {}}
    return {
        "format": "datagen-evaluation-1",
        "run": "runs/none",
        "dataset": "data/city",
        "pictures": 100,
        "trained_on": trained_on,
        "categories": ["car", "tree"],
        "bbox": measures,
        "segm": None,
        "kitti": None,
        "slices": [
            {"factor": f, "label": label, "low": None, "high": None, "things": n}
            | {"AP50": recall, "recall": recall}
            for f, label, n, recall in rows
        ],
        **changes,
    }


@pytest.fixture
def evaluated(tmp_path):
    """Write an evaluation's folder."""

    def write(name: str = "eval", **changes: object) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "report.json").write_text(json.dumps(report(**changes)))
        return folder

    return write


def test_a_proposal_can_be_generated_and_holds_more_of_what_is_missed(
    evaluated, write_recipe, tmp_path, cli
):
    source, out = write_recipe(WORLD), tmp_path / "advice"
    done = cli("advise", evaluated(), "--recipe", source, "--out", out, "--json")
    assert done.code == 0, done.err
    said = json.loads(done.out)
    things = expected_things(language.load(out / "proposed.scene"))
    assert things["tree"] > 3.9
    assert things["car"] == pytest.approx(3.0, abs=0.1)
    assert said["categories"]["after"]["tree"] == pytest.approx(things["tree"], abs=1e-3)
    assert "mean count 3.00 ->" in said["diff"]
    assert "no rule for it: By distance, metres, 10-20: 20 % found" in done.err
    assert "made more: tree" in done.err
    old, new = recipe.load(source), recipe.load(out / "recipe.toml")
    assert recipe.differences(old, new)[0].startswith("grammar.name: small -> proposed")
    made = cli("generate", out / "recipe.toml", "--out", tmp_path / "made")
    assert made.code == 0, made.err
    assert_strict(Page(out / "report.html"))
    assert len(Page(out / "report.html").all("img")) == 2


def test_a_dataset_is_as_good_as_a_recipe(evaluated, write_recipe, tmp_path, cli):
    assert cli("generate", write_recipe(WORLD), "--out", tmp_path / "data").code == 0
    done = cli("advise", evaluated(), "--recipe", tmp_path / "data", "--out", tmp_path / "advice")
    assert done.code == 0, done.err
    assert recipe.load(tmp_path / "advice" / "recipe.toml").count == 3


def test_the_recipe_is_that_of_the_run_where_it_has_one(evaluated, write_recipe, tmp_path, cli):
    run = tmp_path / "run"
    run.mkdir()
    (run / "recipe.json").write_text(json.dumps(recipe.load(write_recipe(WORLD)).encode()))
    done = cli("advise", evaluated(run=str(run)), "--out", tmp_path / "advice")
    assert done.code == 0, done.err


def test_the_recipe_is_that_of_the_dataset_which_the_run_names(
    evaluated, write_recipe, tmp_path, cli
):
    assert cli("generate", write_recipe(WORLD), "--out", tmp_path / "data").code == 0
    run = tmp_path / "run"
    run.mkdir()
    (run / RESULT).write_text(json.dumps({"source": str(tmp_path / "data")}))
    folder = evaluated(run=str(run / "model.safetensors"))
    done = cli("advise", folder, "--out", tmp_path / "advice", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["facts"]["recipe"] == str(tmp_path / "data")


def test_several_evaluations_give_the_curve_and_the_best_trained_gives_the_slices(
    evaluated, write_recipe, tmp_path, cli
):
    rows = [(250, 0.30), (500, 0.36), (1000, 0.41), (2000, 0.445), (4000, 0.47), (8000, 0.489)]
    folders = [evaluated(f"eval{n}", trained_on=n, ap50=value) for n, value in rows]
    out = tmp_path / "advice"
    done = cli("advise", *folders, "--recipe", write_recipe(WORLD), "--out", out)
    assert done.code == 0, done.err
    assert "10,000 more images: +1." in done.err
    said = json.loads((out / "report.json").read_text())
    assert said["facts"]["AP50 of boxes, %"] == 48.9
    assert '<svg class="figure"' in (out / "report.html").read_text()


def test_two_evaluations_are_no_curve_and_that_is_said(evaluated, write_recipe, tmp_path, cli):
    folders = [evaluated("a", trained_on=500), evaluated("b", trained_on=1000)]
    done = cli("advise", *folders, "--recipe", write_recipe(WORLD), "--out", tmp_path / "advice")
    assert done.code == 0, done.err
    assert "at least 3 different numbers" in done.err


def test_after_shows_every_slice_on_both_sides(evaluated, write_recipe, tmp_path, cli):
    slices = report()["slices"]
    better = [one | {"AP50": 0.5} for one in slices]
    after = evaluated("after", trained_on=2000, ap50=0.45, slices=better)
    out = tmp_path / "advice"
    options = ("--recipe", write_recipe(WORLD), "--out", out, "--after", after)
    done = cli("advise", evaluated(), *options)
    assert done.code == 0, done.err
    assert "AP50 40.0 -> 45.0 (+5.0 points). The detectors were trained on 1,000" in done.err
    page = (out / "report.html").read_text()
    assert "+20.0" in page
    assert "-40.0" in page


def test_a_folder_without_an_evaluation_is_refused(tmp_path, cli):
    done = cli("advise", tmp_path / "none", "--out", tmp_path / "advice")
    done.refused(2, "none", "no report.json", "datagen evaluate")


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "datagen-comparison-1"},
        {"bbox": None},
        {"pictures": -1},
        {"slices": [{"factor": "symbol"}]},
        {"bbox": {"AP50": 1.5}},
        {"bbox": {"AP50": float("nan")}},
        {"trained_on": "many"},
    ],
    ids=str,
)
def test_a_report_of_another_form_is_refused(changes, evaluated, tmp_path, cli):
    done = cli("advise", evaluated(**changes), "--out", tmp_path / "advice")
    done.refused(2, "report.json", "evaluat")
    assert not (tmp_path / "advice").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"dataset": "data/town"},
        {"pictures": 99},
        {"categories": ["car"]},
        {"slices": report()["slices"][:1]},  # fewer things count
    ],
    ids=("dataset", "pictures", "categories", "things"),
)
def test_evaluations_of_different_targets_are_refused(changes, evaluated, tmp_path, cli):
    folders = evaluated("a"), evaluated("b", **changes)
    cli("advise", *folders, "--out", tmp_path / "advice").refused(2, "different targets", "same")
    done = cli("advise", folders[0], "--after", folders[1], "--out", tmp_path / "advice")
    done.refused(2, "different targets", "same")


def test_the_same_evaluation_twice_is_refused(evaluated, tmp_path, cli):
    folder = evaluated()
    done = cli("advise", folder, tmp_path / "." / "eval", "--out", tmp_path / "advice")
    done.refused(2, "given twice")


def test_an_evaluation_on_photos_is_refused(evaluated, tmp_path, cli):
    slices = [one for one in report()["slices"] if one["factor"] != "symbol"]
    done = cli("advise", evaluated(slices=slices), "--out", tmp_path / "advice")
    done.refused(2, "no slices by symbol", "datagen generate")


def test_a_run_that_does_not_say_its_recipe_is_refused(evaluated, tmp_path, cli):
    cli("advise", evaluated(), "--out", tmp_path / "advice").refused(2, "runs/none", "--recipe")


def test_a_run_of_train_is_no_recipe_and_what_it_learned_from_is_named(
    evaluated, write_recipe, tmp_path, cli
):
    data, run = tmp_path / "my data", tmp_path / "run"
    assert cli("generate", write_recipe(WORLD), "--out", data).code == 0
    run.mkdir()
    (run / "meta.json").write_text('{"verb": "train"}')
    options = ("--recipe", run, "--out", tmp_path / "advice")
    done = cli("advise", evaluated(), *options)
    done.refused(2, f"{run} is a run of `train`, no recipe", "that it learned from")
    (run / RESULT).write_text(json.dumps({"source": str(data)}))
    done = cli("advise", tmp_path / "eval", *options)
    done.refused(2, "is a run of `datagen train`, no recipe", f"--recipe '{data}'")
    (tmp_path / "eval" / "detections.json").touch()
    (tmp_path / "eval" / "report.html").touch()
    done = cli("advise", tmp_path / "eval", "--recipe", tmp_path / "eval", *options[2:])
    done.refused(2, "was written by `datagen evaluate`, and is no recipe")


def test_a_file_of_detections_does_not_make_the_folder_around_it_the_training(
    evaluated, write_recipe, tmp_path, cli
):
    assert cli("generate", write_recipe(WORLD), "--out", tmp_path / "city").code == 0
    (tmp_path / "city" / "found.json").write_text("[]")
    folder = evaluated(run=str(tmp_path / "city" / "found.json"))
    cli("advise", folder, "--out", tmp_path / "advice").refused(2, "found.json", "--recipe")


def test_a_folder_that_is_not_empty_is_left_alone(evaluated, tmp_path, cli):
    (tmp_path / "note").write_text("mine")
    cli("advise", evaluated(), "--out", tmp_path).refused(2, "not empty", "--out")
    cli("advise", evaluated("b"), "--out", tmp_path / "note").refused(2, "is a file")


def test_nasty_names_stay_text_in_the_page(evaluated, write_recipe, tmp_path, cli):
    slices = [*report()["slices"]]
    slices += [{"factor": NASTY, "label": NASTY, "things": 90, "AP50": 0.1, "recall": 0.1}]
    slices += [{"factor": "symbol", "label": NASTY, "things": 90, "AP50": 0.1, "recall": 0.1}]
    out = tmp_path / "advice"
    folder = evaluated(slices=slices, dataset=NASTY)
    done = cli("advise", folder, "--recipe", write_recipe(WORLD), "--out", out)
    assert done.code == 0, done.err
    assert_strict(Page(out / "report.html"))


def test_a_damaged_report_of_advice_is_refused(tmp_path):
    (tmp_path / "report.json").write_text('{"title": "x"}')
    with pytest.raises(InputError, match="advise again"):
        write_advice(tmp_path)


def test_a_learned_model_is_advised_by_the_grammar_that_comes_closest(
    evaluated, write_recipe, tmp_path, cli, monkeypatch
):
    """A generator that is not the prior: scenes of it are sampled, and its grammar estimated."""
    (tmp_path / "busy.py").write_text(BUSY)
    monkeypatch.syspath_prepend(tmp_path)
    source = write_recipe(WORLD, 'count = 3\n[generator]\nuse = "busy:Generator"\n')
    out = tmp_path / "advice"
    done = cli("advise", evaluated(), "--recipe", source, "--out", out)
    assert done.code == 0, done.err
    assert "come from a learned model" in done.err
    said = json.loads((out / "report.json").read_text())
    assert said["categories"]["before"]["car"] == pytest.approx(4.5, abs=0.1)
    assert recipe.load(out / "recipe.toml").generator.use == "prior"


BUSY = """
from contextlib import contextmanager
from dataclasses import replace
from typing import ClassVar

from datagen.derivation import sample_prior
from datagen.distributions import UniformInt
from datagen.interfaces import Component
from datagen.placement import expand
from datagen.scene import Scene


class Generator(Component):
    gives: ClassVar = Scene

    @contextmanager
    def open(self, grammar):
        repeats = {
            name: replace(one, count=UniformInt(3, 6)) if one.item == "car" else one
            for name, one in grammar.repeats.items()
        }
        busy = replace(grammar, repeats=repeats)
        yield lambda rngs: [expand(busy, sample_prior(busy, rng), rng) for rng in rngs]
"""
