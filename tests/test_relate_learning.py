"""RELATE learns pictures, and begins again where its objects are not found."""

import numpy as np
import pytest
import torch
from dots import BLACK, SETTINGS, by_hand
from resuming import readings_of, same

from datagen.errors import InputError
from datagen.language import parse
from datagen.learning.relate.apart import Apart
from datagen.learning.relate.toggling import looked_at, toggled, usual_of
from datagen.learning.relate.training import RelateTrainee, sizes_of
from datagen.learning.relate.weights import load_relate_model, save_relate_model
from datagen.models.relate import draw_latents
from datagen.rng import Stream, rng_for
from datagen.settings.relate import RelateLearning

pytestmark = pytest.mark.usefixtures("one_thread")

WORLD = """
world dots
canvas 16 x 16
start Scene
Scene -> field dot
field { stuff: "field"  draw: ground  shade: black }
dot { category: "dot"  draw: rect  x: 4 px  y: 8 px  width: 4 px  height: 4 px  colour: red }
"""
QUICK = RelateLearning(steps=6, batch=4, channels=16, judge_width=4, attempts=1)


def dots(count=64, side=16) -> np.ndarray:
    """A red square and a blue one, anywhere."""
    images = np.full((count, side, side, 3), 60, np.uint8)
    for k in range(count):
        places = rng_for(0, k, Stream.SCENE).integers(0, side - 4, (2, 2))
        for (x, y), colour in zip(places, ((230, 40, 40), (40, 40, 230)), strict=True):
            images[k, y : y + 4, x : x + 4] = colour
    return images


def taught(settings=QUICK, seed=0, steps=None, pictures=None):
    trainee = RelateTrainee(dots() if pictures is None else pictures, settings, seed)
    return trainee, readings_of(trainee, last=steps)


def changed(**changes) -> RelateLearning:
    return QUICK.model_copy(update=changes)


@pytest.fixture(scope="module")
def plain():
    """What three steps of QUICK teach; read-only."""
    return taught(steps=3)[0]


# --------------------------------------------------------------------------------------- learning


@pytest.mark.parametrize(
    "changes",
    [
        {"objects": (1, 3)},
        {"interaction": "none", "position": 0.0},
        {"interaction": "ordered", "objects": (1, 3)},
        {"interaction": "ordered", "objects": (0, 1)},
        {"residual": False},
        {"position": 0.0},
        {"additive": 0.0},
        {"centred": 10.0},
        {"additive": 0.0, "centred": 10.0},
        {"attempts": 2},
        {"style": 1.0},
        {"scale": True},
        {"pooling": "max"},
        {"distinct": False},
        {"appearance": 2},
        {"updates": 2},
        {"momentum": 0.0},
        {"spread": 0.5},
        {"window": 1.0},
        {"average": 0.01},
    ],
    ids=str,
)
def test_each_setting_is_used(changes, plain):
    """It changes what is learned, and nothing breaks."""
    other, readings = taught(changed(**changes), steps=3)
    assert not same(plain.average.state_dict(), other.average.state_dict())
    assert all(np.isfinite(list(r.values())).all() for r in readings)
    assert ("position" in readings[0]) == (changes.get("position") != 0)
    assert ("style" in readings[0]) == ("style" in changes)


def test_steps_without_any_object_teach_no_positions():
    _, readings = taught(changed(objects=(0, 1), batch=2), seed=1, steps=6)
    with_position = ["position" in r for r in readings]
    assert set(with_position) == {True, False}
    assert all(np.isfinite(list(r.values())).all() for r in readings)


def made_by(**changes):
    """What a step's generator makes."""
    trainee = RelateTrainee(dots(), changed(**changes), 0)
    return trainee._made(rng_for(0, 0, Stream.RELATE))


