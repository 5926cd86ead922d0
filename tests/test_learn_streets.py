import json
from collections.abc import Iterable
from pathlib import Path

import cv2
import pytest

from datagen.cli import main
from datagen.learning.extraction import FILE

pytestmark = [pytest.mark.opengl, pytest.mark.slow, pytest.mark.usefixtures("brief")]

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


def sets(keys: Iterable[str]) -> list[str]:
    return [word for key in keys for word in ("--set", key)]


def ran(*args: object) -> None:
    """A command before any test: `cli` is one test's own."""
    assert main([str(arg) for arg in args]) == 0


@pytest.fixture(scope="module")
def photos(brief, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("streets") / "target"
    ran("generate", "street_3d", "--out", out, "--count", 24, *sets(SMALL))
    return out


@pytest.fixture(scope="module")
def run(photos) -> Path:
    """Structure, then attributes; read-only."""
    out = photos.parent / "run"
    ran("learn", "street_3d", "--target", photos, "--out", out, *sets(SMALL))
    return out


def test_streets_are_learned_structure_then_attributes_and_regenerated_larger(cli, run, tmp_path):
    made = tmp_path / "made"
    assert (run / "learned.scene").is_file() and (run / "report.html").is_file()
    assert cli("generate", run, "--out", made, "--count", 2).code == 0
    data = json.loads((made / "annotations.json").read_text())
    assert {(image["width"], image["height"]) for image in data["images"]} == {(96, 32)}
    large = tmp_path / "large.png"
    assert cli("regen", made, 0, "-o", large, "--size", "192x64").code == 0
    assert cv2.imread(str(large)).shape == (64, 192, 3)
    assert cli("verify", made).code == 0


def test_a_learned_structure_is_drawn_at_any_size(cli, photos, run, tmp_path):
    """Its features are the other run's, as for a target that comes later."""
    again, made = tmp_path / "run", tmp_path / "made"
    alone = [key for key in SMALL if "stages" not in key]
    seen = f"learn.features.weights={run / FILE}"
    done = cli("learn", "street_3d", "--target", photos, "--out", again, *sets([*alone, seen]))
    assert done.code == 0, done.err
    done = cli("generate", again, "--out", made, "--set", "canvas=[192,64]", "--count", 2)
    assert done.code == 0, done.err
    data = json.loads((made / "annotations.json").read_text())
    assert all(image["camera"]["width"] == 192 for image in data["images"])


def test_counts_and_whole_laws_take_turns(cli, photos, tmp_path):
    few = (
        *(key for key in SMALL if "stages" not in key and "attributes" not in key),
        "learn.attributes.moments.rounds=1",
        "learn.attributes.moments.scenes=32",
    )
    run = tmp_path / "run"
    done = cli("learn", "street_3d_attributes", "--target", photos, "--out", run, *sets(few))
    assert done.code == 0, done.err
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    phases = list(dict.fromkeys(line["phase"] for line in lines))
    assert phases[-4:] == ["reinforce", "attributes", "reinforce-2", "attributes-2"]
    assert {"gap", "floor", "unexplained"} <= lines[-1].keys()
    assert cli("generate", run, "--out", tmp_path / "made", "--count", 2).code == 0
