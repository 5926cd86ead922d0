import time
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from datagen import rle
from datagen.errors import InputError
from datagen.frame import Instance, Layout, Silhouette
from datagen.labels import Annotation, annotate
from datagen.report import PALETTE, colour_of, ink_on
from datagen.report.sheet import contact_sheet, mask_of, save_png
from datagen.rng import Stream, rng_for


def layout(boxes: Sequence[tuple[int, int, int, int]], side: int = 64) -> Layout:
    """Rectangles (x, y, w, h) of categories 1, 2, 1, 2...; later ones cover earlier ones."""
    instances = np.zeros((side, side), np.int32)
    things = []
    for number, (x, y, w, h) in enumerate(boxes, 1):
        instances[y : y + h, x : x + w] = number
        shape = Silhouette(x, y, np.ones((h, w), bool))
        things.append(Instance(number, 2 - number % 2, f"0.{number}", shape))
    return Layout(
        np.zeros((side, side), np.uint8), instances, None, tuple(things), ("car", "street lamp")
    )


def labelled(boxes: Sequence[tuple[int, int, int, int]], side: int = 64) -> list[Annotation]:
    return annotate(layout(boxes, side))


def grey(side: int = 64, value: int = 100) -> np.ndarray:
    return np.full((side, side, 3), value, np.uint8)