def test_each_object_is_looked_for_in_whole_pictures_by_its_look():
    made = made_by(objects=(1, 3))
    alone, each = made.asked
    there = {(int(row), int(look)) for row, look in zip(each.rows, each.looks, strict=True)}
    assert len(there) == len(each.rows) > len(made.pictures)
    assert {look for _, look in there} == {0, 1, 2}
    # A lone picture shows an object of the whole one, where it is there.
    where = dict(zip(sorted(there), each.poses.tolist(), strict=True))
    for row, look, pose in zip(alone.rows, alone.looks, alone.poses.tolist(), strict=True):
        assert where[int(row) - len(made.pictures), int(look)] == pose
    (only,) = made_by(objects=(1, 3), distinct=False).asked
    assert set(only.looks.tolist()) == {0}


def test_objects_add_up_where_only_one_of_them_paints():
    trainee = RelateTrainee(dots(), QUICK, 0)
    scene = trainee.generator.lay(trainee._latents(rng_for(0, 0, Stream.RELATE)))
    rows, chosen = torch.tensor([0, 2]), torch.tensor([0, 1])

    @torch.no_grad()
    def unlike(scene):
        pictures = trainee.generator.picture(scene)
        return float(trainee._parted(scene, pictures, rows, chosen)[1].unlike())

    one = scene.objects * torch.tensor([1.0, 0.0])[:, None, None, None]
    assert unlike(scene._replace(objects=one)) == pytest.approx(0, abs=1e-6)
    # All the more not, the more both paint in one place.
    assert 1e-4 < unlike(scene) < unlike(scene._replace(objects=10 * scene.objects))


def beside(*offsets, looks=None, strength=1.0):
    """How far astray dots of 2 x 2 px are in black pictures of 16 x 16 px, beside poses of 0, 0."""
    lone = torch.zeros(len(offsets), 3, 16, 16)
    for picture, (right, down) in zip(lone, offsets, strict=True):
        picture[:, 7 + down : 9 + down, 7 + right : 9 + right] = strength
    none, poses = torch.zeros_like(lone), torch.zeros(len(offsets), 2)
    numbers = torch.tensor(looks or [0] * len(offsets))
    return float(Apart(lone, none, lone, none, poses, numbers).astray())


def test_what_is_always_beside_its_pose_is_astray():
    assert beside((0, 0)) == pytest.approx(0)
    # 4 px are half of a half-side; a change of 1 in all colours outweighs what is weak.
    assert beside((4, 0)) == pytest.approx(0.25, rel=0.05)
    assert beside((0, -4), (0, -4)) == pytest.approx(0.25, rel=0.05)
    assert beside((4, 4), (4, 4)) == pytest.approx(0.5, rel=0.05)


def test_what_is_now_on_this_side_and_now_on_that_one_is_not_astray_but_looks_are_apart():
    assert beside((4, 0), (-4, 0)) == pytest.approx(0)
    assert beside((4, 0), (-4, 0), looks=[0, 1]) == pytest.approx(0.5, rel=0.05)
    assert beside((4, 0), strength=0.1) < 0.5 * beside((4, 0))


def test_it_counts_from_the_pose():
    moved = torch.zeros(1, 3, 16, 16)
    moved[:, :, 3:5, 11:13] = 1.0
    at = torch.tensor([[0.5, -0.5]])
    none = torch.zeros_like(moved)
    assert float(Apart(moved, none, moved, none, at, torch.tensor([0])).astray()) < 1e-6


def test_networks_that_show_no_objects_are_given_up_as_often_as_is_said():
    first, readings = taught(steps=2)
    trainee, again = taught(changed(attempts=3), steps=4)
    assert [r["attempt"] for r in again if "sound" in r] == [1, 2]
    assert [r["adversarial"] for r in again[:2]] == [r["adversarial"] for r in readings]
    assert (trainee.attempt, trainee.begun, trainee.steps) == (3, 4, 4 + QUICK.steps)
    assert not same(trainee.generator.state_dict(), first.generator.state_dict())
    readings_of(trainee, 4)
    assert (trainee.attempt, trainee.steps) == (3, 4 + QUICK.steps)  # the last one stays


