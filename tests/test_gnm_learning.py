"""GNM learns pictures; its labels hold what is drawn."""

import cv2
import numpy as np
import pytest
import torch
from pydantic import ValidationError
from resuming import readings_of, same

from datagen import audit, labels
from datagen.errors import InputError
from datagen.generators.gnm import Generator
from datagen.language import parse
from datagen.learning.gnm import schedule
from datagen.learning.gnm.finding import found_in
from datagen.learning.gnm.objects import frame_of, infer
from datagen.learning.gnm.training import GnmTrainee
from datagen.learning.gnm.weights import load_gnm_model, save_gnm_model
from datagen.models.gnm import Noise, Objects
from datagen.rng import Stream, rng_for
from datagen.settings.gnm import GnmLearning

pytestmark = pytest.mark.usefixtures("one_thread")

WORLD = """
world tiles
canvas 32 x 32
start Scene
Scene -> ground tile tile
ground { draw: ground }
tile { category: "tile"  draw: rect  x: 8 px  y: 8 px  width: 8 px  height: 8 px  colour: red }
"""
QUICK = GnmLearning(
    steps=6, batch=4, width=4, what=3, glimpse=8, drawing=2, latent=4, hidden=8, checkpoint_every=5
)


def tiles(count=24, *, coloured=False, canvas=(32, 32)):
    """A square of 8 px in each of two cells, on black."""
    width, height = canvas
    pictures = np.zeros((count, height, width, 3), np.uint8)
    rng = rng_for(0, 0, Stream.PICTURES)
    for picture in pictures:
        for column in (0, 16):
            x, y = column + int(rng.integers(2, 6)), int(rng.integers(2, 6))
            picture[y : y + 8, x : x + 8] = (200, 60, 60) if coloured else 200
    return pictures


def taught(settings=QUICK, seed=0, steps=None, pictures=None):
    trainee = GnmTrainee(tiles() if pictures is None else pictures, settings, seed)
    return trainee, readings_of(trainee, last=steps)


@pytest.fixture(scope="module")
def plain():
    """What QUICK teaches; read-only."""
    return taught()[0]


# ------------------------------------------------------------------------- stretches and lessons


def test_what_paints_the_background_keeps_its_weights_while_objects_are_put():
    changes = {"steps": 40, "lessons": 0.5, "alpha": True, "background": 2}
    trainee = GnmTrainee(tiles(coloured=True), QUICK.model_copy(update=changes), 0)
    moved = []
    for k in range(40):
        before = [p.detach().clone() for p in trainee.model.painter.parameters()]
        trainee.step(k)
        after = trainee.model.painter.parameters()
        moved.append(any(not torch.equal(a, b) for a, b in zip(before, after, strict=True)))
    assert moved == [not 5 <= k < 20 for k in range(40)]


def test_a_stretch_begins_with_a_fresh_optimiser():
    settings = QUICK.model_copy(update={"steps": 20, "ramp": 0.2, "last": 0.5, "sharp": 0.0})
    trainee, readings = taught(settings.model_copy(update={"stuck": 1e-6}), steps=5)
    assert [r["ramps"] for r in readings] == [1, 1, 1, 1, 2]
    moved = [int(slot["step"]) for slot in trainee.optimizer.state.values()]
    assert set(moved) == {1}


@pytest.mark.parametrize("at", [2, 6, 11, 15])
def test_a_run_that_was_cut_off_in_a_lesson_ends_the_same(at):
    changes = {"steps": 16, "lessons": 0.9, "alpha": True, "background": 2}
    settings, pictures = QUICK.model_copy(update=changes), tiles(coloured=True)
    whole, _ = taught(settings, pictures=pictures)
    first, _ = taught(settings, pictures=pictures, steps=at)
    other = GnmTrainee(pictures, settings, 0)
    other.load(first.tensors())
    readings_of(other, at)
    assert same(whole.tensors(), other.tensors())


def test_only_a_dead_layout_begins_again_with_a_ramp(monkeypatch):
    changes = {"steps": 20, "ramp": 0.2, "last": 0.5, "sharp": 0.0, "stuck": 1e-6}
    made = []
    for dead in (0.0, np.inf, np.inf):
        monkeypatch.setattr(schedule, "_DEAD", dead)
        trainee, _ = taught(QUICK.model_copy(update=changes), steps=4)
        assert trainee.schedule.begun == 2
        made.append(trainee.model)
    alive, renewed, again = (model.draw.state_dict() for model in made)
    assert same(renewed, again) and not any(same({0: a}, {0: b}) for a, b in pairs(alive, renewed))
    assert same(made[0].head.state_dict(), made[1].head.state_dict())


