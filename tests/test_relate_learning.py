"""RELATE learns pictures, goes on after a kill as if nothing had been; its weights are checked."""

import numpy as np
import pytest
import torch
from resuming import ends_with_the_same_bits, rewritten
from safetensors.torch import load_file, save_file

from datagen.errors import InputError
from datagen.language import parse
from datagen.learning.relate.toggling import looked_at, toggled, usual_of
from datagen.learning.relate.training import RelateTrainee, sizes_of
from datagen.learning.relate.weights import load_relate_model, save_relate_model
from datagen.learning.run import RunFolder
from datagen.models.relate import draw_latents
from datagen.rng import Stream, rng_for
from datagen.settings.relate import RelateLearning

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


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def taught(settings=QUICK, seed=0, steps=None, pictures=None):
    trainee = RelateTrainee(dots() if pictures is None else pictures, settings, seed)
    trainee.begin(0)
    readings = [trainee.step(k) for k in range(settings.steps if steps is None else steps)]
    return trainee, readings


def changed(**changes) -> RelateLearning:
    return QUICK.model_copy(update=changes)


def equal(ours, theirs):
    assert ours.keys() == theirs.keys()
    return all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())


# --------------------------------------------------------------------------------------- learning


def test_equal_seeds_learn_the_same_and_others_do_not():
    (one, first), (same, again), (other, _) = taught(), taught(), taught(seed=1)
    assert first == again
    assert equal(one.tensors(), same.tensors())
    assert not equal(one.tensors(), other.tensors())


def test_what_is_told_to_torchs_own_generator_changes_nothing():
    torch.manual_seed(5)
    one, _ = taught()
    torch.manual_seed(6)
    other, _ = taught()
    assert equal(one.tensors(), other.tensors())


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
def test_each_setting_is_used(changes):
    """It changes what is learned, and nothing breaks."""
    plain, _ = taught(steps=3)
    other, readings = taught(changed(**changes), steps=3)
    ours, theirs = plain.average.state_dict(), other.average.state_dict()
    assert ours.keys() != theirs.keys() or any(
        ours[name].shape != theirs[name].shape or not torch.equal(ours[name], theirs[name])
        for name in ours
    )
    assert all(np.isfinite(list(r.values())).all() for r in readings)
    assert ("position" in readings[0]) == (changes.get("position") != 0)
    assert ("style" in readings[0]) == ("style" in changes)


def test_steps_without_any_object_teach_no_positions():
    _, readings = taught(changed(objects=(0, 1), batch=2), seed=1, steps=6)
    with_position = ["position" in r for r in readings]
    assert set(with_position) == {True, False}
    assert all(np.isfinite(list(r.values())).all() for r in readings)


def made_by(**changes):
    """What one step's generator makes, and the readings' trainee."""
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
        return float(trainee._parts(scene, pictures, rows, chosen)[1])

    one = scene.objects * torch.tensor([1.0, 0.0])[:, None, None, None]
    assert unlike(scene._replace(objects=one)) == pytest.approx(0, abs=1e-6)
    # All the more not, the more both paint in one place.
    assert 1e-4 < unlike(scene) < unlike(scene._replace(objects=10 * scene.objects))


def test_networks_that_show_no_objects_are_given_up_as_often_as_is_said(monkeypatch):
    first, readings = taught(steps=2)
    trainee, again = taught(changed(attempts=3), steps=4)
    assert [r["attempt"] for r in again if "attempt" in r] == [1, 2]
    assert [r["adversarial"] for r in again[:2]] == [r["adversarial"] for r in readings]
    assert (trainee.attempt, trainee.begun, trainee.steps) == (3, 4, 4 + QUICK.steps)
    assert not equal(trainee.generator.state_dict(), first.generator.state_dict())
    for k in range(4, trainee.steps):
        trainee.step(k)
    assert (trainee.attempt, trainee.steps) == (3, 4 + QUICK.steps)  # the last one stays
    monkeypatch.setattr(RelateTrainee, "_sound", lambda self: 0.5)
    trainee, _ = taught(changed(attempts=3))
    assert (trainee.attempt, trainee.steps) == (1, QUICK.steps)


