"""Mask R-CNN: what it learns, what it finds, and that an interrupted training loses nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from coloured_pictures import BLUE, RED, labelled, picture, rectangle, scattered
from resuming import goes_on
from structures import rng
from torchvision.models.detection import maskrcnn_resnet50_fpn

from datagen import rle
from datagen.errors import DatagenError, InputError
from datagen.labelled import ANY
from datagen.reading import load_image
from datagen.settings.train import Augmentation, Train
from detectors._examples import Album
from detectors._finding import memory_said
from detectors._network import network
from detectors.mask_rcnn import Detector

pytestmark = pytest.mark.usefixtures("one_thread")

STILL = Augmentation(flip=0, crop=0, brightness=0, contrast=0, saturation=0, hue=0, blur=0, noise=0)


@pytest.fixture(autouse=True)
def no_cache(tmp_path, monkeypatch):
    """No weights in torchvision's cache, whatever this machine has."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))


def trained(folder, settings, steps=None, start=None, **options):
    pupil = Detector(**options).pupil(folder, settings, start)
    readings = [pupil.step(k) for k in range(steps or settings.steps)]
    return pupil, readings


def test_it_learns_to_find_coloured_rectangles_with_their_masks(tmp_path):
    lesson = scattered(tmp_path, 8)
    settings = Train(steps=60, batch=4, learning_rate=2e-3, warmup=10, augment=STILL)
    pupil, readings = trained(lesson, settings)
    assert readings[-1]["loss"] < 0.5 * readings[0]["loss"]
    hits = []
    found = pupil.detect([load_image(one) for one in lesson.pictures])
    for one, detections in zip(lesson.pictures, found, strict=True):
        for thing in one.things:
            overlaps = [
                overlap(rle.decode([thing.mask]), rle.decode([mask]))
                for mask, category, score in zip(
                    detections.masks, detections.categories, detections.scores, strict=True
                )
                if category == thing.category and score > 0.5
            ]
            hits.append(max(overlaps, default=0) > 0.7)
    assert np.mean(hits) > 0.8


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


def test_detections_are_sorted_inside_the_picture_and_of_its_size(tmp_path):
    lesson = scattered(tmp_path, 2)
    pupil, _ = trained(lesson, Train(steps=2, batch=2))
    images = [np.zeros(shape, np.uint8) for shape in [(48, 80, 3), (1, 1, 3), (48, 80, 3)]]
    found = pupil.detect(images)
    assert len(found) == 3
    for image, one in zip(images, found, strict=True):
        height, width = image.shape[:2]
        assert one.boxes.dtype == one.scores.dtype == np.float32 and one.boxes.shape[1] == 4
        assert one.categories.dtype == np.int32 and set(one.categories) <= {RED, BLUE}
        assert (np.diff(one.scores) <= 0).all() and len(one.scores) <= 100
        assert (one.boxes[:, :2] >= 0).all()
        assert (one.boxes[:, :2] + one.boxes[:, 2:] <= np.array([width, height]) + 1e-3).all()
        assert all(mask["size"] == [height, width] for mask in one.masks)
        assert all(mask.any() for mask in rle.decode(one.masks)) if one.masks else True


def test_what_is_found_in_a_picture_does_not_depend_on_its_neighbours(tmp_path):
    pupil, _ = trained(scattered(tmp_path, 2), Train(steps=2, batch=2, precision="float32"))
    images = [rng(k).integers(0, 256, (40, 56, 3), np.uint8) for k in range(3)]
    together, (alone,) = pupil.detect(images), pupil.detect(images[1:2])
    assert np.allclose(together[1].boxes, alone.boxes, atol=1e-2)
    assert np.allclose(together[1].scores, alone.scores, atol=1e-4)


def test_an_interrupted_training_ends_with_the_same_bits(tmp_path):
    lesson, settings = scattered(tmp_path, 5), Train(steps=8, batch=2, seed=3)
    goes_on(lambda: Detector().pupil(lesson, settings, None), (4,), tmp_path / "run")


def test_another_seed_learns_otherwise(tmp_path):
    lesson = scattered(tmp_path, 3)
    losses = [trained(lesson, Train(steps=1, batch=2, seed=s))[1][0]["loss"] for s in (0, 1)]
    assert losses[0] != losses[1]


def test_each_picture_is_shown_once_an_epoch_and_each_epoch_has_its_own_order(
    tmp_path, monkeypatch
):
    pupil = Detector().pupil(scattered(tmp_path, 5), Train(batch=2), None)
    shown, given = [], Album.example
    monkeypatch.setattr(Album, "example", lambda album, k: shown.append(k) or given(album, k))
    for number in range(15):
        pupil._shown(number)
    epochs = [shown[:5], shown[5:10], shown[10:]]
    assert all(sorted(one) == [0, 1, 2, 3, 4] for one in epochs)
    assert len(set(map(tuple, epochs))) == 3


def test_what_is_ignored_is_a_region_and_no_thing_to_be_found(tmp_path):
    size = (40, 32)
    things = [
        rectangle(RED, (2, 2, 8, 8), size),
        rectangle(BLUE, (20, 4, 10, 6), size, ignored=True),
        rectangle(ANY, (0, 20, 40, 12), size, ignored=True),
    ]
    one = Album([picture(tmp_path, "a.png", things, size)], None, masks=True).example(0)
    assert (one.boxes.tolist(), one.categories.tolist()) == ([[2, 2, 10, 10]], [RED])
    assert one.ignored.tolist() == [[20, 4, 30, 10], [0, 20, 40, 32]]
    assert one.masks.shape == (1, 32, 40)


