"""Learned pixels on layouts: labels stay, styles are codes, the gate rejects."""

import dataclasses
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from appearances import TEXT, WORLD, TwoWays, network, quick, saved
from layouts import rectangle
from pydantic import ValidationError
from rewriting import ABSENT, rewritten
from safetensors.torch import load_file

from datagen import pipeline, recipe
from datagen.audit import audit_frame
from datagen.errors import InputError, RejectedError
from datagen.frame import Frame, Instance, Layout, Pinhole
from datagen.labels import annotate
from datagen.learning.appearance import drawing
from datagen.learning.appearance.distance import Distance
from datagen.learning.appearance.gate import agreement, found_classes
from datagen.learning.appearance.stages import opened_stages
from datagen.learning.appearance.training import AppearanceTrainee
from datagen.learning.appearance.weights import (
    checked_like,
    load_appearance_model,
    save_appearance_model,
    unseen_classes,
)
from datagen.rng import Stream, rng_for
from renderers.imle import Renderer

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return saved(tmp_path_factory.mktemp("appearance"), grain=2)


def layout(k: int = 0) -> Layout:
    class_map = TwoWays().class_map(k)
    y, x = (int(v.min()) for v in np.nonzero(class_map == 1))
    car = Instance(1, 1, "0.1", rectangle(x, y, 7, 16 - y))
    return Layout(
        class_map=class_map,
        instance_map=(class_map == 1).astype(np.int32),
        depth=np.full((16, 16), 2, np.float32),
        instances=(car,),
        categories=("car",),
        stuff=("sky",),
        camera=Pinhole(16, 16, 12.0, 12.0, 8.0, 8.0),
    )


def rngs(*indices: int) -> list[np.random.Generator]:
    return [rng_for(5, index, Stream.RENDER) for index in indices]


def drawn(weights: Path, layouts: list[Layout], streams, **options) -> list[Frame]:
    with Renderer(weights=str(weights), **options).open(WORLD) as render:
        return render(layouts, streams)


def sky(frame: Frame) -> float:
    return float(frame.image[frame.class_map == 2].mean()) / 255


def test_a_layout_gets_pixels_and_its_labels_pass_the_audit(weights):
    (frame,) = drawn(weights, [layout()], rngs(0))
    assert frame.image.shape == (16, 16, 3) and frame.image.dtype == np.uint8
    given = layout()
    (again,) = drawn(weights, [given], rngs(0))
    for field in dataclasses.fields(Layout):
        assert getattr(again, field.name) is getattr(given, field.name), field.name
    assert [f for f in audit_frame(frame, annotate(frame)) if f.severity == "error"] == []


