"""Judges that learn: D-steps, probes and features of our own, on sets whose answer is known."""

from itertools import pairwise

import numpy as np
import pytest
from structures import rng

from datagen.errors import InputError
from datagen.learning.gap import frechet_distance
from datagen.metrics.own_features import DIM, teach_features
from datagen.metrics.probe import probe_accuracy
from datagen.metrics.separability import steps_to_tell
from datagen.metrics.style import style_diversity
from datagen.metrics.video import fewer, frechet_clip_distance, shuffled


def blobs(count: int, index: int = 0, side: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Pictures uint8 [N, 16, 16, 1] of a soft blob, and its middles [N, 2]."""
    at = rng(index).uniform(4, side - 4, (count, 2))
    y, x = np.mgrid[:side, :side] + 0.5
    d2 = (x - at[:, :1, None]) ** 2 + (y - at[:, 1:, None]) ** 2
    return (255 * np.exp(-d2 / 8)).round().astype(np.uint8)[..., None], at


# -------------------------------------------------------------------------------------- D-steps


def test_sets_of_one_law_are_not_told_apart():
    real, same = blobs(400)[0], blobs(400, 1)[0]
    found = steps_to_tell(real, same, rng(2), most=60, rate=1e-3)
    assert found.steps is None
    assert found.readings[-1][0] == 60
    assert 0.35 < found.readings[-1][1] < 0.65


def test_what_is_plainly_different_is_told_sooner_than_what_is_nearly_right():
    real, dim = blobs(400)[0], blobs(400, 1)[0]
    plain = steps_to_tell(real, 255 - dim, rng(2), most=200, rate=1e-3)
    subtle = steps_to_tell(real, (dim * 0.75).astype(np.uint8), rng(2), most=200, rate=1e-3)
    assert plain.steps is not None
    assert subtle.steps is None or subtle.steps > plain.steps


def test_the_first_of_two_readings_of_ninety_percent_counts():
    real = blobs(100)[0]
    found = steps_to_tell(real, 255 - real, rng(), most=200, every=5, rate=1e-3)
    steps, accuracy = zip(*found.readings, strict=True)
    assert found.steps == steps[-2]
    assert min(accuracy[-2:]) >= 0.9
    assert all(min(pair) < 0.9 for pair in pairwise(accuracy[:-1]))
    assert found == steps_to_tell(real, 255 - real, rng(), most=200, every=5, rate=1e-3)


def test_sets_that_cannot_be_compared_are_refused():
    real = blobs(50)[0]
    with pytest.raises(InputError, match="give one size"):
        steps_to_tell(real, real[:, :8], rng())
    with pytest.raises(InputError, match="give 40 of either"):
        steps_to_tell(real, real[:39], rng())


# ---------------------------------------------------------------------------------------- probes


def test_a_probe_reads_classes_that_are_no_linear_function_of_the_code():
    codes = rng().normal(size=(1200, 4))
    classes = ((codes[:, 0] > 0) ^ (codes[:, 1] > 0)).astype(int)
    found = probe_accuracy(
        codes[:800], classes[:800], codes[800:], classes[800:], rng(1), steps=400
    )
    assert found.accuracy > 0.93
    assert found.chance == pytest.approx(0.5, abs=0.06)
    assert found.error == pytest.approx(np.sqrt(found.accuracy * (1 - found.accuracy) / 400))


def test_a_probe_of_codes_that_know_nothing_is_at_chance():
    codes, classes = rng().normal(size=(1000, 8)), rng(1).integers(10, size=1000)
    found = probe_accuracy(
        codes[:600], classes[:600], codes[600:], classes[600:], rng(2), steps=200
    )
    assert found.accuracy < 0.2


def test_the_unit_of_a_code_does_not_matter():
    codes = rng().normal(size=(600, 3))
    classes = (codes[:, 0] > 0).astype(int)
    scaled = codes * np.array([1e-4, 1, 1e4]) + 100
    a, b = (
        probe_accuracy(c[:400], classes[:400], c[400:], classes[400:], rng(), steps=100)
        for c in (codes, scaled)
    )
    assert abs(a.accuracy - b.accuracy) < 0.03
    with pytest.raises(InputError, match=r"give \[N, D\]"):
        probe_accuracy(codes, classes[:5], codes, classes, rng())


# -------------------------------------------------------------------------------- own features


@pytest.fixture(scope="module")
def features():
    images, at = blobs(1500)
    return teach_features(images, at, rng(), steps=150, batch=32)


def test_features_explain_what_they_were_taught(features):
    assert min(features.explained) > 0.95
    images, _ = blobs(300, 5)
    assert features(images).shape == (300, DIM)
    assert np.abs(features(images[:7]) - features(images)[:7]).max() < 1e-4


def test_their_frechet_distance_sees_a_law_of_places_that_is_wrong(features):
    images, at = blobs(3000, 6)
    real, floor = features(images[:800]), features(images[800:1600])
    left = features(images[1600:][at[1600:, 0] < 9])
    assert frechet_distance(left, real) > 5 * frechet_distance(floor, real)


def test_numbers_that_tell_nothing_are_refused():
    images, at = blobs(120)
    with pytest.raises(InputError, match="number 1 is the same"):
        teach_features(images, at * np.array([1, 0]), rng())
    with pytest.raises(InputError, match="N from 100 on"):
        teach_features(images[:50], at[:50], rng())


# ------------------------------------------------------------------------------------------ clips


def walks(count: int, index: int, frames: int = 5) -> np.ndarray:
    """Features [N, T, 2] that go steadily one way."""
    start, speed = rng(index).normal(size=(2, count, 1, 2))
    return start + 0.5 * speed * np.arange(frames)[:, None]


def test_clips_of_one_law_are_near_and_frames_out_of_order_are_far():
    real, same = walks(2000, 0), walks(2000, 1)
    mixed = shuffled(walks(2000, 2), rng(3))
    floor = frechet_clip_distance(real, same)
    assert floor < 0.1
    assert frechet_clip_distance(real, mixed) > 10 * floor
    # The frames themselves are the same ones: a distance of single frames sees nothing.
    frames = [clips.reshape(-1, 2) for clips in (real, mixed)]
    assert frechet_distance(*frames) < 0.02


def test_the_distance_of_clips_is_that_of_the_gaussians_of_whole_clips():
    a, b = rng().normal(size=(2, 20_000, 2, 2))
    # Means 2 apart in each of the 4 numbers; deviations 1 and 3: 4 * 2^2 + 4 * (3 - 1)^2.
    assert frechet_clip_distance(a, 3 * b + 2) == pytest.approx(32, rel=0.02)


def test_shuffling_keeps_the_frames_of_a_clip():
    clips = np.arange(24).reshape(4, 6, 1)
    mixed = shuffled(clips, rng())
    assert (np.sort(mixed, 1) == clips).all()
    assert (mixed != clips).any()


def test_fewer_features_are_those_in_which_real_frames_vary():
    real = rng().normal(size=(300, 4, 3)) * np.array([0.1, 5, 1])
    a, b = fewer(real, real + np.array([9, 0, 0]), 2)
    assert a.shape == (300, 4, 2)
    assert a.reshape(-1, 2).std(0) == pytest.approx([5, 1], rel=0.1)
    assert np.abs(a - b).max() < 1
    with pytest.raises(InputError, match="more clips than numbers"):
        frechet_clip_distance(real[:12], real[:12])
    with pytest.raises(InputError, match=r"give \[N, T, D\]"):
        frechet_clip_distance(real, real[:, :2])


# ------------------------------------------------------------------------------------------ style


def test_style_diversity_is_the_distance_within_classes_and_not_between_them():
    classes = np.repeat([0, 1], 3)
    crops = np.array([0.0, 0, 0, 5, 5, 5])[:, None] * np.ones((6, 4))
    assert style_diversity(crops, classes, rng()).mean == 0
    crops[:3] += np.array([[0.0], [1], [2]])
    found = style_diversity(crops, classes, rng(), pairs=6000)
    # Pairs of 0, 1, 2: differences 1, 1 and 2.
    assert found.by_class == pytest.approx((4 / 3, 0), abs=0.03)
    assert found.mean == pytest.approx(2 / 3, abs=0.02)
    assert found.things == (3, 3)


def test_a_class_of_one_thing_counts_for_nothing():
    crops = rng().normal(size=(5, 3, 3))
    found = style_diversity(crops, np.array([0, 0, 2, 2, 1]), rng())
    assert np.isnan(found.by_class[1])
    assert found.mean == pytest.approx(np.mean([found.by_class[0], found.by_class[2]]))
    with pytest.raises(InputError, match="no class has two"):
        style_diversity(crops, np.arange(5), rng())
    with pytest.raises(InputError, match="classes from 0 on"):
        style_diversity(crops, np.arange(4), rng())
