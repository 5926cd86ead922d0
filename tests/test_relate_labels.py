"""Labels by toggling, against a generator whose weights were set by hand to paint two dots."""

import numpy as np
import pytest
import torch
from dots import BLACK, SETTINGS, by_hand
from refusals import refused

from datagen import audit, labels
from datagen.errors import InputError, RejectedError
from datagen.generators.relate import Generator as Component
from datagen.language import parse
from datagen.learning.relate.toggling import (
    PAINTED,
    Toggled,
    Usual,
    frame_of,
    looked_at,
    masks,
    painted_background,
    sound_share,
    soundness,
    toggled,
    usual_of,
    visible,
)
from datagen.learning.relate.training import RelateTrainee
from datagen.learning.relate.weights import save_relate_model
from datagen.models.relate import Generator, Latents
from datagen.rng import Stream, rng_for

pytestmark = pytest.mark.usefixtures("one_thread")

WORLD = """
world dots
canvas 32 x 32
start Scene
Scene -> dot
dot { category: "dot"  draw: rect  x: 4 px  y: 8 px  width: 4 px  height: 4 px  colour: red }
"""


def at(*poses, present=None) -> Latents:
    spots = torch.tensor([list(poses)], dtype=torch.float32)
    there = torch.ones(1, len(poses), dtype=torch.bool) if present is None else present
    return Latents(torch.zeros(1, 3), torch.zeros(1, len(poses), 0), spots, there)


LEFT, RIGHT = (-0.5, 0.0), (0.5, 0.25)


# ----------------------------------------------------------------------------------------- toggles


def test_masks_lie_at_poses():
    (sample,) = toggled(by_hand(), at(LEFT, RIGHT))
    ids = visible(sample)
    for k, pose in enumerate((LEFT, RIGHT)):
        y, x = np.nonzero(ids == k + 1)
        expected = [(p + 1) / 2 * 32 - 0.5 for p in pose]
        assert [x.mean(), y.mean()] == pytest.approx(expected, abs=0.3)
        assert 20 <= len(x) <= 100


def test_a_toggle_takes_one_object_away_and_changes_nothing_else():
    (sample,) = toggled(by_hand(), at(LEFT, RIGHT))
    (other,) = toggled(by_hand(), at(LEFT))
    np.testing.assert_allclose(sample.without[1], other.image, atol=1)
    assert np.array_equal(sample.empty, other.empty)
    assert sample.poses.tolist() == [pytest.approx(LEFT), pytest.approx(RIGHT)]
    far = np.s_[:, 20:]  # of the object on the left
    assert sample.shown[0][far].max() < 0.02


def test_absent_objects_are_neither_painted_nor_labelled():
    there = torch.tensor([[False, True]])
    (sample,) = toggled(by_hand(), at(LEFT, RIGHT, present=there))
    assert sample.poses.tolist() == [pytest.approx(RIGHT)]
    assert len(sample.shown) == len(sample.alone) == len(sample.without) == 1
    np.testing.assert_allclose(sample.without[0], sample.empty, atol=1)
    (none,) = toggled(by_hand(), at(LEFT, RIGHT, present=torch.tensor([[False, False]])))
    assert np.array_equal(none.image, none.empty)
    assert not visible(none).any()
    assert soundness(none, Usual(0.5, 40)) == 1
    frame = frame_of(none, 1, ("dot",), (), 0.35)
    assert frame.instances == ()


def test_a_sample_does_not_depend_on_those_beside_it():
    net = by_hand()
    latents = [at(LEFT, RIGHT), at(RIGHT, LEFT)]
    both = Latents(
        *(torch.cat(parts) for parts in zip(*(vars(one).values() for one in latents), strict=True))
    )
    for together, alone in zip(toggled(net, both), latents, strict=True):
        (single,) = toggled(net, alone)
        assert all(np.array_equal(a, b) for a, b in zip(together, single, strict=True))


# ------------------------------------------------------------------------------------------ labels


def test_a_mask_is_cut_at_a_share_of_its_own_largest_change():
    changes = np.zeros((2, 4, 4))
    changes[0, 0] = [1.0, 0.4, 0.3, 0.0]
    changes[1, 1] = [0.1, 0.04, 0.03, 0.0]
    found = masks(changes, 0.35)
    assert found[0, 0].tolist() == found[1, 1].tolist() == [True, True, False, False]
    assert not masks(np.zeros((1, 4, 4))).any()  # what changes nothing has no pixel


def sample_of(shown, alone=None) -> Toggled:
    shown = np.asarray(shown, float)
    count, height, width = shown.shape
    image = np.zeros((height, width, 3), np.uint8)
    return Toggled(
        image, image, np.zeros((count, height, width, 3), np.uint8), np.zeros((count, 2)), shown,
        shown if alone is None else np.asarray(alone, float),
    )  # fmt: skip


