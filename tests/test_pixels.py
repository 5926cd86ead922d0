"""The features that need no weights: what each column says of pictures made for it."""

import numpy as np
import pytest
from structures import rng

from datagen.errors import InputError
from datagen.features.pixels import Features, columns


def seen(*pictures: np.ndarray) -> list[dict[str, float]]:
    with Features().open() as extract:
        rows = extract(np.stack(pictures))
    assert rows.dtype == np.float32
    assert rows.shape == (len(pictures), len(columns()))
    return [dict(zip(columns(), row.tolist(), strict=True)) for row in rows]


def flat(colour, side=32):
    return np.full((side, side, 3), colour, np.uint8)


def test_names_are_all_different():
    assert len(set(columns())) == len(columns())


@pytest.mark.parametrize(
    ("colour", "column"),
    [
        ((200, 10, 10), "red pixels"),
        ((200, 200, 10), "yellow pixels"),
        ((10, 200, 10), "green pixels"),
        ((10, 200, 200), "cyan pixels"),
        ((10, 10, 200), "blue pixels"),
        ((200, 10, 200), "magenta pixels"),
        ((200, 10, 20), "red pixels"),
        ((90, 95, 92), "grey pixels"),
        ((255, 255, 255), "bright pixels"),
        ((0, 0, 0), "dark pixels"),
    ],
)
def test_a_picture_of_one_colour_is_that_colour_everywhere(colour, column):
    (row,) = seen(flat(colour))
    assert row[column] == 1
    assert row["contrast"] == pytest.approx(0, abs=1e-6)
    assert row["strength of edges"] == pytest.approx(0, abs=1e-6)
    hues = [v for name, v in row.items() if name.split()[0] in ("red", "green", "blue", "grey")]
    assert sum(hues) <= 1


def test_brightness_is_that_of_the_thirds():
    picture = flat((0, 0, 0), 30)
    picture[:10] = 255
    (row,) = seen(picture)
    assert row["brightness of the top"] == pytest.approx(1)
    assert row["brightness of the bottom"] == pytest.approx(0)
    assert row["brightness"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(("across", "down", "angle"), [(0, 1, "0"), (1, 0, "90"), (1, -1, "45")])
def test_edges_have_their_direction(across, down, angle):
    """A ramp that rises along (across, down); edges are perpendicular to it, y is down."""
    y, x = np.mgrid[:40, :40]
    ramp = 128 + 2 * (across * (x - 20) + down * (y - 20))
    (row,) = seen(np.repeat(ramp.clip(0, 255).astype(np.uint8)[..., None], 3, 2))
    assert row[f"edges at {angle} deg"] == pytest.approx(1, abs=1e-3)


def test_detail_is_found_at_its_size():
    y, x = np.mgrid[:64, :64]
    rows = seen(*(np.repeat((255 * ((x // n + y // n) % 2)).astype(np.uint8)[..., None], 3, 2)
                  for n in (1, 2, 4)))  # fmt: skip
    for row, n in zip(rows, (1, 2, 4), strict=True):
        details = {name: value for name, value in row.items() if name.startswith("detail")}
        assert max(details, key=lambda name: details[name]) == f"detail of {n} px"
        assert row[f"detail of {n} px"] == pytest.approx(0.5)


def test_a_row_does_not_depend_on_its_neighbours():
    pictures = rng().integers(0, 256, (70, 24, 20, 3), dtype=np.uint8)
    together = seen(*pictures)
    assert [seen(picture)[0] for picture in pictures[:3]] == together[:3]


def test_pictures_too_small_for_the_coarsest_detail_are_refused():
    with pytest.raises(InputError, match="12 x 12 px .* needs 16 a side; use larger ones, or"):
        seen(flat((1, 2, 3), 12))
