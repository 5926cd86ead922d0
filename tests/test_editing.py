"""Drawn scenes and layouts with edits: what was asked for changes, and nothing else does."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from layouts import paint, rectangle

from datagen import pipeline, recipe
from datagen.audit import audit_frame
from datagen.edits import NO_EDITS, Edits
from datagen.errors import EditError, InputError, RejectedError
from datagen.frame import Frame, Layout
from datagen.grammar import Grammar
from datagen.interfaces import Component, Rngs
from datagen.labels import annotate
from datagen.learning.layout.editing import edited as edited_layout

# Three cars in a row down the picture, the second with its lamp, on a ground of random grass.
ROW = """
world row
canvas 48 x 48
start Scene
Scene -> ground Row
Row -> First Second Third
First -> car
Second -> towed
Third -> car
towed -> lamp
ground { draw: ground  shade: grass  stuff: "ground" }
Row { x: 24 px  y: 8 px  yaw: 90 deg  scale: 2 }
First { x: 0 px }
Second { x: 7 px }
Third { x: 14 px }
car { category: "car"  draw: rect  width: 3 px  height: 3 px }
towed { category: "car"  draw: rect  width: 3 px  height: 3 px }
lamp { category: "lamp"  draw: rect  width: 2 px  height: 2 px  x: 1 px  y: 4 px  colour: red }
"""


@pytest.fixture
def row(write_recipe):
    return recipe.load(write_recipe(ROW, ""))


def pair(loaded: recipe.Recipe, edits: Edits) -> tuple[Frame, Frame]:
    (found,) = pipeline.first_edited(loaded, 1, edits)
    for frame in found:
        assert audit_frame(frame, annotate(frame)) == []
    return found


def boxes(frame: Layout) -> dict[int, tuple[int, int, int, int]]:
    return {thing.instance_id: thing.bbox for thing in annotate(frame)}


def unlike(before: Frame, after: Frame) -> np.ndarray:
    """bool [H, W]: where the pictures differ."""
    return (before.image != after.image).any(2)


def test_a_moved_thing_goes_right_and_down_with_what_it_carries(row):
    before, after = pair(row, Edits(moved={2: (8.0, -3.0)}))
    # Cars 1, 2 and 4 from above, and the lamp of car 2 to its left.
    assert boxes(before) == {
        1: (21, 5, 6, 6), 2: (21, 19, 6, 6), 3: (14, 22, 4, 4), 4: (21, 33, 6, 6)
    }  # fmt: skip
    assert boxes(after) == boxes(before) | {2: (29, 16, 6, 6), 3: (22, 19, 4, 4)}
    touched = np.isin(before.instance_map, [2, 3]) | np.isin(after.instance_map, [2, 3])
    assert not unlike(before, after)[~touched].any()


def test_a_dropped_thing_leaves_the_others_their_numbers(row):
    before, after = pair(row, Edits(dropped=frozenset({1, 3})))
    left = {number: box for number, box in boxes(before).items() if number in (2, 4)}
    assert boxes(after) == left
    assert {thing.id: thing.path for thing in after.instances} == {2: "1.1.0", 4: "1.2.0"}
    assert not unlike(before, after)[~np.isin(before.instance_map, [1, 3])].any()


def test_a_thing_that_is_gone_takes_what_it_carries_with_it(row):
    _, after = pair(row, Edits(dropped=frozenset({2})))
    assert boxes(after).keys() == {1, 4}


LANE = """
world lane
canvas 64 x 48
start Scene
Scene -> sky land Lead
Lead -> car
car -> lamp
sky { draw: sky  stuff: "sky" }
land { draw: land  stuff: "land" }
Lead { y: 10 m }
car { category: "car"  draw: vehicle }
lamp { category: "lamp"  draw: lamp_post  x: 2 m  y: -30 m }
"""


def test_things_of_a_street_move_in_metres_and_what_comes_into_sight_is_numbered_last(write_recipe):
    loaded = recipe.load(write_recipe(LANE, ""))
    before, nearer = pair(loaded, Edits(moved={1: (0.0, 10.0)}))
    (one,), (other,) = boxes(before).values(), boxes(nearer).values()
    assert other[2] < 0.65 * one[2] and other[1] + other[3] < one[1] + one[3]
    _, farther = pair(loaded, Edits(moved={1: (0.0, 40.0)}))
    assert {thing.instance_id: thing.category for thing in annotate(farther)} == {
        1: "car",
        2: "lamp",
    }


class Timid(Component):
    """A renderer whose gate rejects half of the attempts, and what has no car 1."""

    takes: ClassVar[type[Frame]] = Frame

    def may_reject(self) -> bool:
        return True

    @contextmanager
    def open(
        self, grammar: Grammar, passes: frozenset[str]
    ) -> Iterator[Callable[[Sequence[Frame], Rngs], list[Frame]]]:
        def render(frames: Sequence[Frame], rngs: Rngs) -> list[Frame]:
            if rngs[0].random() < 0.5 or frames[0].instances[0].path != "1.0.0":
                raise RejectedError("0% of the pixels show their layout; lower `gate`", 0.0)
            return list(frames)

        yield render


TIMID = '[[renderers]]\nuse = "raster"\n[[renderers]]\nuse = "test_editing:Timid"\n'


def test_the_attempt_that_was_accepted_is_the_one_that_is_changed(write_recipe):
    loaded = recipe.load(write_recipe(ROW, TIMID))
    with pipeline.opened(loaded) as make_frame:
        accepted = [make_frame(k) for k in range(6)]
    assert len({made.rejected for made in accepted}) > 1
    pairs = pipeline.first_edited(loaded, 6, Edits(dropped=frozenset({4})))
    for made, (before, after) in zip(accepted, pairs, strict=True):
        assert np.array_equal(before.image, made.frame.image)
        assert not unlike(before, after)[before.instance_map != 4].any()


def test_a_gate_that_rejects_the_change_says_so(write_recipe):
    loaded = recipe.load(write_recipe(ROW, TIMID))
    with pytest.raises(EditError, match="image 0: with the change, 0% of the pixels show their"):
        list(pipeline.first_edited(loaded, 1, Edits(dropped=frozenset({1}))))


class Styled(Component):
    """A renderer that needs a random number for each thing, and one for the style of all."""

    takes: ClassVar[type[Frame]] = Frame

    @contextmanager
    def open(
        self, grammar: Grammar, passes: frozenset[str]
    ) -> Iterator[Callable[[Sequence[Frame], Rngs], list[Frame]]]:
        def painted(frame: Frame, rng: np.random.Generator) -> Frame:
            style = rng.integers(0, 256)
            rng.random(len(frame.instances))
            return replace(frame, image=np.full_like(frame.image, style))

        yield lambda frames, rngs: list(map(painted, frames, rngs))


def test_a_style_stays_however_many_random_numbers_the_renderer_before_needs(write_recipe):
    twice = 2 * '[[renderers]]\nuse = "test_editing:Styled"\n'
    loaded = recipe.load(write_recipe(ROW, '[[renderers]]\nuse = "raster"\n' + twice))
    before, after = pair(loaded, Edits(dropped=frozenset({1})))
    assert len(after.instances) < len(before.instances) and not unlike(before, after).any()


class Painter(Component):
    """A generator of pictures, which no renderer follows."""

    gives: ClassVar[type[Frame]] = Frame

    def may_edit(self) -> bool:
        return True

    @contextmanager
    def open(
        self, grammar: Grammar, variants: Sequence[Edits] = (NO_EDITS,)
    ) -> Iterator[Callable[[Rngs], list[Frame]]]:
        def made(edits: Edits) -> Frame:
            left = [n for n in (1, 2) if n not in edits.dropped]
            layout = paint(16, 8, [(1, rectangle(4 * n, 2, 3, 3)) for n in left])
            return Frame(**vars(layout), image=np.zeros((8, 16, 3), np.uint8))

        yield lambda rngs: [made(edits) for _ in rngs for edits in variants]


def test_pictures_that_need_no_renderer_are_changed_by_who_makes_them(write_recipe):
    alone = 'renderers = []\n[generator]\nuse = "test_editing:Painter"\n'
    before, after = pair(recipe.load(write_recipe(ROW, alone)), Edits(dropped=frozenset({1})))
    assert [len(frame.instances) for frame in (before, after)] == [2, 1]


def test_edits_that_cannot_be_made_are_refused(row, write_recipe):
    with pytest.raises(InputError, match="--recolour gives things of learned pictures .*`prior`"):
        list(pipeline.first_edited(row, 1, Edits(recoloured=frozenset({1}))))
    painter = 'renderers = []\n[generator]\nuse = "test_clips:Painter"\n'
    with pytest.raises(InputError, match="`test_clips:Painter` makes pictures whose things it"):
        list(
            pipeline.first_edited(
                recipe.load(write_recipe(ROW, painter)), 1, Edits({1: (1.0, 1.0)})
            )
        )


# ---------------------------------------------------------------------------------------- layouts


def test_what_a_thing_leaves_is_given_to_the_nearest_class_of_no_thing():
    layout = paint(20, 10, [(1, rectangle(2, 3, 4, 4)), (2, rectangle(6, 3, 4, 4))])
    layout.class_map[:5][layout.instance_map[:5] == 0] = 9
    layout.class_map[5:][layout.instance_map[5:] == 0] = 8
    after = edited_layout(layout, Edits(dropped=frozenset({1})))
    assert [thing.id for thing in after.instances] == [2]
    assert (after.class_map[3:5, 2:6] == 9).all() and (after.class_map[5:7, 2:6] == 8).all()
    away = layout.instance_map != 1
    assert np.array_equal(after.class_map[away], layout.class_map[away])
    assert np.array_equal(after.instance_map, np.where(away, layout.instance_map, 0))


def test_a_moved_thing_of_a_layout_hides_others_and_may_leave_the_picture():
    layout = paint(20, 10, [(1, rectangle(2, 3, 4, 4)), (1, rectangle(10, 3, 4, 4))])
    layout = replace(layout, depth=None)
    after = edited_layout(layout, Edits(moved={1: (6.0, 0.0), 2: (9.0, 0.0)}))
    assert boxes(after) == {1: (8, 3, 4, 4), 2: (19, 3, 1, 4)}
    over = edited_layout(layout, Edits(moved={1: (6.0, 0.0)}))
    (_, hidden) = annotate(over)
    assert hidden.visible_fraction == 0.5 and hidden.occluder == 1


def test_a_layout_of_things_alone_has_nothing_behind_them():
    layout = paint(4, 4, [(1, rectangle(0, 0, 4, 4))])
    assert not edited_layout(layout, Edits(dropped=frozenset({1}))).class_map.any()
