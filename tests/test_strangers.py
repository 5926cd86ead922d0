"""Target pictures that look unlike the rest are named."""

import numpy as np
from structures import rng

from datagen.dataset.targets import Targets
from datagen.learning.strangers import strangers, write_strangers


def targets(images):
    names = tuple(f"{k:03}.png" for k in range(len(images)))
    return Targets(images, names, (), "")


def grey(count, level, index=0):
    return rng(index).normal(level, 6, (count, 32, 32, 3)).clip(0, 255).astype(np.uint8)


def test_a_fifth_of_foreign_pictures_is_found_and_no_other():
    foreign = grey(20, 60, 1)
    foreign[..., 2] = 220  # blue
    found = strangers(targets(np.concatenate([grey(80, 120), foreign])))
    assert sorted(found) == [f"{k:03}.png" for k in range(80, 100)]


def test_like_pictures_have_no_stranger_among_them():
    assert strangers(targets(grey(60, 120))) == []


def test_day_and_night_in_equal_parts_are_not_strangers():
    assert strangers(targets(np.concatenate([grey(30, 60), grey(30, 180, 1)]))) == []


def test_names_are_written_a_line_each(tmp_path):
    write_strangers(tmp_path, ["b.png", "a.png"])
    assert (tmp_path / "strangers.txt").read_text() == "b.png\na.png\n"