def test_a_pixel_belongs_to_the_object_that_it_changes_most_with():
    shown = np.zeros((2, 6, 6))
    shown[0, 2, 1:4] = [1.0, 0.9, 0.5]  # of its own peak
    shown[1, 2, 2:5] = [0.1, 0.14, 0.2]
    ids = visible(sample_of(shown))
    assert ids[2].tolist() == [0, 1, 1, 2, 2, 0]


def test_the_visible_fraction_is_what_shows_of_an_object_alone():
    alone = np.zeros((2, 8, 8))
    alone[0, 2:6, 0:4] = alone[1, 2:6, 2:6] = 1
    shown = alone.copy()
    shown[0, :, 2:4] = 0  # hidden by the other
    frame = frame_of(sample_of(shown, alone), 1, ("dot",), (), 0.35)
    first, second = labels.annotate(frame)
    assert (first.area, first.amodal_area, first.visible_fraction) == (8, 16, 0.5)
    assert first.occluder == 2
    assert second.visible_fraction == 1
    assert audit.audit_frame(frame, [first, second]) == []


def test_frames_pass_the_audit_wherever_objects_are():
    net = by_hand()
    for k in range(40):
        poses = rng_for(k, 0, Stream.EVALUATE).uniform(-1.2, 1.2, (3, 2))
        (sample,) = toggled(net, at(*poses.tolist()))
        frame = frame_of(sample, 1, ("dot",), ("field",), 0.35)
        assert audit.audit_frame(frame, labels.annotate(frame)) == []


# --------------------------------------------------------------------------------------- soundness


def blob(*rectangles, strength=1.0):
    change = np.zeros((12, 12))
    for x, y, width, height in rectangles:
        change[y : y + height, x : x + width] = strength
    return change


@pytest.mark.parametrize(
    ("change", "score"),
    [
        (blob((2, 2, 4, 4)), 1.0),
        (blob((0, 0, 4, 2), (6, 6, 4, 2)), 0.5),  # two pieces
        (blob((2, 2, 2, 2)), 0.5),  # 4 px where 16 are usual
        (blob((2, 2, 4, 4), strength=0.2), 0.4),  # faint
        (np.zeros((12, 12)), 0.0),  # not there
    ],
    ids=["whole", "two pieces", "tiny", "faint", "none"],
)
def test_soundness_falls_where_an_object_is_not_well_found(change, score):
    good = blob((8, 8, 4, 4))
    usual = Usual(1.0, 16)
    assert soundness(sample_of([good]), usual) == 1
    other = blob((8, 2, 4, 4)) if change.any() else good
    assert soundness(sample_of([other, change]), usual) == pytest.approx(score)


def test_soundness_does_not_fall_because_masks_are_cut_smaller():
    """Sizes are held against the usual one where that was taken."""
    samples = looked_at(by_hand(), (1, 1))
    for cut in (0.2, 0.35, 0.6, 0.9):
        assert sound_share(samples, usual_of(samples), cut) == 1


def test_usual_is_the_median_of_samples():
    net = by_hand()
    (sample,) = toggled(net, at((0.0, 0.0)))
    usual = usual_of(looked_at(net, (1, 1)))
    assert usual.strength == pytest.approx(float(sample.shown[0].max()), rel=0.2)
    assert usual.area == pytest.approx(float(masks(sample.shown)[0].sum()), rel=0.2)


def tinted(net: Generator, strength: float) -> Generator:
    """Backgrounds that are more or less red."""
    net.behind.norms[-1].style.weight[16, 0] = strength
    return net


def faint(net: Generator) -> Generator:
    """Objects that hardly change the picture, as if the background painted everything."""
    net.before.norms[-1].style.bias[:16] = -0.95
    return tinted(net, 1.0)


def test_a_background_that_paints_everything_is_noticed():
    assert painted_background(looked_at(by_hand(), (2, 2))) > 2 * PAINTED
    assert painted_background(looked_at(faint(by_hand()), (2, 2))) < PAINTED / 2


def sound(net: Generator, objects: int) -> float:
    usual = usual_of(looked_at(net, (2, 2)))
    return sound_share(looked_at(net, (objects, objects)), usual)


def test_the_share_of_sound_samples_falls_with_objects_on_top_of_each_other():
    free, crowded = by_hand(), by_hand(spread=0.05)
    assert sound(free, 1) == 1
    assert sound(free, 2) > 0.6
    # Of two copies in one place, one changes hardly anything.
    assert sound(crowded, 4) < 0.5 * sound(free, 2)


