"""Augmentation: pixels change, and labels say where the things went."""

from dataclasses import replace

import numpy as np
import pytest
from structures import rng

from datagen.settings.train import Augmentation
from detectors._augment import augmented
from detectors._examples import Example

NONE = {
    "flip": 0, "crop": 0, "brightness": 0, "contrast": 0,
    "saturation": 0, "hue": 0, "blur": 0, "noise": 0,
}  # fmt: skip
HEIGHT, WIDTH = 24, 36


def example(masks=True):
    """Three white discs on black, the middle of each in a place that tells them apart."""
    ys, xs = np.mgrid[:HEIGHT, :WIDTH]
    discs = np.stack([(xs - x) ** 2 + (ys - y) ** 2 <= 16 for x, y in [(6, 6), (18, 12), (30, 18)]])
    boxes = np.array([[x - 4, y - 4, x + 5, y + 5] for x, y in [(6, 6), (18, 12), (30, 18)]])
    return Example(
        np.where(discs.any(0)[..., None], 255, 0).repeat(3, 2).astype(np.uint8),
        boxes.astype(np.float32),
        np.array([0, 1, 2]),
        discs.astype(np.uint8) if masks else None,
        np.array([[0, 20, 8, 24]], np.float32),
    )


def changed(index=0, masks=True, **settings):
    return augmented(rng(index), example(masks), Augmentation(**NONE | settings))


def around(mask):
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]


def test_without_any_setting_nothing_changes():
    before, after = example(), changed()
    for name in ("image", "boxes", "categories", "masks", "ignored"):
        assert np.array_equal(getattr(before, name), getattr(after, name))


def test_the_same_rng_changes_a_picture_in_the_same_way():
    first, second, other = (augmented(rng(k), example(), Augmentation()).image for k in (5, 5, 6))
    assert np.array_equal(first, second)
    assert first.shape != other.shape or not np.array_equal(first, other)


@pytest.mark.parametrize("index", range(12))
def test_boxes_masks_and_pixels_agree_after_a_flip_and_a_crop(index):
    after = changed(index, flip=0.5, crop=1)
    height, width = after.image.shape[:2]
    assert HEIGHT / 2 <= height <= HEIGHT and WIDTH / 2 <= width <= WIDTH
    assert after.masks.shape == (len(after.boxes), height, width)
    assert len(after.categories) == len(after.boxes)
    for mask, box in zip(after.masks, after.boxes, strict=True):
        assert box.tolist() == around(mask)
        assert (after.image[mask > 0] == 255).all()
    assert (after.ignored[:, 2:] > after.ignored[:, :2]).all()
    assert (after.ignored[:, 2:] <= [width, height]).all()


def test_a_flip_mirrors_ignored_regions_too():
    after = changed(flip=1)
    assert after.ignored.tolist() == [[WIDTH - 8, 20, WIDTH, 24]]
    assert after.image[6, WIDTH - 1 - 6, 0] == 255


def test_what_a_crop_leaves_nearly_nothing_of_is_ignored_and_what_is_gone_is_gone():
    kept, ignored, gone = 0, 0, 0
    for index in range(80):
        after = changed(index, crop=1)
        (new,) = [len(after.ignored) - int(has_old(after))]
        kept, ignored = kept + len(after.boxes), ignored + new
        gone += 3 - len(after.boxes) - new
        assert all(mask.sum() >= 0.2 * 49 for mask in after.masks)
    assert kept > 100 and gone > 10 and 0 < ignored < 20


def has_old(after):
    """Is the region that was ignored before still in the picture? It alone is not of a disc."""
    return any(not after.image[int(y0) : int(y1), int(x0) : int(x1)].any()
               for x0, y0, x1, y1 in after.ignored)  # fmt: skip


def test_a_crop_keeps_things_whose_masks_are_too_thin_to_be_drawn():
    """As after a picture was made smaller; unlabelled, they would be learned as background."""
    thin = replace(example(), masks=np.zeros((3, HEIGHT, WIDTH), np.uint8))
    for index in range(20):
        after = augmented(rng(index), thin, Augmentation(**NONE | {"crop": 1}))
        bare = changed(index, masks=False, crop=1)
        assert after.boxes.tolist() == bare.boxes.tolist()
        assert after.ignored.tolist() == bare.ignored.tolist()


def test_boxes_without_masks_are_cut_at_the_border():
    for index in range(20):
        after = changed(index, masks=False, crop=1)
        height, width = after.image.shape[:2]
        assert after.masks is None
        assert (after.boxes >= 0).all() and (after.boxes[:, 2:] <= [width, height]).all()
        areas = (after.boxes[:, 2:] - after.boxes[:, :2]).prod(1)
        assert (areas >= 0.2 * 81 - 1e-3).all()


@pytest.mark.parametrize(
    "settings",
    [{"brightness": 0.5}, {"contrast": 0.5}, {"blur": 2.0}, {"noise": 20.0}],
)
def test_each_setting_changes_pixels_and_no_label(settings):
    before, after = example(), changed(3, **settings)
    assert not np.array_equal(before.image, after.image)
    assert after.image.dtype == np.uint8
    assert np.array_equal(before.boxes, after.boxes)
    assert np.array_equal(before.masks, after.masks)


def test_saturation_and_hue_leave_grey_as_it_is_and_turn_colours():
    for settings in ({"saturation": 0.9}, {"hue": 0.4}):
        assert np.abs(changed(1, **settings).image.astype(int) - example().image).max() <= 1
        red = Example(
            np.full((4, 4, 3), (200, 40, 40), np.uint8),
            np.zeros((0, 4), np.float32),
            np.zeros(0, np.int64),
            None,
            np.zeros((0, 4), np.float32),
        )
        after = augmented(rng(1), red, Augmentation(**NONE | settings))
        assert np.abs(after.image.astype(int) - red.image).max() > 20