def test_networks_whose_objects_are_found_are_not_given_up():
    quick = {"steps": 3, "attempts": 2, "batch": 2, "judge_width": 4, "learning_rate": 1e-9}
    trainee = RelateTrainee(BLACK, SETTINGS.model_copy(update=quick), 0)
    for net in (trainee.generator, trainee.average):
        net.load_state_dict(by_hand().state_dict())
    first, *_ = readings_of(trainee)
    assert first["sound"] > 0.6
    assert (trainee.attempt, trainee.steps) == (1, 3)


def test_the_discriminator_and_the_position_regressor_are_taught():
    """Pictures of one kind against a generator that stands still."""
    trainee = RelateTrainee(dots(), changed(learning_rate=2e-3, batch=16), 0)
    trainee.builder = torch.optim.SGD(trainee.generator.parameters(), 0.0)  # type: ignore[assignment]
    readings = [trainee.step(k) for k in range(60)]
    early, late = (np.mean([r["discriminator"] for r in p]) for p in (readings[:5], readings[-5:]))
    assert late < 0.5 * early
    early, late = (np.mean([r["position"] for r in p]) for p in (readings[:5], readings[-5:]))
    assert late < 0.85 * early


@pytest.mark.parametrize("size", [(50, 32), (8, 8), (130, 130)])
def test_pictures_that_cannot_be_halved_are_refused_in_one_line(size):
    with pytest.raises(
        InputError, match=rf"{size[0]} x {size[1]} px; each side must be a multiple"
    ):
        sizes_of(QUICK, *size)


@pytest.mark.parametrize("objects", [(3, 2), (0, 0)])
def test_numbers_of_objects_that_make_no_sense_are_refused(objects):
    with pytest.raises(InputError, match="the fewest and the most objects"):
        sizes_of(changed(objects=objects), 32, 32)


def test_no_pictures_are_refused():
    with pytest.raises(InputError, match="no pictures"):
        RelateTrainee(np.zeros((0, 16, 16, 3), np.uint8), QUICK, 0)


def test_scenes_are_as_wide_as_was_measured_to_work():
    found = [sizes_of(RelateLearning(), side, side) for side in (32, 64, 128)]
    assert [(s.cells[0], s.channels, s.window) for s in found] == [
        (8, 64, 4),
        (16, 32, 8),
        (16, 32, 8),
    ]


def test_a_saved_model_knows_its_objects_and_how_they_are_as_a_rule(tmp_path):
    trainee, _ = taught(changed(average=0.5))
    save_relate_model(tmp_path / "relate.safetensors", trainee, parse(WORLD))
    model = load_relate_model(tmp_path / "relate.safetensors", parse(WORLD))
    assert (model.objects, model.category) == ((2, 2), 1)
    assert model.usual == pytest.approx(usual_of(looked_at(trainee.sampler(), (2, 2))))


# ------------------------------------------------------------------------------------------ smoke


@pytest.mark.slow
def test_300_steps_find_objects_in_pictures():
    """Losses stay finite, pictures come to look like the real ones, and objects are where they
    should be: not yet labels, but far from chance."""
    settings = RelateLearning(steps=300, batch=16, channels=32)
    trainee, readings = taught(settings, pictures=dots(500, 32))
    assert all(np.isfinite(list(r.values())).all() for r in readings)
    early, late = (np.mean([r["position"] for r in p]) for p in (readings[:10], readings[-30:]))
    assert late < 0.25 * early
    net = trainee.sampler()
    away = []
    for sample in toggled(net, draw_latents(net.sizes, rng_for(7, 0, Stream.EVALUATE), 64, (2, 2))):
        for pose, shown in zip(sample.poses, sample.shown, strict=True):
            y, x = np.unravel_index(shown.argmax(), shown.shape)
            away.append(np.linalg.norm((np.array([x, y]) + 0.5) / 16 - 1 - pose) / 2)
    assert np.median(away) < 0.22  # in widths; by chance 0.3