def pairs(one, other):
    """Weights of more than one number, by their names."""
    return [(one[name], other[name]) for name in one if one[name].numel() > 1]


# --------------------------------------------------------------------------------------- learning


@pytest.mark.parametrize(
    "changes",
    [
        {"cell": 8},
        {"size": 0.5},
        {"size_spread": 1.0},
        {"alpha": True},
        {"alpha": True, "background": 2, "lessons": 1.0},
        {"noise": 0.1},
        {"width": 8},
        {"precision": "float32"},
        {"ramp": 0.0},
        {"last": 1.0, "beta": 4.0},
        {"opening": 1.0},
        {"cooling": 1.0},
        {"learning_rate": 1e-4},
    ],
    ids=str,
)
def test_each_setting_is_used(changes, plain):
    """It changes what is learned, and nothing breaks."""
    other, readings = taught(QUICK.model_copy(update=changes))
    assert all(np.isfinite(list(r.values())).all() for r in readings)
    assert not same(plain.model.state_dict(), other.model.state_dict())


def test_to_sample_on_the_way_changes_nothing(plain):
    trainee, _ = taught(steps=3)
    sampler = trainee.sampler()
    assert not sampler.lean and not sampler.training and trainee.model.lean
    readings_of(trainee, 3)
    assert same(plain.tensors(), trainee.tensors())
    assert not same(sampler.state_dict(), trainee.model.state_dict())


def test_grey_pictures_are_learned_in_one_channel():
    assert taught(steps=1)[0].model.sizes.channels == 1
    assert taught(steps=1, pictures=tiles(coloured=True))[0].model.sizes.channels == 3


def test_pictures_need_not_be_square():
    trainee, _ = taught(steps=2, pictures=tiles(canvas=(64, 32)))
    assert trainee.model.sizes.grid == (2, 4)


def test_a_canvas_that_is_no_grid_is_refused():
    with pytest.raises(InputError, match="40 x 32 px are no grid of cells of 16 px"):
        GnmTrainee(tiles(canvas=(40, 32)), QUICK, 0)


def test_a_background_needs_objects_that_hide_it():
    with pytest.raises(ValidationError, match="alpha = true"):
        GnmLearning(background=4)


def printed(count, seed):
    """Grey pictures of 64 px with printed digits of 15 px, in mirrored places; and their boxes."""
    rng = rng_for(seed, 0, Stream.PICTURES)
    pictures = np.zeros((count, 64, 64, 3), np.uint8)
    boxes = np.zeros((count, 4, 4))
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    for k in range(count):
        first, away = int(rng.integers(7)), rng.integers(9, 24, 2)
        for corner, (x, y) in enumerate(32 + corners * away - 8):
            patch = np.zeros((16, 16), np.uint8)
            cv2.putText(patch, str(first + corner), (2, 14), cv2.FONT_HERSHEY_PLAIN, 1.2, 255, 2)
            pictures[k, y : y + 16, x : x + 16] = patch[..., None]
            boxes[k, corner] = np.add((x, y, x, y), bounds(patch > 76))
    return pictures, boxes


def bounds(mask):
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def iou(ours, theirs):
    """[N, M] of boxes [N, 4] and [M, 4]."""
    low = np.maximum(ours[:, None, :2], theirs[None, :, :2])
    high = np.minimum(ours[:, None, 2:], theirs[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), -1)
    areas = [np.prod(b[:, 2:] - b[:, :2], -1) for b in (ours, theirs)]
    return shared / (areas[0][:, None] + areas[1][None] - shared)


@pytest.mark.slow
def test_it_finds_digits_that_nobody_has_labelled():
    settings = GnmLearning(steps=200, ramp=1.0, last=0.0, learning_rate=2e-3, batch=16)
    trainee, _ = taught(settings, pictures=printed(2000, 0)[0])
    pictures, boxes = printed(64, 1)
    found = infer(trainee.sampler(), pictures)
    assert np.mean([len(one.boxes) == 4 for one in found]) >= 0.9
    best = [iou(boxes[k], one.boxes).max(1) for k, one in enumerate(found) if len(one.boxes)]
    assert np.mean(np.concatenate(best) >= 0.5) >= 0.9
    for k in range(4):  # as photos of another size and shape, in whose pixels things are told
        large = cv2.resize(pictures[k], (320, 320), interpolation=cv2.INTER_CUBIC)
        photo = np.pad(large, ((0, 0), (50, 51), (0, 0)))
        at = found_in(trainee.sampler(), photo).boxes - [50, 0, 0, 0]
        at[:, 2:] += at[:, :2]
        assert np.median(iou(boxes[k] * 5, at).max(1)) >= 0.5


