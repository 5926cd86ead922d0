"""Structure accuracy: on the worlds' pictures, on broken ones, with a reader that is known."""

import math
from dataclasses import replace

import numpy as np
import pytest
from structures import rng
from worlds import prior_scenes, sample

from datagen import labels, recipe
from datagen.errors import InputError
from datagen.frame import Box3D
from datagen.interfaces import LABELS
from datagen.labels import Annotation
from datagen.language import named
from datagen.metrics import digits, structure
from datagen.metrics.digits import CROP, DigitReader, crop, crops_of, ink_box, teach_reader

GLYPH = 15  # px: the longer side of a digit in mnist_4


def coded(digit: int, longest: int = GLYPH) -> np.ndarray:
    """A mark that `decode` reads: a frame whose brightness says which digit it is."""
    mark = np.zeros((longest, longest), np.uint8)
    mark[:] = 100 + 15 * digit
    mark[3:-3, 3:-3] = 0
    return mark


def decode(crops: np.ndarray) -> np.ndarray:
    """The reader of such marks."""
    said = np.zeros((len(crops), 10), np.float32)
    levels = (crops.reshape(len(crops), CROP * CROP).max(1, initial=0) * 255 - 100) / 15
    said[np.arange(len(crops)), np.clip(levels.round().astype(int), 0, 9)] = 1
    return said


def four(
    first=2, dx=15, dy=12, moved=(0, 0), order=(0, 1, 2, 3), side=64, longest=GLYPH
) -> np.ndarray:
    image = np.zeros((side, side), np.uint8)
    size = longest * side // 64
    for k, (sx, sy) in enumerate(((-1, -1), (1, -1), (1, 1), (-1, 1))):
        x, y = side // 2 + sx * dx, side // 2 + sy * dy
        if k == 2:
            x, y = x + moved[0], y + moved[1]
        top, left = y - size // 2, x - size // 2
        image[top : top + size, left : left + size] = coded(first + order[k], size)
    return image


def test_a_right_picture_is_right():
    found = structure.mnist_4(four()[None], decode)
    assert (found.accuracy, found.strict, found.found, found.placed, found.read) == (1,) * 5
    # Marks of an odd width about a whole pixel lie half a pixel off: |x| is 14.5 or 15.5.
    assert found.deviation == pytest.approx(0.5)
    assert found.coverage == (0, 0, 1, 0, 0, 0, 0)
    assert (found.error, found.pictures) == (0, 1)


def test_each_rule_is_judged_by_itself():
    images = [
        four(),
        four(order=(0, 2, 1, 3)),
        four(moved=(6, 0)),
        four(first=6, order=(3, 0, 1, 2)),
    ]
    empty = np.zeros((64, 64), np.uint8)
    found = structure.mnist_4(np.stack([*images, empty]), decode)
    assert (found.found, found.placed, found.read) == pytest.approx((4 / 5, 3 / 5, 2 / 5))
    assert found.accuracy == pytest.approx(1 / 5)
    assert found.error == pytest.approx(np.sqrt(0.2 * 0.8 / 5))


@pytest.mark.parametrize(("moved", "right"), [(3, True), (5, False)])
def test_a_digit_may_be_three_px_from_its_mirrored_place(moved, right):
    # Moving one of four by m moves the mean by m / 4: it is 3 m / 4 away, give or take half a px.
    found = structure.mnist_4(four(moved=(moved, 0))[None], decode)
    assert bool(found.placed) == right


def test_seven_eight_nine_ten_is_no_sequence():
    image = four(first=6)
    assert structure.mnist_4(image[None], decode).coverage[6] == 1
    wrapped = four(first=0, order=(7, 8, 9, 0))
    assert structure.mnist_4(wrapped[None], decode).accuracy == 0


def test_specks_are_left_out_and_a_digit_in_two_pieces_is_one():
    image = four()
    image[0, :5] = 255
    image[:, 15:17] = 0  # cuts the left digits in two
    assert structure.mnist_4(image[None], decode).accuracy == 1


def test_two_digits_in_a_quarter_are_too_large_for_one():
    image = four(dx=20, dy=20)
    image[22:30, 22:30] = 255
    found = structure.mnist_4(image[None], decode)
    assert found.found == 0


def test_lengths_grow_with_the_picture():
    large = four(dx=30, dy=24, side=128)
    assert structure.mnist_4(large[None], decode).accuracy == 1
    assert structure.mnist_4(four(dx=30, dy=24, side=128, moved=(6, 0))[None], decode).placed == 1
    assert structure.mnist_4(four(dx=30, dy=24, side=128, moved=(10, 0))[None], decode).placed == 0


def ten(quarters=((0, 1), (4, 2, 3), (9, 8), (5, 7, 6))) -> np.ndarray:
    image = np.zeros((64, 64), np.uint8)
    for (x, y), inside in zip(((0, 0), (32, 0), (32, 32), (0, 32)), quarters, strict=True):
        for (dx, dy), digit in zip(((2, 2), (18, 4), (8, 18)), inside, strict=False):
            image[y + dy : y + dy + 11, x + dx : x + dx + 11] = coded(digit, 11)
    return image


