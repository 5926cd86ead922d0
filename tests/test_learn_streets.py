import json

import cv2
import pytest

pytestmark = pytest.mark.opengl

SMALL = (
    "grammar=street_simple",
    "canvas=[96,32]",
    'learn.stages=["structure","attributes"]',
    "learn.helpers=0",
    "learn.features.images=256",
    "learn.pretraining.steps=20",
    "learn.reinforcement.iterations=3",
    "learn.reinforcement.batch=32",
    "learn.reinforcement.fresh=16",
    "learn.attributes.steps=2",
    "learn.attributes.batch=8",
    "learn.attributes.leaps=0",
    "renderers.0.shadows=0",
    "renderers.0.textures=false",
)


@pytest.mark.slow
def test_streets_are_learned_structure_then_attributes_and_regenerated_larger(cli, tmp_path):
    sets = [word for key in SMALL for word in ("--set", key)]
    photos, run, made = tmp_path / "target", tmp_path / "run", tmp_path / "made"
    assert cli("generate", "street_3d", "--out", photos, "--count", 24, *sets).code == 0
    done = cli("learn", "street_3d", "--target", photos, "--out", run, *sets)
    assert done.code == 0, done.err
    assert (run / "learned.scene").is_file() and (run / "report.html").is_file()
    assert cli("generate", run, "--out", made, "--count", 2).code == 0
    data = json.loads((made / "annotations.json").read_text())
    assert {(image["width"], image["height"]) for image in data["images"]} == {(96, 32)}
    large = tmp_path / "large.png"
    assert cli("regen", made, 0, "-o", large, "--size", "192x64").code == 0
    assert cv2.imread(str(large)).shape == (64, 192, 3)
    assert cli("verify", made).code == 0


@pytest.mark.slow
def test_a_learned_structure_is_drawn_at_any_size(cli, tmp_path):
    sets = [word for key in SMALL if "stages" not in key for word in ("--set", key)]
    photos, run, made = tmp_path / "target", tmp_path / "run", tmp_path / "made"
    assert cli("generate", "street_3d", "--out", photos, "--count", 24, *sets).code == 0
    assert cli("learn", "street_3d", "--target", photos, "--out", run, *sets).code == 0
    done = cli("generate", run, "--out", made, "--set", "canvas=[192,64]", "--count", 2)
    assert done.code == 0, done.err
    data = json.loads((made / "annotations.json").read_text())
    assert all(image["camera"]["width"] == 192 for image in data["images"])


@pytest.mark.slow
def test_counts_and_whole_laws_take_turns(cli, tmp_path):
    few = (
        *(key for key in SMALL if "stages" not in key and "attributes" not in key),
        "learn.attributes.moments.rounds=1",
        "learn.attributes.moments.scenes=32",
    )
    sets = [word for key in few for word in ("--set", key)]
    photos, run = tmp_path / "target", tmp_path / "run"
    assert cli("generate", "street_3d", "--out", photos, "--count", 24, *sets).code == 0
    done = cli("learn", "street_3d_attributes", "--target", photos, "--out", run, *sets)
    assert done.code == 0, done.err
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    phases = list(dict.fromkeys(line["phase"] for line in lines))
    assert phases[-4:] == ["reinforce", "attributes", "reinforce-2", "attributes-2"]
    assert {"gap", "floor", "unexplained"} <= lines[-1].keys()
    assert cli("generate", run, "--out", tmp_path / "made", "--count", 2).code == 0
