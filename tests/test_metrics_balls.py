"""What the judge of balls in a bowl sees, on the world's own pictures and on broken ones."""

import numpy as np
import pytest
from worlds import sample

from datagen.errors import InputError
from datagen.metrics.balls import BLUE, BOWL, RED, TABLE, find_balls, validity

WORLDS = (("balls_in_bowl", 0.08 * 64), ("balls_in_bowl_dense", 0.12 * 64))


def picture(*discs, side: int = 64, half: float = 26.0) -> np.ndarray:
    """A round bowl with discs (x, y, radius, colour)."""
    y, x = np.mgrid[:side, :side] + 0.5
    image = np.full((side, side, 3), TABLE, np.uint8)
    image[np.hypot(x - side / 2, y - side / 2) <= half] = BOWL
    for cx, cy, r, colour in discs:
        image[np.hypot(x - cx, y - cy) <= r] = colour
    return image


@pytest.mark.parametrize(("world", "radius"), WORLDS)
def test_pictures_of_the_world_are_valid(world, radius):
    images = np.stack([frame.image for frame in sample(world)[1]])
    found = validity(find_balls(images, radius), radius)
    assert found.visible >= 0.99
    assert found.valid >= 0.99


@pytest.mark.parametrize(("world", "radius"), WORLDS)
def test_balls_are_seen_where_they_were_drawn(world, radius):
    scenes, frames = sample(world)
    found = find_balls(np.stack([frame.image for frame in frames]), radius)
    for scene, places in zip(scenes, found.places, strict=True):
        drawn = {p.node.symbol: (p.world.x, p.world.y) for p in scene.walk()}
        assert places[0] == pytest.approx(drawn["red"], abs=0.5)
        assert places[1] == pytest.approx(drawn["blue"], abs=0.5)


RIGHT = ((22, 32, 5, RED), (44, 32, 5, BLUE))


@pytest.mark.parametrize(
    ("discs", "visible", "apart", "inside"),
    [
        (RIGHT, 1, 1, 1),
        (RIGHT[:1], 0, 0, 0),
        ((RIGHT[0], (44, 32, 9, BLUE)), 0, 0, 0),  # too large
        ((RIGHT[0], (44, 32, 3, BLUE)), 0, 0, 0),  # too small
        ((*RIGHT, (32, 12, 3.9, BLUE)), 0, 0, 0),  # in two pieces
        ((RIGHT[0], (29, 32, 5, BLUE)), 1, 0, 1),  # overlapping
        ((RIGHT[0], (60, 8, 4, BLUE)), 1, 1, 0),  # outside
    ],
)
def test_each_fault_is_told(discs, visible, apart, inside):
    found = validity(find_balls(picture(*discs)[None], 5), 5)
    assert (found.visible, found.apart, found.inside) == (visible, apart, inside)
    assert found.valid == apart * inside


def test_balls_are_counted_and_what_is_none_is_stray():
    one, half = (32, 12, 5, RED), (12, 50, 3, BLUE)
    pictures = [picture(*discs) for discs in ((), RIGHT[:1], (*RIGHT, one), (*RIGHT, half))]
    found = find_balls(np.stack(pictures), 5)
    assert found.pieces.tolist() == [[0, 0], [1, 0], [2, 1], [1, 1]]
    assert found.stray.tolist() == [[False] * 2] * 3 + [[False, True]]


def test_one_ball_has_no_other_to_keep_away_from():
    found = validity(find_balls(picture(RIGHT[0])[None], 5, balls=(RED,)), 5)
    assert (found.visible, found.apart, found.inside, found.valid) == (1, 1, 1, 1)


def test_a_ball_that_touches_the_rim_is_inside_and_one_half_over_it_is_not():
    inward, rim = picture(RIGHT[0], (53, 32, 5, BLUE)), picture(RIGHT[0], (57, 32, 5, BLUE))
    found = find_balls(np.stack([inward, rim]), 5)
    assert found.seen.all()
    assert found.inside.tolist() == [[True, True], [True, False]]


def test_pictures_of_other_kinds_are_refused():
    with pytest.raises(InputError, match="give uint8"):
        find_balls(np.zeros((2, 8, 8, 3)), 3)