def test_mnist_10_asks_for_groups_across_from_each_other_in_any_order():
    right = [ten(), ten(((8, 9), (5, 6, 7), (1, 0), (2, 3, 4)))]
    found = structure.mnist_10(np.stack(right), decode)
    assert found.accuracy == found.found == found.read == 1
    assert np.isnan(found.deviation)
    assert found.coverage == (0.5, 0, 0, 0.5)
    wrong = [
        ten(((0, 1), (2, 3, 4), (5, 6), (7, 8, 9))),
        ten(((0, 0), (2, 3, 4), (8, 9), (5, 6, 7))),
    ]
    assert structure.mnist_10(np.stack(wrong), decode).accuracy == 0
    missing = ten(((0, 1), (2, 3), (8, 9), (5, 6, 7)))
    assert structure.mnist_10(missing[None], decode).found == 0


def test_the_union_takes_either():
    found = structure.mnist_4_10(
        np.stack([four(longest=11), ten(), np.zeros((64, 64), np.uint8)]), decode
    )
    assert found.accuracy == found.found == pytest.approx(2 / 3)
    assert found.coverage[2] == found.coverage[7] == 0.5
    assert structure.mnist_4(ten()[None], decode).found == 0
    assert structure.mnist_10(four()[None], decode).found == 0


def test_pictures_that_cannot_be_judged_are_refused():
    with pytest.raises(InputError, match="give square ones"):
        structure.mnist_4(np.zeros((1, 64, 32), np.uint8), decode)
    with pytest.raises(InputError, match="give uint8"):
        structure.mnist_4(np.zeros((1, 64, 64)), decode)


# ---------------------------------------------------------------------------------- the Arrow room


def thing(category: str, degrees: float, away: float = 4.0) -> Annotation:
    """A thing whose middle lies there as seen from the arrow; an arrow lies in the middle.

    Degrees count from the right to what is ahead. An arrow's are where it points to.
    """
    turned = math.radians(degrees)
    if category == "arrow":
        box = Box3D((0.0, 1.0, 26.0), (3.6, 2.0, 0.6), -turned)
    else:
        middle = (away * math.cos(turned), 1.0, 26 + away * math.sin(turned))
        box = Box3D(middle, (2.0, 2.0, 2.0), 1.0)
    square = (0, 0, 2, 2)
    return Annotation(
        1, 1, category, "0", square, 4, {}, 1.0, 0.0, None, square, 4, box3d=box
    )  # fmt: skip


def room(points=100.0, odd="cube", two=("sphere", "sphere")) -> list[Annotation]:
    pair = [thing(two[0], 200, 3.5), thing(two[1], 320, 5.3)]
    return [pair[0], thing("arrow", points), thing(odd, 100), pair[1]]


def test_an_arrow_that_points_at_the_odd_one_is_right():
    found = structure.arrow_room([room(), room(90, two=("cylinder", "cylinder"))])
    assert (found.accuracy, found.strict, found.found, found.placed, found.read) == (1,) * 5
    assert found.deviation == pytest.approx(5)
    assert found.coverage == (0, 0, 0.5, 0.5, 0, 0)  # a cube and spheres, a cube and cylinders
    assert (found.error, found.pictures) == (0, 2)


@pytest.mark.parametrize(("points", "right"), [(86, 1), (114, 1), (84, 0), (116, 0), (280, 0)])
def test_an_arrow_may_turn_15_degrees_away_whichever_way_it_points(points, right):
    assert structure.arrow_room([room(points)]).accuracy == right
    assert structure.arrow_room([room(points - 360)]).accuracy == right


def test_each_rule_of_the_arrow_room_is_judged_by_itself():
    right = room()
    nearer = [*right[:2], thing("cube", 112), thing("sphere", 95)]  # both within 15 degrees
    found = structure.arrow_room(
        [
            right,
            room(200),  # at another one
            nearer,
            room(odd="sphere"),  # all alike
            room(two=("sphere", "cylinder")),  # all of different shapes
            right[:3],
            [*right, thing("cube", 10)],
            [*right[1:], thing("arrow", 100)],
            [],
        ]
    )
    assert (found.found, found.read, found.placed) == pytest.approx((5 / 9, 3 / 9, 1 / 9))
    assert found.accuracy == pytest.approx(1 / 9)
    assert found.coverage == (0, 0, 1, 0, 0, 0)
    assert found.deviation == pytest.approx((0 + 100 + 12) / 3)


def test_labels_that_cannot_tell_where_an_arrow_points_are_refused():
    with pytest.raises(InputError, match="category cone is none of the Arrow room's"):
        structure.arrow_room([room(odd="cone")])
    with pytest.raises(InputError, match="told by boxes in space"):
        structure.arrow_room([[replace(one, box3d=None) for one in room()]])
    with pytest.raises(InputError, match="no pictures"):
        structure.arrow_room([])