@pytest.mark.slow
def test_it_finds_things_before_a_background_that_differs_from_picture_to_picture():
    settings = GnmLearning(
        steps=500, batch=16, learning_rate=2e-3, cell=8, glimpse=8, size=0.25, alpha=True,
        background=4, noise=0.15, lessons=0.8, last=0.0,
    )  # fmt: skip
    trainee, _ = taught(settings, pictures=coins(2000, 0)[0])
    pictures, boxes = coins(64, 1)
    found = infer(trainee.sampler(), pictures)
    assert np.mean([len(one.boxes) for one in found]) < 2.5
    best = [iou(boxes[k], one.boxes).max(1) for k, one in enumerate(found) if len(one.boxes)]
    assert np.mean(np.concatenate(best) >= 0.5) >= 0.9


def coins(count, seed):
    """Pictures of 32 px: two coloured discs of 8 px on one of many greys; and their boxes."""
    rng = rng_for(seed, 0, Stream.PICTURES)
    pictures = np.zeros((count, 32, 32, 3), np.uint8)
    boxes = np.zeros((count, 2, 4))
    for k in range(count):
        pictures[k] = rng.integers(130, 170)
        for n, colour in enumerate([(220, 40, 30), (30, 50, 220)]):
            x, y = int(rng.integers(4, 12)) + 16 * n, int(rng.integers(4, 28))
            disc = cv2.circle(np.zeros((32, 32), np.uint8), (x, y), 4, 1, -1) > 0
            pictures[k][disc] = colour
            boxes[k, n] = bounds(disc)
    return pictures, boxes


# --------------------------------------------------------------------------- generator and labels


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """gnm.safetensors of a short training."""
    settings = QUICK.model_copy(update={"steps": 150, "learning_rate": 5e-3})
    trainee, _ = taught(settings)
    path = tmp_path_factory.mktemp("run") / "gnm.safetensors"
    save_gnm_model(path, trainee, parse(WORLD))
    return path, trainee


def test_a_saved_model_is_read_as_it_is_sampled_from(learned):
    """In full precision, and with the name of its objects."""
    path, trainee = learned
    model, category = load_gnm_model(path, parse(WORLD))
    assert category == "tile"
    assert not model.lean and trainee.model.lean
    assert model.sizes == trainee.model.sizes


def rngs(count, seed=3):
    return [rng_for(seed, k, Stream.SCENE) for k in range(count)]


def frames(weights, count, seed=3, **options):
    with Generator(weights=str(weights), **options).open(parse(WORLD)) as generate:
        return generate(rngs(count, seed))


def test_frames_pass_the_labeller_and_its_audit(learned):
    things = 0
    for frame in frames(learned[0], 12, threshold=0.05):
        annotations = labels.annotate(frame)
        assert audit.audit_frame(frame, annotations) == []
        assert frame.image.shape == (32, 32, 3) and frame.image.dtype == np.uint8
        assert frame.categories == ("tile",)
        assert frame.depth is None
        things += len(annotations)
    assert things >= 12  # a toy that has learned a little draws things


def test_a_frame_is_a_function_of_its_rng_alone(learned):
    together = frames(learned[0], 6)
    with Generator(weights=str(learned[0])).open(parse(WORLD)) as generate:
        alone = [generate([one])[0] for one in reversed(rngs(6))][::-1]
    for one, other in zip(together, alone, strict=True):
        assert np.array_equal(one.image, other.image)
        assert np.array_equal(one.instance_map, other.instance_map)
    assert len({frame.image.tobytes() for frame in together}) > 1


@pytest.fixture(scope="module")
def model(learned):
    return load_gnm_model(learned[0], parse(WORLD))[0]


def scene(model, *cells, **changes):
    """Objects with the mean appearance, one in the middle of each of `cells`."""
    values = torch.zeros(1, model.sizes.cells, model.sizes.each)
    values[..., 0] = -1.1  # 8 px
    presence = torch.zeros(1, model.sizes.cells)
    for k in cells:
        presence[0, k] = 1
    return Objects(presence, values, None)._replace(**changes)


def lit(model, objects):
    with torch.inference_mode():
        return frame_of(model, objects, 1, ("tile",), threshold=0.05)