def test_the_average_follows_slowly():
    trainee, _ = taught(changed(average=0.0))
    for kept, new in zip(trainee.average.parameters(), trainee.generator.parameters(), strict=True):
        assert torch.equal(kept, new)
    before = RelateTrainee(dots(), QUICK, 0).generator.behind.constant.clone()
    trainee, _ = taught(steps=1)
    after, kept = trainee.generator.behind.constant, trainee.average.behind.constant
    # At step 0 a tenth is kept: (1 + k) / (10 + k).
    torch.testing.assert_close(kept, 0.1 * before + 0.9 * after)


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


# ------------------------------------------------------------------------------- kill -9, then on

LONG = QUICK.model_copy(update={"steps": 30, "style": 0.5, "scale": True, "attempts": 2})
ENDS = 40  # the first attempt is given up after 10 steps


def long_trainee():
    return RelateTrainee(dots(), LONG, 0)


def test_a_run_that_was_killed_ends_with_the_same_bits(tmp_path):
    ends_with_the_same_bits("test_relate_learning", "relate", tmp_path, killed_at=18, steps=ENDS)


def test_a_checkpoint_holds_all_that_the_next_step_needs(tmp_path):
    """The vectors of the spectral norms, too."""
    whole, _ = taught(steps=6)
    half, _ = taught(steps=3)
    run = RunFolder(tmp_path)
    run.save("relate", 3, half.tensors())
    saved = run.latest("relate")
    assert saved is not None
    assert any(name.endswith("logit.u") for name in saved[1])
    resumed = RelateTrainee(dots(), QUICK, 0)
    resumed.load(saved[1])
    resumed.begin(3)
    for k in range(3, 6):
        resumed.step(k)
    assert equal(whole.tensors(), resumed.tensors())


# ---------------------------------------------------------------------------------------- weights


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """relate.safetensors of a short training."""
    torch.set_num_threads(1)
    trainee, _ = taught(changed(average=0.5), steps=20)
    path = tmp_path_factory.mktemp("run") / "relate.safetensors"
    save_relate_model(path, trainee, parse(WORLD))
    return path, trainee


def test_a_saved_model_draws_what_the_trained_one_draws(learned):
    path, trainee = learned
    model = load_relate_model(path, parse(WORLD))
    latents = draw_latents(trainee.sizes, rng_for(3, 0, Stream.EVALUATE), 5, (2, 2))
    with torch.no_grad():
        torch.testing.assert_close(model.net(latents), trainee.sampler()(latents))
    assert model.objects == (2, 2)
    assert model.category == 1
    assert model.usual == pytest.approx(usual_of(looked_at(trainee.sampler(), (2, 2))))


def test_equal_models_are_equal_bytes(learned, tmp_path):
    path, trainee = learned
    save_relate_model(tmp_path / "again.safetensors", trainee, parse(WORLD))
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def test_a_model_of_another_canvas_or_world_is_refused_in_one_line(learned):
    path, _ = learned
    with pytest.raises(InputError, match=r"canvas is 32 x 32; set canvas = \[16, 16\]$"):
        load_relate_model(path, parse(WORLD.replace("16 x 16", "32 x 32")))
    with pytest.raises(InputError, match="category dot, which fences does not have"):
        load_relate_model(
            path, parse(WORLD.replace("world dots", "world fences").replace('"dot"', '"post"'))
        )


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ({"format": "datagen-relate-9"}, "format"),
        ({"channels": 24}, "expected"),
        ({"window": 8}, "expected"),
        ({"objects": [3, 2]}, "do not fit"),
        ({"area": 0}, "area"),
        ({"interaction": "ordered"}, "poses"),
    ],
    ids=str,
)
def test_headers_that_do_not_fit_are_refused(learned, tmp_path, header, told):
    with pytest.raises(InputError, match=told):
        load_relate_model(rewritten(learned[0], tmp_path / "bad.safetensors", header), parse(WORLD))


def test_tensors_that_are_absent_not_finite_or_of_other_types_are_refused(learned, tmp_path):
    tensors = load_file(learned[0])
    name = "behind.constant"
    for value, told in (
        (tensors[name] * torch.inf, "not a finite number"),
        (tensors[name].double(), "float64"),
        (None, "absent"),
    ):
        bad = rewritten(learned[0], tmp_path / "bad.safetensors", tensors={name: value})
        with pytest.raises(InputError, match=told):
            load_relate_model(bad, parse(WORLD))


def test_other_files_are_refused(tmp_path, learned):
    plain = tmp_path / "plain.safetensors"
    save_file(load_file(learned[0]), plain)
    with pytest.raises(InputError, match="no RELATE model"):
        load_relate_model(plain, parse(WORLD))


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
