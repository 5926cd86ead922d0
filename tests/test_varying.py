import numpy as np

from datagen.learning.album.varying import varied
from datagen.rng import Stream, rng_for


def picture():
    image = np.full((40, 60, 3), 60, np.uint8)
    image[10:30, 20:50] = (200, 160, 120)
    return image


def test_without_variation_a_picture_is_as_rendered():
    image = picture()
    assert varied(image, 0.0, rng_for(0, 0, Stream.FEATURES)) is image


def test_colours_change_and_places_do_not():
    image = picture()
    for k in range(20):
        made = varied(image, 1.0, rng_for(0, k, Stream.FEATURES))
        assert made.shape == image.shape and made.dtype == np.uint8
        assert not np.array_equal(made, image)
        inner, outer = made[14:26, 24:46].mean(), made[:6].mean()
        assert inner > outer  # what is brighter stays so


def test_a_picture_varies_by_its_own_randomness_alone():
    one, same, other = (varied(picture(), 0.5, rng_for(1, k, Stream.FEATURES)) for k in (3, 3, 4))
    assert np.array_equal(one, same) and not np.array_equal(one, other)