def test_a_mask_holds_the_light_of_its_object_and_no_other_pixel(model):
    objects = scene(model, 0, 3)
    frame = lit(model, objects)
    assert [thing.path for thing in frame.instances] == ["cell.0.0", "cell.1.1"]
    for number, k in ((1, 0), (2, 3)):
        alone = lit(model, scene(model, k))
        assert np.array_equal(alone.instance_map > 0, frame.instance_map == number)
        light = alone.image[..., 0] / 255
        assert (light[alone.instance_map > 0] > 0.045).all()
        assert (light[alone.instance_map == 0] < 0.055).all()


def test_a_pixel_of_two_objects_is_of_the_stronger_one(model):
    """The same place for both, one at half its light: it has no pixel, and its shape is whole."""
    objects = scene(model, 0, 1)
    objects.values[0, :2, 2] = torch.atanh(torch.tensor([0.5, -0.5]))
    weaker = objects._replace(presence=torch.tensor([[1.0, 0.6, 0, 0]]))
    frame = lit(model, weaker)
    assert set(np.unique(frame.instance_map)) == {0, 1}
    assert [a.instance_id for a in labels.annotate(frame)] == [1]
    assert 0 < frame.instances[1].silhouette.area <= frame.instances[0].silhouette.area
    swapped = lit(model, objects._replace(presence=torch.tensor([[0.6, 1.0, 0, 0]])))
    assert set(np.unique(swapped.instance_map)) == {0, 2}


def test_an_object_at_the_border_is_truncated(model):
    objects = scene(model, 0)
    objects.values[0, 0, 2] = -0.5  # its centre: 8 - 16 tanh(0.5) px
    (whole,) = labels.annotate(lit(model, scene(model, 0)))
    found = labels.annotate(lit(model, objects))
    assert whole.truncation == 0
    assert len(found) == 1 and found[0].truncation > 0.3
    assert found[0].amodal_bbox[0] < 0


def test_what_is_drawn_nowhere_is_no_object(model):
    with torch.inference_mode():
        frame = frame_of(model, scene(model, 0), 1, ("tile",), threshold=0.999)
    assert frame.instances == () and not frame.instance_map.any()


def test_a_pixel_is_of_what_hides_more_than_half_of_it_or_is_lit_to_a_third(monkeypatch):
    """What an object gives to pixels is set; fading to the right, by a tenth a pixel."""
    fading = torch.linspace(0.95, 0.05, 10).expand(1, 2, 1, 10)
    monkeypatch.setattr("datagen.learning.gnm.objects.layers", lambda *_: fading)
    for alpha, least, right in ((True, None, 5), (False, None, 7), (True, 0.2, 8)):
        model = of_light_or_opacity(alpha)
        with torch.inference_mode():
            frame = frame_of(model, scene(model, 0), 1, ("tile",), threshold=least)
        assert frame.instances[0].silhouette.mask.sum() == right


def of_light_or_opacity(alpha):
    trainee = GnmTrainee(tiles(4), QUICK.model_copy(update={"alpha": alpha}), seed=0)
    return trainee.sampler()


def test_objects_in_pictures_have_boxes_scores_and_appearances(model):
    pictures = tiles(70)
    found = infer(model, pictures, threshold=0.05)
    assert len(found) == 70
    again = infer(model, pictures[5:6], threshold=0.05)[0]
    one = found[5]
    for name in ("boxes", "squares", "scores", "what"):
        np.testing.assert_allclose(getattr(one, name), getattr(again, name), atol=1e-4)
    count = len(one.scores)
    assert one.boxes.shape == one.squares.shape == (count, 4)
    assert one.what.shape == (count, 3)
    assert (one.scores > 0.5).all()


def test_boxes_found_are_those_of_the_masks_drawn(model):
    """The picture of what was found has the labels that were found."""
    picture = tiles(1)
    found = infer(model, picture, threshold=0.05)[0]
    with torch.inference_mode():
        x = torch.from_numpy(picture[..., :1]).permute(0, 3, 1, 2).float() / 255
        cells = model.cells(model.encode(x))
        objects = cells.mode()
        frame = frame_of(model, objects, 1, ("tile",), threshold=0.05)
    boxes = [
        (t.silhouette.x, t.silhouette.y, t.silhouette.mask.shape[1], t.silhouette.mask.shape[0])
        for t in frame.instances
    ]
    expected = [(x, y, x + w, y + h) for x, y, w, h in boxes]
    assert found.boxes.tolist() == [list(map(float, box)) for box in expected]
    assert len(found.boxes) >= 1


def test_noise_of_one_sample_is_that_of_its_rng(model):
    one, same = (Noise.of(model.sizes, rng_for(3, 0, Stream.SCENE), 1) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