def test_pictures_without_things_crowds_and_one_pixel_things_can_be_learned_from(tmp_path):
    size = (40, 33)
    full = (0, 0, 40, 33)
    lesson = labelled(
        tmp_path,
        [
            picture(tmp_path, "empty.png", [], size),
            picture(tmp_path, "dot.png", [rectangle(RED, (7, 5, 1, 1), size)], size),
            picture(tmp_path, "all.png", [rectangle(ANY, full, size, ignored=True)], size),
            picture(tmp_path, "crowd.png", [rectangle(BLUE, full, size, ignored=True)], size),
        ],
    )
    everything = Augmentation(crop=1, blur=16, noise=64, hue=0.5, brightness=1, contrast=1)
    _, readings = trained(lesson, Train(steps=6, batch=2, augment=everything))
    assert all(np.isfinite(list(r.values())).all() for r in readings)


def test_boxes_can_be_found_without_their_masks_and_are_the_same(tmp_path):
    lesson = scattered(tmp_path, 2)
    pupil, _ = trained(lesson, Train(steps=2, batch=2))
    images = [load_image(one) for one in lesson.pictures]
    whole, boxes = pupil.detect(images), pupil.detect(images, masks=False)
    for a, b in zip(whole, boxes, strict=True):
        assert len(a.masks) == len(a.scores) and b.masks is None
        assert np.array_equal(a.boxes, b.boxes) and np.array_equal(a.scores, b.scores)
    assert "mask" in pupil.step(2)


def test_without_masks_only_boxes_are_learned_and_found(tmp_path):
    lesson = scattered(tmp_path, 3, masks=False)
    bare = [
        replace(one, things=tuple(replace(thing, mask=None) for thing in one.things))
        for one in lesson.pictures
    ]
    pupil, readings = trained(labelled(tmp_path, bare, masks=False), Train(steps=2, batch=2))
    assert "mask" not in readings[0]
    assert pupil.detect([np.zeros((32, 32, 3), np.uint8)])[0].masks is None


def test_a_side_makes_the_network_see_smaller_pictures_and_answers_come_in_the_pictures_px(
    tmp_path,
):
    lesson = scattered(tmp_path, 2, size=(96, 64))
    pupil, _ = trained(lesson, Train(steps=2, batch=2), side=32)
    (found,) = pupil.detect([load_image(lesson.pictures[0])])
    assert found.boxes[:, 2:].max() > 33
    assert all(mask["size"] == [64, 96] for mask in found.masks)


def test_saved_and_opened_again_it_finds_the_same(tmp_path):
    lesson = scattered(tmp_path, 3)
    pupil, _ = trained(lesson, Train(steps=3, batch=2))
    pupil.save(tmp_path / "model.safetensors")
    images = [load_image(one) for one in lesson.pictures]
    with Detector(weights=str(tmp_path / "model.safetensors")).open() as detect:
        again = detect(images)
    for a, b in zip(pupil.detect(images), again, strict=True):
        assert np.array_equal(a.boxes, b.boxes) and np.array_equal(a.scores, b.scores)
        assert a.masks == b.masks


def test_a_loss_that_is_not_finite_is_an_error_that_says_what_to_lower(tmp_path):
    pupil, _ = trained(scattered(tmp_path, 2), Train(steps=9, batch=2), 1)
    state = {name: tensor.clone() for name, tensor in pupil.tensors().items()}
    state["model.backbone.body.conv1.weight"].fill_(float("nan"))
    pupil.load(state)
    with pytest.raises(InputError, match=r"step 2 .* is nan; lower train.learning_rate"):
        pupil.step(1)


def too_much_for_torch():
    torch.zeros(1 << 50)


def too_much_for_numpy():
    np.zeros(1 << 58)


def too_much_for_a_gpu():
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")


@pytest.mark.parametrize("fails", [too_much_for_torch, too_much_for_numpy, too_much_for_a_gpu])
def test_no_memory_left_is_an_error_that_says_what_to_lower(fails):
    said = pytest.raises(DatagenError, match="does not suffice; lower train.batch")
    with said, memory_said("train.batch"):
        fails()


def test_other_errors_are_left_as_they_are():
    with pytest.raises(RuntimeError, match="shapes"), memory_said("train.batch"):
        raise RuntimeError("shapes do not fit")


def test_nothing_to_learn_from_is_refused(tmp_path):
    with pytest.raises(InputError, match="no pictures or no categories"):
        Detector().pupil(labelled(tmp_path, []), Train(), None)


def test_one_tiny_picture_at_a_time_can_be_learned_from(tmp_path):
    things = [rectangle(RED, (2, 2, 5, 5), (9, 7))]
    lesson = labelled(tmp_path, [picture(tmp_path, "a.png", things, (9, 7))])
    _, readings = trained(lesson, Train(steps=2, batch=1))
    assert np.isfinite(readings[1]["loss"])


def test_the_large_size_is_torchvisions_own(tmp_path):
    with torch.device("meta"):
        theirs = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=3)
        ours = network("resnet50", 2, masks=True, frozen=False, least_score=0.05, most=100)
    shapes = [{k: t.shape for k, t in net.state_dict().items()} for net in (ours, theirs)]
    assert shapes[0] == shapes[1]


@pytest.mark.slow
def test_the_large_size_learns_a_step(tmp_path):
    _, readings = trained(scattered(tmp_path, 1), Train(steps=1, batch=1), size="resnet50")
    assert np.isfinite(readings[0]["loss"])
