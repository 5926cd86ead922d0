"""Features that are the picture itself, in cells."""

import numpy as np
import pytest
from structures import rng

from datagen import plugins
from datagen.decoding import decode
from datagen.errors import RecipeError


def extract(images, **options):
    with decode(plugins.load("features", "cells"), options, "test").open() as features:
        return features(images)


def test_a_cell_holds_the_mean_colour_of_its_pixels():
    image = np.zeros((1, 4, 4, 3), np.uint8)
    image[0, :2, 2:] = (255, 0, 51)
    cells = extract(image, grid=2).reshape(3, 2, 2)  # colour, row, column
    assert cells[:, 0, 1].tolist() == pytest.approx([1, 0, 0.2])
    assert cells.sum() == pytest.approx(1.2)


def test_sizes_that_do_not_divide_are_averaged_too():
    images = np.full((3, 30, 41, 3), 128, np.uint8)
    found = extract(images, grid=16)
    assert found.shape == (3, 3 * 16 * 16)
    assert found.dtype == np.float32
    assert np.allclose(found, 128 / 255)


def test_a_row_does_not_depend_on_its_neighbours():
    images = rng().integers(0, 256, (5, 32, 32, 3), np.uint8)
    assert np.array_equal(extract(images)[2], extract(images[2:3])[0])


def test_a_grid_without_cells_is_refused():
    with pytest.raises(RecipeError, match="grid"):
        extract(np.zeros((1, 8, 8, 3), np.uint8), grid=0)