def test_objects_that_share_one_thing_are_not_found():
    """Each changes all of it, one its left side more and the other its right side."""
    left = blob((2, 2, 6, 8)) * np.linspace(1.0, 0.6, 12)
    usual = Usual(1.0, 48)
    shared = soundness(sample_of([left, left[:, ::-1]]), usual)
    beside = soundness(sample_of([blob((0, 2, 6, 8)), blob((6, 2, 6, 8))]), usual)
    assert shared < 0.5 < beside == 1


# --------------------------------------------------------------------------------------- component


def saved(folder, net: Generator):
    trainee = RelateTrainee(BLACK, SETTINGS, 0)
    trainee.average.load_state_dict(net.state_dict())
    save_relate_model(folder / "relate.safetensors", trainee, parse(WORLD))
    return str(folder / "relate.safetensors")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("by_hand"), by_hand())


def rngs(*numbers):
    return [rng_for(0, k, Stream.SCENE) for k in numbers]


def made(component, count=30):
    """Frames, and how many were rejected."""
    frames, scores = [], []
    with component.open(parse(WORLD)) as make:
        for k in range(count):
            try:
                frames += make(rngs(k))
            except RejectedError as error:
                scores.append(error.score)
    return frames, scores


def test_frames_have_their_objects_labelled_and_doubtful_ones_are_rejected(weights):
    frames, scores = made(Component(weights=weights, objects=(3, 3)))
    assert len(frames) >= 10 and scores and max(scores) < 0.9
    for frame in frames:
        found = labels.annotate(frame)
        assert [a.category for a in found] == ["dot"] * 3
        assert audit.audit_frame(frame, found) == []
    everything, none = made(Component(weights=weights, objects=(3, 3), gate=0.0))
    assert len(everything) == 30 and none == []
    assert Component(weights=weights).may_reject()
    assert not Component(weights=weights, gate=0.0).may_reject()


def test_an_image_is_a_function_of_its_rng_alone(weights):
    component = Component(weights=weights, gate=0.0)
    with component.open(parse(WORLD)) as make:
        together = make(rngs(3, 4, 5))
        (alone,) = make(rngs(4))
    assert np.array_equal(together[1].image, alone.image)
    assert np.array_equal(together[1].instance_map, alone.instance_map)
    assert not np.array_equal(together[0].image, alone.image)


def test_more_and_fewer_objects_than_were_learned(weights):
    ones, _ = made(Component(weights=weights, objects=(1, 1)))
    assert {len(frame.instances) for frame in ones} == {1}
    some, _ = made(Component(weights=weights, objects=(0, 3)), 60)
    assert {len(frame.instances) for frame in some} == {0, 1, 2, 3}


def test_a_larger_cut_makes_masks_smaller(weights):
    areas = []
    for cut in (0.2, 0.6):
        frames, _ = made(Component(weights=weights, cut=cut, gate=0.0, objects=(1, 1)), 5)
        areas.append(np.mean([a.area for f in frames for a in labels.annotate(f)]))
    assert areas[1] < 0.8 * areas[0]


def test_truncation_brings_backgrounds_together(tmp_path):
    weights = saved(tmp_path, tinted(by_hand(), 0.5))
    spreads = []
    for truncation in (1.0, 0.1):
        frames, _ = made(Component(weights=weights, truncation=truncation, objects=(1, 1)), 12)
        spreads.append(np.stack([f.image[:2, :2] for f in frames]).std(0).mean())
    assert spreads[1] < 0.3 * spreads[0]


@pytest.mark.parametrize("gate", [0.9, 0.0])
def test_a_model_whose_background_paints_is_refused_whatever_the_gate(tmp_path, gate):
    weights = saved(tmp_path, faint(by_hand()))
    with refused(weights, "its background paints the objects, too"):
        Component(weights=weights, gate=gate).check_worth(parse(WORLD))


def test_a_model_is_refused_where_the_gate_lets_few_pictures_pass(weights):
    Component(weights=weights).check_worth(parse(WORLD))
    for gate in ({}, {"gate": 0.5}):
        with refused(weights, "of 30, below 40%; ask for fewer `objects`, lower `gate`"):
            Component(weights=weights, objects=(30, 30), **gate).check_worth(parse(WORLD))
    Component(weights=weights, objects=(30, 30), gate=0.0).check_worth(parse(WORLD))


def test_what_has_not_learned_yet_is_not_judged():
    with refused("datagen learn"):
        Component().check_worth(parse(WORLD))


def test_numbers_of_objects_that_make_no_sense_are_refused(weights):
    with pytest.raises(InputError, match=r"generator\.objects"):
        made(Component(weights=weights, objects=(3, 2)), 1)
