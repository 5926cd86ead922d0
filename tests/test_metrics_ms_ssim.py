"""MS-SSIM against an independent implementation, and how it behaves on sets."""

import numpy as np
import pytest
from scipy.ndimage import correlate1d
from structures import rng

from datagen.errors import InputError
from datagen.metrics.ms_ssim import WEIGHTS, likeness, ms_ssim, scales_for
from datagen.metrics.pairs import random_pairs

pytestmark = pytest.mark.usefixtures("one_thread")


def pictures(count, height=64, width=64, index=0):
    """Smooth fields with some noise, so that neither structure nor contrast is trivial."""
    random = rng(index)
    y, x = np.mgrid[:height, :width] / 16
    waves = random.uniform(0, 2, (count, 3, 2, 1, 1))
    field = np.sin(waves[:, :, 0] * x + waves[:, :, 1] * y + random.uniform(0, 6, (count, 3, 1, 1)))
    field = 128 + 90 * field + random.normal(0, 12, field.shape)
    return np.clip(field, 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)


def blurred(x):
    """Gaussian of deviation 1.5 on 11 pixels, borders mirrored: [C, H, W]."""
    taps = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    for axis in (1, 2):
        x = correlate1d(x, taps / taps.sum(), axis=axis, mode="mirror")
    return x


def slow_ms_ssim(a, b, scales):
    """Of one pair [H, W, 3] (Wang, Simoncelli and Bovik, 2003).

    As torchmetrics has it: contrast and structure count where the window lies inside the picture,
    the last scale's luminance everywhere.
    """
    x, y = (side.transpose(2, 0, 1) / 255 for side in (a, b))
    weights = np.array(WEIGHTS[:scales]) / sum(WEIGHTS[:scales])
    value = 1.0
    for k, weight in enumerate(weights):
        mx, my = blurred(x), blurred(y)
        vx, vy = np.maximum(blurred(x * x) - mx**2, 0), np.maximum(blurred(y * y) - my**2, 0)
        structure = (2 * (blurred(x * y) - mx * my) + 0.03**2) / (vx + vy + 0.03**2)
        light = (2 * mx * my + 0.01**2) / (mx**2 + my**2 + 0.01**2)
        inside = structure[:, 5:-5, 5:-5].mean()
        term = (light * structure).mean() if k == scales - 1 else inside
        value *= max(0.0, term) ** weight
        c, h, w = x.shape
        x, y = (
            s[:, : h // 2 * 2, : w // 2 * 2].reshape(c, h // 2, 2, w // 2, 2).mean((2, 4))
            for s in (x, y)
        )
    return value


@pytest.mark.parametrize(
    ("height", "width", "scales"),
    [(176, 176, 5), (128, 160, 4), (64, 64, 3), (48, 48, 3), (64, 45, 3), (32, 33, 2), (16, 11, 1)],
)
def test_it_is_what_the_definition_says_on_as_many_scales_as_fit(height, width, scales):
    a, b = pictures(3, height, width), pictures(3, height, width, index=1)
    b[0] = np.clip(a[0].astype(int) + rng(2).integers(-30, 31, a[0].shape), 0, 255)
    assert scales_for(height, width) == scales
    expected = [slow_ms_ssim(x, y, scales) for x, y in zip(a, b, strict=True)]
    assert expected[0] > 0.5
    assert ms_ssim(a, b) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("side", [11, 22, 44, 99, 176])
def test_a_picture_one_pixel_smaller_loses_a_scale_or_is_refused(side):
    at = scales_for(side, 200)
    if side == 11:
        with pytest.raises(InputError, match="needs 11 px"):
            scales_for(10, 200)
    else:
        assert scales_for(side - 1, 200) == at - 1
        assert ms_ssim(pictures(1, side - 1, 200), pictures(1, side - 1, 200)) == pytest.approx(1)


def test_equal_pictures_are_at_one_and_the_order_of_two_does_not_matter():
    a, b = pictures(5), pictures(5, index=1)
    assert ms_ssim(a, a) == pytest.approx(np.ones(5))
    assert ms_ssim(a, b) == pytest.approx(ms_ssim(b, a))


def test_pairs_in_chunks_give_what_they_give_alone(monkeypatch):
    a, b = pictures(5), pictures(5, index=1)
    whole = ms_ssim(a, b)
    monkeypatch.setattr("datagen.metrics.ms_ssim._CHUNK", 2)
    assert ms_ssim(a, b) == pytest.approx(whole)


def test_a_set_of_near_copies_is_more_alike_than_a_diverse_one():
    diverse = pictures(20)
    copies = np.clip(
        diverse[:1].astype(int) + rng(3).integers(-20, 21, diverse.shape), 0, 255
    ).astype(np.uint8)
    far, near = (likeness(images, rng(4), pairs=100) for images in (diverse, copies))
    assert far.mean + 5 * far.error < near.mean < 1
    assert (near.pairs, near.scales) == (100, 3)
    assert near == likeness(copies, rng(4), pairs=100)


def test_the_error_is_that_of_a_mean_over_pairs():
    images = pictures(200, 32, 32)
    means = [likeness(images, rng(k), pairs=40) for k in range(30)]
    spread = np.std([one.mean for one in means], ddof=1)
    assert np.mean([one.error for one in means]) == pytest.approx(spread, rel=0.4)


def test_pairs_are_of_two_pictures_and_all_are_drawn():
    drawn = random_pairs(4, 600, rng())
    assert (drawn[:, 0] != drawn[:, 1]).all()
    kinds, counts = np.unique(drawn, axis=0, return_counts=True)
    assert len(kinds) == 12
    assert counts.min() > 25 and counts.max() < 80  # 50 expected


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        (pictures(2), pictures(3), "either side"),
        (pictures(2) / 255, pictures(2) / 255, "uint8"),
        (pictures(2)[0], pictures(2)[0], "uint8"),
    ],
)
def test_pairs_that_cannot_be_compared_are_refused(a, b, said):
    with pytest.raises(InputError, match=said):
        ms_ssim(a, b)


def test_one_picture_makes_no_pair():
    with pytest.raises(InputError, match="at least 2 pictures"):
        likeness(pictures(1), rng())
