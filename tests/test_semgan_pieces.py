"""From class maps to things."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from datagen import audit, labels
from datagen.learning.layout.pieces import cleaned, layout_of, pieces


def drawn(*rows):
    return np.array([[int(c) for c in row] for row in rows], np.uint8)


CATEGORIES, STUFF = ("car", "tree"), ("road",)
MAPS = arrays(
    np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 3)
)


def test_what_hangs_together_is_one_thing_also_across_a_corner():
    layout = layout_of(drawn("1003", "0103", "0000", "2210"), CATEGORIES, STUFF)
    assert layout.instance_map.tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [3, 3, 2, 0]]
    told = [(t.id, t.category, t.path, t.silhouette.area) for t in layout.instances]
    assert told == [(1, 1, "car.1", 2), (2, 1, "car.2", 1), (3, 2, "tree.3", 2)]
    assert (layout.categories, layout.stuff, layout.depth) == (CATEGORIES, STUFF, None)


def test_a_map_of_one_class_is_one_thing():
    assert len(layout_of(np.full((5, 5), 2, np.uint8), CATEGORIES, STUFF).instances) == 1
    assert layout_of(np.zeros((5, 5), np.uint8), CATEGORIES, STUFF).instances == ()


@given(MAPS)
def test_any_map_gives_labels_that_pass_the_audit(class_map):
    layout = layout_of(class_map, CATEGORIES, STUFF)
    annotations = labels.annotate(layout)
    assert audit.audit_frame(layout, annotations) == []
    assert sum(a.area for a in annotations) == np.isin(class_map, (1, 2)).sum()


@given(MAPS, st.integers(1, 9))
def test_no_small_piece_is_left_and_no_class_is_new(class_map, smallest):
    before = class_map.copy()
    result = cleaned(class_map, smallest)
    assert np.array_equal(class_map, before)  # what is given stays as it is
    found = list(pieces(result, range(4)))
    if len(found) > 1:
        assert min(p.area for p in found) >= smallest
    assert set(np.unique(result)) <= set(np.unique(class_map))
    assert np.array_equal(cleaned(result, smallest), result)


def test_a_speck_goes_to_the_class_that_is_most_around_it():
    assert (
        cleaned(drawn("0000", "0130", "0330"), 2).tolist() == drawn("0000", "0030", "0330").tolist()
    )
    assert np.array_equal(cleaned(drawn("01", "00"), 1), drawn("01", "00"))


def test_specks_side_by_side_end_as_one_class():
    assert cleaned(drawn("12", "23"), 3).tolist() == [[2, 2], [2, 2]]


@pytest.mark.parametrize("smallest", [1, 2, 9])
def test_the_border_is_no_neighbour(smallest):
    """A piece in a corner has fewer pixels around it, and none outside of the map."""
    class_map = np.full((6, 6), 3, np.uint8)
    class_map[:2, :2] = 1
    expected = 3 if smallest > 4 else 1
    assert cleaned(class_map, smallest)[0, 0] == expected
