"""SWD against a slow reference, closed forms, and what must be so for any distance."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.stats import norm, wasserstein_distance
from structures import rng

from datagen.errors import InputError
from datagen.metrics.swd import (
    FLAT,
    KARRAS,
    TF_GAN,
    Slicing,
    SwdLevel,
    by_patch,
    by_set,
    laplacian_pyramid,
    sliced_wasserstein,
    swd,
)

TAPS = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256


def noise(count=8, height=32, width=32, index=0):
    return rng(index).integers(0, 256, (count, height, width, 3)).astype(np.uint8)


def squares(count, index, side=10, size=64):
    """Black images with an orange square each."""
    images = np.zeros((count, size, size, 3), np.uint8)
    for image, (y, x) in zip(images, rng(index).integers(0, size - side, (count, 2)), strict=True):
        image[y : y + side, x : x + side] = 250, 150, 50
    return images


def values(levels, kind):
    return np.array([getattr(level, kind) for level in levels])


# ---------------------------------------------------------------------------------- a reference


def slow_pyramid(image):
    """float64 [h, w, 3]: plain convolutions, zeros set between the pixels of the coarser level."""
    levels, fine = [], image.astype(float)
    while min(fine.shape[:2]) >= 32:
        coarse = ndimage.convolve(fine, TAPS[..., None], mode="mirror")[::2, ::2]
        sparse = np.zeros_like(fine)
        sparse[::2, ::2] = coarse
        levels.append(fine - ndimage.convolve(sparse, 4 * TAPS[..., None], mode="mirror"))
        fine = coarse
    return [*levels, fine]


def slow_swd(a, b, random, slicing):
    """The definition, patch by patch and direction by direction, by SciPy's distance."""
    found = []
    pyramids = [[slow_pyramid(image) for image in images] for images in (a, b)]
    for k in range(len(pyramids[0][0])):
        height, width = pyramids[0][0][k].shape[:2]
        shape = len(a), slicing.patches
        tops = random.integers(height - 6, size=shape)
        lefts = random.integers(width - 6, size=shape)
        directions = random.normal(size=(slicing.directions, 147))
        cut = [
            np.array(
                [
                    pyramid[k][y : y + 7, x : x + 7].transpose(2, 0, 1)
                    for pyramid, ys, xs in zip(side, tops, lefts, strict=True)
                    for y, x in zip(ys, xs, strict=True)
                ]
            )
            for side in pyramids
        ]
        by_channel = [
            np.stack([(p[:, c] - p[:, c].mean()) / p[:, c].std() for c in range(3)], 1) for p in cut
        ]
        by_one = [np.array([(one - one.mean()) / one.std() for one in p]) for p in cut]
        means = []
        for x, y in (by_channel, by_one):
            each = [
                wasserstein_distance(*(side.reshape(len(side), -1) @ d for side in (x, y)))
                for d in directions / np.linalg.norm(directions, axis=1)[:, None]
            ]
            means.append(1000 * np.mean(each))
        found.append((min(height, width), *means))
    return found


@pytest.mark.parametrize(("height", "width"), [(64, 64), (48, 64), (37, 33), (16, 19)])
def test_it_is_what_the_definition_says_at_any_size(height, width):
    a, b = noise(4, height, width), noise(4, height, width, index=1) // 2
    slicing = Slicing(3, 5)
    ours = swd(a, b, rng(2), slicing)
    theirs = slow_swd(a, b, rng(2), slicing)
    assert [(v.side, v.whole_set, v.per_patch) for v in ours] == [
        pytest.approx(one, rel=1e-4) for one in theirs
    ]


def test_levels_end_at_16_pixels():
    def sides(size):
        return [level.side for level in swd(noise(2, size, size), noise(2, size, size), rng())]

    assert sides(64) == [64, 32, 16]
    assert sides(48) == [48, 24]
    assert sides(16) == [16]


def test_the_pyramid_adds_up_to_the_image():
    images = noise(2, 64, 48)
    fine, coarse = laplacian_pyramid(images)
    for image, detail, small in zip(images, fine, coarse, strict=True):
        sparse = np.zeros((64, 48, 3))
        sparse[::2, ::2] = small
        smooth = ndimage.convolve(sparse, 4 * TAPS[..., None], mode="mirror")
        assert np.abs(detail + smooth - image).max() < 1e-3


# ---------------------------------------------------------------------------------- what must be so


def test_equal_sets_are_at_zero_and_the_order_of_the_two_does_not_matter():
    a, b = squares(16, 0), squares(16, 1, side=14)
    assert swd(a, a, rng()) == tuple(SwdLevel(side, 0.0, 0.0) for side in (64, 32, 16))
    assert swd(a, b, rng(3)) == swd(b, a, rng(3))


def test_one_random_generator_gives_one_reading():
    a, b = squares(16, 0), squares(16, 1)
    assert swd(a, b, rng(5)) == swd(a, b, rng(5))
    assert swd(a, b, rng(5)) != swd(a, b, rng(6))


def test_it_grows_with_the_difference_and_two_draws_of_one_law_show_the_floor():
    real = squares(256, 0)
    sides = [10, 13, 20]
    readings = [swd(real, squares(256, 1 + k, side), rng()) for k, side in enumerate(sides)]
    for kind in ("whole_set", "per_patch"):
        floor, near, far = (values(reading, kind) for reading in readings)
        assert (floor > 0).all()
        assert (near > 1.2 * floor).all(), kind
        assert (far > 1.2 * near).all(), kind


def test_the_floor_falls_with_the_number_of_images():
    few, many = (
        values(swd(squares(n, 0), squares(n, 1), rng()), "whole_set").mean() for n in (64, 1024)
    )
    # 16 times as many: a quarter, were patches of one image independent.
    assert 0.15 < many / few < 0.45


