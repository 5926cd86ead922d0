"""Randomness is a function of (seed, index, stream) alone, and its numbers are frozen."""

from itertools import product

import numpy as np
import pytest

from datagen.rng import Stream, rng_for


@pytest.mark.parametrize(
    ("stream", "number", "first"),
    [
        (Stream.SCENE, 0, 0.5651317655614634),
        (Stream.RENDER, 1, 0.9453165290142962),
        (Stream.SPRITES, 2, 0.2653024390130161),
        (Stream.LEARN, 3, 0.26594389956428566),
        (Stream.FEATURES, 4, 0.9411333018007978),
        (Stream.EVALUATE, 5, 0.7801057536547077),
        (Stream.BOOTSTRAP, 6, 0.2007793516394134),
    ],
)
def test_the_first_number_of_each_stream_never_changes(stream, number, first):
    assert int(stream) == number
    assert rng_for(0, 0, stream).random() == first


def test_seed_and_index_are_part_of_the_golden_numbers():
    assert rng_for(7, 3, Stream.SCENE).integers(0, 2**32) == 1148948176
    assert rng_for(7, 3, Stream.RENDER).integers(0, 2**32) == 1943727417


def test_all_streams_of_all_images_of_all_seeds_differ():
    asked = list(product((0, 1, 2**40), (0, 1, 2, 99), Stream))
    heads = {tuple(rng_for(*key).integers(0, 2**63, 4)) for key in asked}
    assert len(heads) == len(asked)


def test_a_stream_does_not_depend_on_what_was_drawn_before():
    keys = [(5, index, stream) for index in range(4) for stream in Stream]
    forwards = {key: rng_for(*key).random() for key in keys}
    rng_for(5, 0, Stream.SCENE).random(1000)
    backwards = {key: rng_for(*key).random() for key in reversed(keys)}
    assert forwards == backwards


def test_neighbouring_images_are_not_correlated():
    rows = np.stack([rng_for(0, index, Stream.SCENE).random(64) for index in range(400)])
    # 399 products of 64 pairs: the mean correlation's standard error is 1 / sqrt(399 * 64) = 0.006.
    assert abs(np.mean((rows[1:] - 0.5) * (rows[:-1] - 0.5)) * 12) < 0.03
    assert abs(rows.mean() - 0.5) < 0.01