def test_who_only_draws_waits_for_nothing_that_learning_needs(weights):
    """torchvision and torch's compiler take longer to import than a picture to draw."""
    code = f"""
import pathlib, sys
import numpy as np
from datagen.language import parse
from datagen.learning.appearance import drawing
from datagen.learning.appearance.weights import load_appearance_model
from datagen.rng import Stream, rng_for
model = load_appearance_model(pathlib.Path({str(weights)!r}), parse({TEXT!r}))
rng = rng_for(0, 0, Stream.RENDER)
drawing.draw(model, np.ones((16, 16), np.uint8), drawing.own_style(model, rng), rng)
print([m for m in ("torchvision", "torch._dynamo") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_of_a_frame_the_pixels_alone_change(weights):
    before = Frame(
        **vars(layout()),
        image=np.full((16, 16, 3), 7, np.uint8),
        flow=np.ones((16, 16, 2), np.float32),
    )
    (after,) = drawn(weights, [before], rngs(0))
    assert type(after) is Frame
    for field in dataclasses.fields(Frame):
        same = getattr(after, field.name) is getattr(before, field.name)
        assert same == (field.name != "image"), field.name


def test_a_picture_depends_on_its_layout_and_rng_alone(weights):
    together = drawn(weights, [layout(k) for k in range(4)], rngs(0, 1, 2, 3))
    for k in (3, 1):
        (alone,) = drawn(weights, [layout(k)], rngs(k))
        assert np.array_equal(alone.image, together[k].image)
    (other,) = drawn(weights, [layout(1)], rngs(2))
    assert not np.array_equal(other.image, together[1].image)


def test_styles_of_their_own_show_day_and_night(weights):
    light = [sky(frame) for frame in drawn(weights, [layout(2)] * 40, rngs(*range(40)))]
    assert sum(value < 0.3 for value in light) > 8
    assert sum(value > 0.6 for value in light) > 8


def test_a_code_is_one_style_for_all(weights):
    ways = []
    for code in range(8):
        frames = drawn(weights, [layout(k) for k in range(6)], rngs(*range(6)), code=code)
        light = [sky(frame) for frame in frames]
        assert np.ptp(light) < 0.15
        ways.append(np.mean(light))
    assert np.ptp(ways) > 0.4
    # Grain is each picture's own all the same.
    assert not np.array_equal(
        frames[0].image, drawn(weights, [layout(0)], rngs(9), code=7)[0].image
    )


def test_between_two_codes_the_style_goes_from_one_to_the_other(weights):
    model = load_appearance_model(weights, WORLD)
    light = [sky_of(model, model.bank[k]) for k in range(len(model.bank))]
    night, day = model.bank[int(np.argmin(light))], model.bank[int(np.argmax(light))]
    way = [sky_of(model, drawing.style_between(night, day, s)) for s in np.linspace(0, 1, 9)]
    assert way[0] == min(light) and way[-1] == pytest.approx(max(light), abs=0.01)
    assert max(np.diff(way)) < 0.9 * (way[-1] - way[0])
    halfway = drawing.style_between(torch.tensor([3.0, 0]), torch.tensor([0, 5.0]), 0.5)
    assert halfway.tolist() == pytest.approx([4 / math.sqrt(2)] * 2)
    assert drawing.style_between(night, night, 0.3).tolist() == pytest.approx(night.tolist())


def test_a_code_may_lie_between_two_numbers(weights):
    model = load_appearance_model(weights, WORLD)
    light = [sky_of(model, model.bank[k]) for k in range(len(model.bank))]
    night, day = int(np.argmin(light)), int(np.argmax(light))
    way = [drawn(weights, [layout(4)], rngs(0), code=(night, day, s))[0] for s in (0, 0.5, 1)]
    ends = [drawn(weights, [layout(4)], rngs(0), code=code)[0] for code in (night, day)]
    for frame, end in zip(way[::2], ends, strict=True):
        assert np.abs(frame.image.astype(int) - end.image).max() <= 1
    assert sky(way[0]) < sky(way[1]) < sky(way[2])
    for code in (-1, (1, 2), (1, 2, 1.5), (-1, 2, 0.5)):
        with pytest.raises(ValidationError, match="code"):
            Renderer(weights=str(weights), code=code)  # type: ignore[arg-type]


def sky_of(model, style) -> float:
    image = drawing.draw(model, layout(4).class_map, style, rng_for(0, 0, Stream.RENDER))
    return float(image[layout(4).class_map == 2].mean()) / 255


@pytest.mark.parametrize("k", [0, 1, 6, 7])
def test_the_code_of_a_picture_is_found(weights, k, tmp_path):
    """Of a photo of another layout than those in which its style is asked for."""
    model = load_appearance_model(weights, WORLD)
    distance = Distance(opened_stages(network(tmp_path).source), 2.0, 1.0, torch.float32)
    pairs = TwoWays()
    code = drawing.fitting_code(model, distance, pairs.class_map(k), pairs.image(k))
    (frame,) = drawn(weights, [layout(9)], rngs(0), code=code)
    assert (sky(frame) < 0.4) == pairs.is_dark(k)


def test_the_gate_accepts_a_picture_of_its_layout_and_rejects_another(weights):
    model = load_appearance_model(weights, WORLD)
    assert model.gate is not None
    frames = drawn(weights, [layout(k) for k in range(12)], rngs(*range(12)))
    own, other = [], []
    for k, frame in enumerate(frames):
        found = found_classes(model.gate, frame.image)
        own.append(agreement(found, frame.class_map))
        other.append(agreement(found, layout(k + 3).class_map))
    threshold = max(other) + 0.02
    best = int(np.argmax(own))
    assert own[best] > 0.95 and np.median(own) > threshold
    (accepted,) = drawn(weights, [layout(best)], rngs(best), gate=threshold)
    assert np.array_equal(accepted.image, frames[best].image)
    with pytest.raises(RejectedError, match="below the gate's") as raised:
        drawn(weights, [checkered()], rngs(0), gate=threshold)
    assert raised.value.score < threshold


def checkered() -> Layout:
    """What no photo has shown, and nobody can draw so that it is seen: cars of one pixel."""
    rows, columns = np.indices((16, 16))
    return dataclasses.replace(layout(), class_map=(1 + (rows + columns) % 2).astype(np.uint8))


def test_a_gate_that_was_not_learned_cannot_be_asked_for(weights, tmp_path):
    no_gate = {name: ABSENT for name in load_file(weights) if name.startswith("gate.")}
    path = rewritten(weights, tmp_path / "plain.safetensors", {"gate": None}, no_gate)
    drawn(path, [layout()], rngs(0))
    with pytest.raises(InputError, match="has no gate; learn with learn.appearance.gate_steps"):
        drawn(path, [layout()], rngs(0), gate=0.5)


def test_a_layout_of_another_size_is_refused(weights):
    small = dataclasses.replace(
        layout(), class_map=np.ones((8, 12), np.uint8), instance_map=np.zeros((8, 12), np.int32)
    )
    with pytest.raises(InputError, match=r"16 x 16 px.*12 x 8; set canvas = \[16, 16\]"):
        drawn(weights, [small], rngs(0))


@pytest.mark.parametrize("encoder", [0, 1, 512])
def test_what_settings_allow_a_file_can_hold(tmp_path, encoder):
    trainee = AppearanceTrainee(TwoWays(), quick(tmp_path, encoder=encoder), 0)
    save_appearance_model(tmp_path / "a.safetensors", trainee, None, WORLD)
    found = load_appearance_model(tmp_path / "a.safetensors", WORLD)
    assert found.header.encoder == (encoder or None)


def test_a_class_that_the_pairs_do_not_show_looks_like_another_or_like_nothing(weights, tmp_path):
    assert unseen_classes(WORLD, [0, 2]) == ("car",)
    assert checked_like({"car": "sky"}, WORLD, [0, 2]) == {"car": "sky"}
    assert checked_like({"car": "sky"}, WORLD, [1, 2]) == {}  # it was shown after all
    with pytest.raises(InputError, match="toy has no 'moon'; it has car, sky"):
        checked_like({"moon": "sky"}, WORLD, [1, 2])
    with pytest.raises(InputError, match="pairs show no 'car' either"):
        checked_like({"car": "car"}, WORLD, [2])
    unseen = {"unseen": ["car"]}
    liked = rewritten(weights, tmp_path / "liked", unseen | {"like": {"car": "sky"}})
    plain = dataclasses.replace(layout(), class_map=np.full((16, 16), 2, np.uint8))
    (as_sky,), (sky_alone,) = drawn(liked, [layout()], rngs(0)), drawn(weights, [plain], rngs(0))
    assert np.array_equal(as_sky.image, sky_alone.image)
    assert np.array_equal(as_sky.class_map, layout().class_map)  # the label stays
    model = load_appearance_model(rewritten(weights, tmp_path / "ignored", unseen), WORLD)
    assert model.header.table[:3].tolist() == [0, 0, 2]


# ------------------------------------------------------------------------- after other renderers

STREET = """
world toy
canvas 16 x 16
start Scene
Scene -> sky land car
sky { draw: sky  stuff: "sky" }
land { draw: land }
car { category: "car"  draw: vehicle  x: uniform(-1, 1) m  y: 7 m  speed: 5 }
"""
SOLID = 'count = 2\npasses = ["depth", "normals", "flow"]\n[[renderers]]\nuse = "mesh"\n'


@pytest.mark.opengl
def test_a_street_in_3d_gets_learned_pixels_and_keeps_all_else(weights, write_recipe):
    learned = SOLID + f'[[renderers]]\nuse = "imle"\nweights = "{weights}"\n'
    before, after = (
        list(pipeline.first(recipe.load(write_recipe(STREET, text)), 2))
        for text in (SOLID, learned)
    )
    for plain, anew in zip(before, after, strict=True):
        assert annotate(anew) == annotate(plain) and plain.instances[0].box3d is not None
        assert anew.camera == plain.camera is not None
        for name in ("class_map", "instance_map", "depth", "normals", "flow"):
            assert np.array_equal(getattr(anew, name), getattr(plain, name), equal_nan=True)
        assert not np.array_equal(anew.image, plain.image)
        assert [f for f in audit_frame(anew, annotate(anew)) if f.severity == "error"] == []


# ------------------------------------------------------------------------------------------ clips

ROLLING = """
world toy
canvas 16 x 16
start Scene
Scene -> yard sky car
yard { draw: rect  width: 16 px  height: 16 px  x: 8 px  y: 8 px }
sky { draw: ground  shade: grass  stuff: "sky" }
car {
  category: "car"  draw: ellipse  width: 5 px  height: 5 px
  x: uniform(3, 13) px  y: uniform(3, 13) px  inside: yard  apart: 1 px
}
"""
CLIPS = """
count = 24
renderers = [{{ use = "raster" }}, {{ use = "imle", weights = "{weights}" }}]
[clips]
frames = 3
speed = 30.0
"""


@pytest.mark.parametrize("code", [None, 0, 3])
def test_a_clip_has_one_style_and_with_a_code_all_clips_have(weights, write_recipe, code):
    sets = [] if code is None else [f"renderers.1.code={code}"]
    clips = recipe.load(write_recipe(ROLLING, CLIPS.format(weights=weights)), sets)
    frames = list(pipeline.first(clips, 24))
    light = np.array([sky(frame) for frame in frames]).reshape(8, 3)
    assert np.ptp(light, axis=1).max() < 0.1
    assert (np.ptp(light) < 0.15) == (code is not None)
    moved = [not np.array_equal(frames[k].class_map, frames[k + 1].class_map) for k in (0, 1, 3)]
    assert all(moved)


def test_nothing_flickers_where_nothing_moves(weights, write_recipe):
    still = CLIPS.format(weights=weights).replace("speed = 30.0", "speed = 1e-9")
    clips = recipe.load(write_recipe(ROLLING, still), ["renderers.1.code=2"])
    first, second, _ = pipeline.first(clips, 3)
    assert np.array_equal(first.image, second.image)