@pytest.mark.opengl
def test_the_labels_of_the_arrow_room_are_right_and_those_of_others_arrows_are_not():
    grammar = named("arrow_room")
    scenes = prior_scenes(grammar, range(40))
    renderer = recipe.load("arrow_room").renderers[0].component("renderers")
    with renderer.open(grammar, frozenset((LABELS,))) as render:
        frames = render(scenes, [rng() for _ in scenes])
    real = [labels.annotate(frame) for frame in frames]
    found = structure.arrow_room(real)
    assert (found.accuracy, found.found, found.read, found.placed) == (1, 1, 1, 1)
    assert found.deviation < 0.01 and min(found.coverage) > 0
    arrows = [next(one for one in picture if one.category == "arrow") for picture in real]
    mixed = [
        [other, *(one for one in picture if one.category != "arrow")]
        for picture, other in zip(real, arrows[1:] + arrows[:1], strict=True)
    ]
    assert structure.arrow_room(mixed).accuracy < 0.3  # 15 degrees to either side: 1 in 12


# ------------------------------------------------------------------------------------- the reader


def test_a_crop_has_its_ink_15_px_long_in_the_middle():
    picture = np.zeros((40, 40), np.float32)
    picture[5:35, 20:30] = 1
    found = crop(picture, ink_box(picture > 0.3) or (0, 0, 0, 0))
    assert ink_box(found > 0.5) == (7, 2, 12, 17)
    assert found.max() == pytest.approx(1)


def test_a_crop_does_not_know_where_or_how_large_the_digit_was():
    pictures = np.zeros((2, 60, 60), np.uint8)
    glyph = (rng().random((10, 8)) * 255).astype(np.uint8)
    glyph[[0, -1]] = glyph[:, [0, -1]] = 255
    pictures[0, 3:13, 4:12] = glyph
    pictures[1, 20:50, 30:54] = np.kron(glyph, np.ones((3, 3), np.uint8))
    a, b = crops_of(pictures)
    assert np.abs(a - b).mean() < 0.03
    with pytest.raises(InputError, match="picture 1 has no ink"):
        crops_of(np.stack([pictures[0], np.zeros_like(pictures[0])]))


@pytest.fixture(scope="module")
def reader() -> DigitReader:
    """Taught with the digits of 150 pictures of mnist_4 for a second or two."""
    crops, classes = labelled("mnist_4", slice(0, 150))
    return teach_reader(crops, classes, rng(), steps=100, batch=32)


def labelled(world: str, part: slice) -> tuple[np.ndarray, np.ndarray]:
    scenes, frames = sample(world)
    crops, classes = [], []
    for scene, frame in zip(scenes[part], frames[part], strict=True):
        nodes = {p.path: p.node for p in scene.walk()}
        for thing in frame.instances:
            mask = frame.instance_map == thing.id
            ink = np.where(mask, digits.grey(frame.image[None])[0], 0)
            crops.append(crop(ink, ink_box(mask) or (0, 0, 1, 1)))
            classes.append(int(nodes[thing.path].category or 0))
    return np.stack(crops), np.array(classes)


def test_a_reader_learns_to_read_and_says_how_sure_it_is(reader):
    crops, classes = labelled("mnist_4", slice(150, 200))
    said = reader(crops)
    assert (said.argmax(1) == classes).mean() > 0.95
    assert said.sum(1) == pytest.approx(1, abs=1e-5)
    assert reader(crops[:0]).shape == (0, 10)


def test_the_worlds_own_pictures_are_right_and_shuffled_quarters_are_not(reader):
    images = np.stack([frame.image for frame in sample("mnist_4")[1][150:]])
    found = structure.mnist_4(images, reader)
    assert found.found == found.placed == 1
    assert found.accuracy > 0.85
    mixed = images.copy()
    mixed[:, :32, 32:] = np.roll(images, 1, 0)[:, :32, 32:]
    assert structure.mnist_4(mixed, reader).accuracy < 0.2


def test_all_ten_digits_of_a_picture_are_found_and_mostly_read(reader):
    images = np.stack([frame.image for frame in sample("mnist_10")[1][:60]])
    found = structure.mnist_10(images, reader)
    assert found.found > 0.85
    assert found.accuracy > 0.3


def test_teaching_is_the_same_for_the_same_rng_and_leaves_torch_alone():
    import torch

    crops, classes = labelled("mnist_4", slice(0, 20))
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, second = (teach_reader(crops, classes, rng(), steps=3, batch=8) for _ in range(2))
    assert torch.equal(torch.rand(1), expected)
    assert (first(crops) == second(crops)).all()
    with pytest.raises(InputError, match=r"give \[N, 20, 20\]"):
        teach_reader(crops[:, :10], classes, rng())