def test_noise_that_no_eye_sees_is_blown_up_patch_by_patch():
    """Why a smaller distance per patch than that of raw RGB images is worth nothing."""
    real, fake = squares(256, 0), squares(256, 1)
    noisy = (fake + (fake < 128) * rng(2).integers(0, 2, fake.shape)).astype(np.uint8)
    clean, seen = (swd(real, images, rng(3))[0] for images in (fake, noisy))
    assert seen.per_patch > 50 * clean.per_patch
    assert seen.whole_set < 5 * clean.whole_set


def test_noise_in_a_channel_that_one_set_lacks_is_blown_up_over_the_set_as_well():
    """Say which classes are missing beside the distance."""
    real, fake = squares(256, 0), squares(256, 1)
    real[..., 2] = fake[..., 2] = 0
    noisy = fake.copy()
    noisy[..., 2] = rng(2).integers(0, 2, fake.shape[:3])
    clean, seen = (swd(real, images, rng(3))[0] for images in (fake, noisy))
    assert seen.whole_set > 10 * clean.whole_set


def test_mean_colour_and_contrast_of_a_whole_set_are_not_seen():
    a, b = squares(64, 0), squares(64, 1)
    assert values(swd(a, 40 + b // 2, rng()), "whole_set") == pytest.approx(
        values(swd(a, b, rng()), "whole_set"), rel=0.02
    )


# ---------------------------------------------------------------------------------- closed forms


@pytest.mark.parametrize(("shift", "scale"), [(0.0, 2.0), (1.5, 1.0)])
def test_normal_rows_are_as_far_apart_along_a_direction_as_theory_says(shift, scale):
    """W1 of N(m, s) and N(0, 1): the mean of |m + (s - 1) Z|."""
    direction = np.full((1, 4), 0.5, np.float32)
    a, b = (rng(k).normal(size=(40_000, 4)).astype(np.float32) for k in (0, 1))
    a = a * np.float32(scale) + np.float32(shift / 2)  # along the direction: 4 x 0.5 x shift / 2
    m, s = shift, scale - 1
    expected = abs(m) if s == 0 else s * 2 * norm.pdf(m / s) + m * (2 * norm.cdf(m / s) - 1)
    assert sliced_wasserstein(a, b, direction) == pytest.approx(expected, abs=0.03)


def test_what_is_moved_is_at_the_mean_length_of_its_shadow():
    """All rows moved by v: along a unit vector u the distance is |v u|."""
    rows = rng().normal(size=(50, 147)).astype(np.float32)
    slices = rng(1).normal(size=(20, 147))
    slices = (slices / np.linalg.norm(slices, axis=1)[:, None]).astype(np.float32)
    move = np.linspace(0, 1, 147, dtype=np.float32)
    expected = np.abs(slices @ move).mean()
    assert sliced_wasserstein(rows, rows + move, slices) == pytest.approx(expected, rel=1e-5)


def test_many_rows_in_blocks_give_what_they_give_at_once(monkeypatch):
    a, b = (rng(k).normal(size=(100, 147)).astype(np.float32) for k in (0, 1))
    slices = rng(2).normal(size=(17, 147)).astype(np.float32)
    whole = sliced_wasserstein(a, b, slices)
    monkeypatch.setattr("datagen.metrics.swd._BLOCK", 400)
    assert sliced_wasserstein(a, b, slices) == pytest.approx(whole, rel=1e-6)


# ---------------------------------------------------------------------------------- normalisation


def test_patches_are_normalised_over_the_set_or_each_alone():
    patches = (50 + 20 * rng().normal(size=(300, 3, 7, 7))).astype(np.float32)
    patches[:, 1] *= 3
    whole, each = by_set(patches), by_patch(patches)
    assert np.abs(whole.mean((0, 2, 3))).max() < 1e-5
    assert whole.std((0, 2, 3)) == pytest.approx(np.ones(3), abs=1e-5)
    assert np.abs(each.mean((1, 2, 3))).max() < 1e-5
    assert each.std((1, 2, 3)) == pytest.approx(np.ones(300), abs=1e-5)


def test_what_is_flat_stays_flat():
    patches = np.full((5, 3, 7, 7), 128, np.float32)
    patches[:, 0] += np.float32(0.1 * FLAT) * rng().normal(size=(5, 7, 7)).astype(np.float32)
    for normalised in (by_set(patches), by_patch(patches)):
        assert np.isfinite(normalised).all()
        assert np.abs(normalised).max() < 0.5


def test_sets_of_one_colour_can_be_compared():
    black = np.zeros((4, 64, 64, 3), np.uint8)
    assert all(level.whole_set == level.per_patch == 0 for level in swd(black, black + 90, rng()))
    assert np.isfinite(values(swd(black, squares(4, 0), rng()), "whole_set")).all()


def test_slicings_of_the_papers():
    assert (KARRAS.patches, KARRAS.directions) == (128, 512)
    assert (TF_GAN.patches, TF_GAN.directions) == (64, 147)
    levels = swd(noise(2), noise(2, index=1), rng(), KARRAS)
    assert len(levels) == 2 and all(level.whole_set > 0 for level in levels)


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        (noise(4), noise(5), "as many images"),
        (noise(4), noise(4, 64, 64), "one size"),
        (noise(0), noise(0), "as many images"),
        (noise(4, 15, 40), noise(4, 15, 40), "16 a side"),
        (noise(4).astype(np.float32), noise(4), "uint8"),
        (noise(4)[..., 0], noise(4)[..., 0], "uint8"),
    ],
)
def test_sets_that_cannot_be_compared_are_refused(a, b, said):
    with pytest.raises(InputError, match=said):
        swd(a, b, rng())