def count_of(sheet: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((sheet == np.array(colour, np.uint8)).all(axis=2).sum())


def test_a_sheet_without_labels_shows_the_exact_pixels():
    image = rng_for(0, 0, Stream.EVALUATE).integers(0, 256, (200, 220, 3), dtype=np.uint8)
    sheet = contact_sheet([image])
    assert np.array_equal(sheet[10:210, 10:230], image)
    assert sheet.shape == (220, 240, 3)


def test_a_small_image_is_enlarged_by_a_whole_number():
    image = rng_for(0, 0, Stream.EVALUATE).integers(0, 256, (28, 28, 3), dtype=np.uint8)
    sheet = contact_sheet([image])
    assert np.array_equal(sheet[10:-10, 10:-10], image.repeat(6, 0).repeat(6, 1))


def test_a_large_image_is_shrunk_so_that_a_sheet_stays_small():
    sheet = contact_sheet([grey(2000), grey(2000)], columns=2)
    assert sheet.shape == (500, 990, 3)


def test_columns_and_scale_are_as_wished():
    sheet = contact_sheet([grey(50)] * 5, columns=2, scale=1)
    assert sheet.shape == (3 * 60 + 10, 2 * 60 + 10, 3)


def test_images_of_several_sizes_share_a_sheet():
    sheet = contact_sheet([grey(200), np.zeros((100, 300, 3), np.uint8)], columns=2)
    assert sheet.shape == (220, 630, 3)
    assert count_of(sheet, (0, 0, 0)) == 30_000


def test_a_legend_may_be_given_and_may_be_none():
    things, colour = labelled([(8, 8, 20, 16)]), (1, 2, 3)
    given = contact_sheet([grey()], legend={"sea": colour})
    assert count_of(given, colour) > 50 and count_of(contact_sheet([grey()]), colour) == 0
    bare = contact_sheet([grey()], [things], boxes=False, masks=False, legend={})
    assert np.array_equal(bare, contact_sheet([grey()]))


def test_outline_box_and_fill_have_the_colour_of_the_category():
    things = labelled([(8, 8, 20, 16)])
    plain = contact_sheet([grey()], [things], boxes=False, masks=False)
    masks = contact_sheet([grey()], [things], boxes=False)
    boxes = contact_sheet([grey()], [things], masks=False)
    colour = colour_of(1)
    in_legend = count_of(plain, colour)
    assert in_legend > 50
    # At scale 3 the outline runs along the 60 x 48 enlarged pixels, inside the thing.
    assert count_of(masks, colour) - in_legend == 2 * (60 + 48) - 4
    assert count_of(boxes, colour) - in_legend > 2 * (60 + 48) - 4
    inside = masks[10 + 3 * 12, 10 + 3 * 12]
    assert np.abs(inside - (100 * 0.62 + np.array(colour) * 0.38)).max() <= 1
    assert (masks[10 + 3 * 40, 10 + 3 * 40] == 100).all()


def marked(boxes):
    """Pixels that boxes and names add to a sheet at twice the size."""
    things, plain = labelled(boxes, 128), {"masks": False, "scale": 2}
    with_names = contact_sheet([grey(128)], [things], **plain)
    return int((with_names != contact_sheet([grey(128)], [things], boxes=False, **plain)).sum()) / 3


def outline_of(boxes):
    return sum(2 * (2 * w + 2 * h) - 4 for _, _, w, h in boxes)


def test_names_are_drawn_where_there_is_room_and_hide_no_thing():
    few, many = [(20 * k, 30, 18, 40) for k in range(2)], [(18 * k, 30, 17, 40) for k in range(7)]
    narrow = [(20, 30, 6, 40)]
    assert marked(few) > outline_of(few) + 100
    assert marked(narrow) == outline_of(narrow)  # the name is wider than its box
    assert marked(many) == outline_of(many)  # so many names would hide the picture


def test_only_visible_pixels_are_filled():
    things = labelled([(8, 8, 30, 30), (16, 16, 10, 10)])
    sheet = contact_sheet([grey()], [things[:1]], boxes=False)
    assert (sheet[10 + 3 * 20, 10 + 3 * 20] == 100).all()


def test_labels_at_the_border_and_tiny_things_do_not_raise():
    things = labelled([(20, 20, 44, 44), (0, 0, 64, 1), (63, 63, 1, 1), (0, 10, 1, 54)])
    assert len(things) == 4
    for scale in (0.1, 1, 2.5):
        sheet = contact_sheet([grey()], [things], scale=scale)
        assert sheet.dtype == np.uint8


def test_the_legend_counts_each_category_once_and_wraps():
    one, two = labelled([(8, 8, 9, 9)]), labelled([(8, 8, 9, 9), (30, 30, 9, 9)])
    few = contact_sheet([grey()], [one], scale=1)
    many = contact_sheet([grey()], [two], scale=1)
    assert many.shape[0] > few.shape[0]
    assert count_of(many, colour_of(2)) > 50
    assert count_of(few, colour_of(2)) == 0


def test_an_image_without_things_has_no_colour():
    sheet = contact_sheet([grey()], [[]])
    assert all(count_of(sheet, colour) == 0 for colour in PALETTE)


def test_captions_are_written_below_whatever_they_hold():
    plain = contact_sheet([grey()])
    for caption in ("#1", "a very long caption " * 20, "line\nbreak", "grün 東京 \x00"):
        sheet = contact_sheet([grey()], captions=[caption])
        assert sheet.shape[0] == plain.shape[0] + 22
        assert sheet[-20:].min() < 200
        assert sheet.shape[1] == plain.shape[1]


def test_nothing_to_show_is_an_input_error():
    with pytest.raises(InputError, match="no images to show"):
        contact_sheet([])


def test_a_sheet_too_large_to_look_at_is_refused():
    with pytest.raises(InputError, match="show fewer images or a smaller scale"):
        contact_sheet([grey(200)] * 200, columns=200)


def test_neighbouring_colours_differ_and_names_can_be_read_on_them():
    colours = np.array(PALETTE, float)
    distance = np.abs(colours[:, None] - colours[None]).sum(axis=2) + 999 * np.eye(len(colours))
    assert distance.min() >= 80
    assert colour_of(1) == colour_of(1 + len(PALETTE)) == PALETTE[0]
    assert all(np.abs(np.array(ink_on(c)) - np.array(c)).sum() > 250 for c in PALETTE)


def test_every_form_of_a_coco_mask_is_read():
    mask = np.zeros((20, 30), bool)
    mask[4:12, 6:20] = True
    compressed = rle.encode(mask)
    column = [6 * 20 + 4] + [8, 12] * 13 + [8, 10 * 20 + 8]
    polygon = [[6, 4, 20, 4, 20, 12, 6, 12]]
    for segmentation in (compressed, {"size": [20, 30], "counts": column}, polygon):
        assert np.array_equal(mask_of(segmentation, 20, 30), mask)
    with pytest.raises(InputError, match="mask size"):
        mask_of(compressed, 30, 20)


def test_a_sheet_is_saved_as_png_or_refused_in_one_line(tmp_path):
    sheet = contact_sheet([grey()])
    save_png(tmp_path / "sheet.png", sheet)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "sheet.png")), sheet)
    with pytest.raises(InputError, match="cannot be written"):
        save_png(tmp_path / "nowhere" / "sheet.png", sheet)


def test_a_sheet_of_fifty_images_takes_less_than_two_seconds():
    things = labelled([(8 * k % 50, 5 * k % 50, 12, 9) for k in range(12)], 128)
    began = time.process_time()
    contact_sheet([grey(128)] * 50, [things] * 50)
    assert time.process_time() - began < 2
