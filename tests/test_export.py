import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from layouts import ellipse, paint, rectangle, ring, write_dataset
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from datagen import rle
from datagen.audit import audit_coco
from datagen.dataset.export import FORMATS, export, outline
from datagen.dataset.export.selection import split_of
from datagen.dataset.export.to_coco import polygons_of, simpler_polygons_of
from datagen.errors import InputError
from datagen.frame import Layout


def frames() -> list[Layout]:
    """A hole, a thing in two parts, a sliver, an image without things; none is square."""
    parts = [(1, rectangle(2, 8, 36, 6)), (2, ring(11, 2, 16, 4)), (3, ellipse(30, -4, 9, 9))]
    nearly_hidden = [(1, rectangle(5, 5, 10, 10)), (2, rectangle(6, 3, 20, 14))]
    return [paint(40, 24, parts), paint(30, 17, []), paint(48, 20, nearly_hidden)]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "data", frames())


def tree(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in tree(folder)}


def load(folder: Path, name: str = "annotations.json") -> dict:
    return json.loads((folder / name).read_text())


def masks_of(path: Path) -> dict[int, np.ndarray]:
    loaded = COCO(str(path))
    return {key: loaded.annToMask(one).astype(bool) for key, one in loaded.anns.items()}


# Polygons.


def drawn(rings: list[list[tuple[int, int]]], height: int, width: int) -> np.ndarray:
    """What pycocotools makes of rings."""
    flat = [[float(v) for point in one for v in point] for one in rings]
    merged = coco_mask.merge(coco_mask.frPyObjects(flat, height, width))
    return coco_mask.decode(merged).astype(bool)


def signed_area(ring: list[tuple[int, int]]) -> float:
    following = ring[1:] + ring[:1]
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, following, strict=True)) / 2


BITMAPS = st.tuples(st.integers(1, 14), st.integers(1, 14)).flatmap(lambda s: arrays(bool, s))


@settings(max_examples=400, deadline=None)
@given(BITMAPS)
def test_polygons_of_any_bitmap_draw_it_again_pixel_by_pixel(mask):
    rings = outline.polygons(mask)
    assert sum(signed_area(one) for one in rings) == mask.sum()
    if rings:
        assert (drawn(rings, *mask.shape) == mask).all()
        assert (drawn([outline.joined(rings)], *mask.shape) == mask).all()


def test_a_rectangle_is_four_points():
    mask = np.zeros((6, 9), bool)
    mask[2:5, 3:8] = True
    assert outline.polygons(mask) == [[(3, 2), (8, 2), (8, 5), (3, 5)]]


def test_a_hole_is_cut_open_along_a_vertical_line():
    mask = np.ones((5, 5), bool)
    mask[2, 2] = False
    (one,) = outline.polygons(mask)
    assert signed_area(one) == 24
    assert one.count((2, 0)) == 2  # where the cut leaves the border and comes back to it
    assert {(2, 2), (3, 2), (3, 3), (2, 3)} <= set(one)


def test_cuts_to_several_holes_leave_the_border_one_after_the_other():
    mask = np.ones((3, 7), bool)
    mask[1, [1, 3, 5]] = False
    (one,) = outline.polygons(mask)
    assert [x for x, y in one if y == 0] == [0, 1, 1, 3, 3, 5, 5, 7]


def test_parts_that_touch_at_a_point_are_two_polygons():
    assert len(outline.polygons(np.eye(2, dtype=bool))) == 2
    assert len(outline.polygons(np.eye(2, dtype=bool)[::-1])) == 2


def test_a_thing_inside_the_hole_of_another_part_is_kept():
    mask = np.ones((9, 9), bool)
    mask[2:7, 2:7] = False
    mask[4, 4] = True
    rings = outline.polygons(mask)
    assert len(rings) == 2
    assert (drawn(rings, 9, 9) == mask).all()


def test_polygons_are_measured_against_the_mask():
    mask = ring(0, 0, 15, 5).mask
    rings, iou = polygons_of(rle.encode(mask))
    assert (len(rings), iou) == (1, 1.0)


def test_polygons_to_correct_have_few_points_and_keep_the_mask():
    rows, columns = np.mgrid[:200, :300]
    disc = (columns - 150.3) ** 2 / 2 + (rows - 99.8) ** 2 < 80**2
    speck = (columns > 280) & (rows < 9)
    mask = rle.encode(disc | speck)
    rings = simpler_polygons_of(mask)
    assert [len(one) // 2 for one in rings[1:]] == [4], "the largest part comes first"
    assert 20 < len(rings[0]) // 2 < 60
    assert max(len(one) // 2 for one in polygons_of(mask)[0]) > 300
    (drawn,) = rle.of_segmentations([rings], 200, 300)
    assert (rle.decode([drawn])[0] != rle.decode([mask])[0]).mean() < 0.01


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 2), (3, 1)])
def test_polygons_to_correct_of_the_smallest_masks_are_exact(size):
    mask = np.zeros((12, 12), bool)
    mask[4 : 4 + size[0], 5 : 5 + size[1]] = True
    (drawn,) = rle.of_segmentations([simpler_polygons_of(rle.encode(mask))], 12, 12)
    assert drawn == rle.encode(mask)


# COCO.


def test_coco_copies_images_and_labels_and_passes_the_audit(dataset, tmp_path):
    report = export(dataset, "coco", tmp_path / "out")
    assert (report.images, report.annotations, report.dropped) == (3, 5, 0)
    assert tree(tmp_path / "out") == {
        "annotations.json",
        "export.json",
        *(f"images/{k:08d}.png" for k in range(3)),
    }
    assert audit_coco(tmp_path / "out") == []
    old, new = load(dataset), load(tmp_path / "out")
    assert new["annotations"] == old["annotations"]
    assert new["categories"] == old["categories"]
    assert [i["file_name"] for i in new["images"]] == [f"images/{k:08d}.png" for k in range(3)]
    assert json.loads(json.dumps(report.to_json()))["categories"] == ["car", "house", "tree"]


def test_polygons_hold_every_mask_of_a_dataset_exactly(dataset, tmp_path):
    report = export(dataset, "coco-polygons", tmp_path / "out")
    assert (report.worst_iou, report.kept_as_rle) == (1.0, 0)
    new = load(tmp_path / "out")
    assert all(isinstance(a["segmentation"], list) for a in new["annotations"])
    assert all(a["polygon_iou"] == 1.0 for a in new["annotations"])
    assert len(new["annotations"][0]["segmentation"]) == 3  # seen left, right, and in the hole
    old_masks = masks_of(dataset / "annotations.json")
    new_masks = masks_of(tmp_path / "out" / "annotations.json")
    assert old_masks.keys() == new_masks.keys()
    assert all((old_masks[key] == new_masks[key]).all() for key in old_masks)
    assert audit_coco(tmp_path / "out") == []


def test_nearly_hidden_things_are_left_out_on_demand(dataset, tmp_path):
    everything = load(dataset)["annotations"]
    report = export(dataset, "coco", tmp_path / "a", min_visible_fraction=0.5)
    kept = load(tmp_path / "a")["annotations"]
    assert [a["id"] for a in kept] == [a["id"] for a in everything if a["visible_fraction"] >= 0.5]
    assert report.dropped == len(everything) - len(kept) > 0
    export(dataset, "coco", tmp_path / "b", min_pixels=30)
    kept = load(tmp_path / "b")["annotations"]
    assert [a["id"] for a in kept] == [a["id"] for a in everything if a["area"] >= 30]
    assert load(tmp_path / "b")["info"]["export"]["min_pixels"] == 30


def test_categories_merge_into_ids_without_gaps(dataset, tmp_path):
    report = export(dataset, "coco", tmp_path / "out", merge={"car": "thing", "tree": "thing"})
    assert report.categories == ("thing", "house")
    new = load(tmp_path / "out")
    assert [(c["id"], c["name"]) for c in new["categories"]] == [(1, "thing"), (2, "house")]
    pairs = {(a["category_id"], a["category"]) for a in new["annotations"]}
    assert pairs == {(1, "thing"), (2, "house")}


def test_a_category_may_merge_into_one_that_is_there(dataset, tmp_path):
    report = export(dataset, "coco", tmp_path / "out", merge={"house": "car"})
    assert report.categories == ("car", "tree")


def test_splits_are_whole_datasets_that_share_no_image(tmp_path):
    dataset = write_dataset(tmp_path / "data", [frames()[0]] * 40)
    report = export(dataset, "coco", tmp_path / "out", splits={"train": 0.75, "val": 0.25})
    ids = {
        name: {i["id"] for i in load(tmp_path / "out" / name)["images"]} for name in report.splits
    }
    assert not ids["train"] & ids["val"]
    assert len(ids["train"]) + len(ids["val"]) == 40
    assert report.splits == {name: len(keys) for name, keys in ids.items()}
    for name in ids:
        assert audit_coco(tmp_path / "out" / name) == []
        assert len(tree(tmp_path / "out" / name / "images")) == len(ids[name])


def test_an_image_stays_in_its_split_when_the_dataset_grows_and_shares_are_kept():
    splits = {"train": 0.8, "val": 0.15, "test": 0.05}
    places = [split_of(index, splits) for index in range(4000)]
    for name, share in splits.items():
        assert abs(places.count(name) / 4000 - share) < 0.02
    assert places[:6] == ["train", "train", "val", "train", "train", "val"]  # frozen


def test_a_mask_that_polygons_cannot_hold_stays_as_run_lengths(dataset, tmp_path):
    nothing = rle.encode(np.zeros((24, 40), bool))  # some tools write such labels
    rewrite(dataset, lambda d: d["annotations"][0].update(segmentation=nothing))
    report = export(dataset, "coco-polygons", tmp_path / "out")
    assert (report.kept_as_rle, report.worst_iou) == (1, 0.0)
    assert load(tmp_path / "out")["annotations"][0]["segmentation"] == nothing


# YOLO.


def yolo_lines(path: Path) -> list[tuple[int, np.ndarray]]:
    rows = [line.split() for line in path.read_text().splitlines()]
    return [(int(row[0]), np.array([float(v) for v in row[1:]])) for row in rows]


def test_yolo_boxes_are_centres_and_sizes_over_the_sides_of_the_image(dataset, tmp_path):
    export(dataset, "yolo", tmp_path / "out")
    lines = yolo_lines(tmp_path / "out/labels/train/00000000.txt")
    # The house: x 11..27 of 40, y 2..18 of 24.
    number, box = lines[1]
    assert number == 1
    assert box.tolist() == pytest.approx([19 / 40, 10 / 24, 16 / 40, 16 / 24], abs=1e-6)
    assert (tmp_path / "out/labels/train/00000001.txt").read_text() == ""
    assert (tmp_path / "out/images/train/00000001.png").is_file()


def test_yolo_says_what_lies_where(dataset, tmp_path):
    export(dataset, "yolo", tmp_path / "out")
    assert (tmp_path / "out/data.yaml").read_text().splitlines() == [
        "train: images/train",
        "val: images/train  # no split `val`: readers insist on the key",
        "nc: 3",
        "names:",
        '  0: "car"',
        '  1: "house"',
        '  2: "tree"',
    ]
    assert (tmp_path / "out/classes.txt").read_text() == "car\nhouse\ntree\n"


def test_yolo_splits_are_folders(tmp_path):
    dataset = write_dataset(tmp_path / "data", [frames()[0]] * 20)
    report = export(dataset, "yolo", tmp_path / "out", splits={"train": 0.5, "val": 0.5})
    text = (tmp_path / "out/data.yaml").read_text()
    assert "train: images/train\nval: images/val\nnc: 3" in text
    for name, count in report.splits.items():
        images = {Path(n).stem for n in tree(tmp_path / "out/images" / name)}
        assert images == {Path(n).stem for n in tree(tmp_path / "out/labels" / name)}
        assert len(images) == count


def test_yolo_segments_draw_the_mask_again(dataset, tmp_path):
    export(dataset, "yolo-seg", tmp_path / "out")
    layout = frames()[0]
    lines = yolo_lines(tmp_path / "out/labels/train/00000000.txt")
    assert [number for number, _ in lines] == [0, 1, 2]
    for key, (_, numbers) in enumerate(lines, start=1):
        assert (numbers >= 0).all()
        assert (numbers <= 1).all()
        points = numbers.reshape(-1, 2) * (layout.width, layout.height)
        whole = [(round(x), round(y)) for x, y in points.tolist()]
        assert np.abs(points - np.array(whole)).max() < 1e-4
        assert (drawn([whole], layout.height, layout.width) == (layout.instance_map == key)).all()


# Panoptic.


def test_panoptic_colours_and_table_give_the_instance_map_back(dataset, tmp_path):
    export(dataset, "panoptic", tmp_path / "out")
    data = load(tmp_path / "out", "panoptic.json")
    assert [c["isthing"] for c in data["categories"]] == [1, 1, 1]
    for annotation, layout in zip(data["annotations"], frames(), strict=True):
        with Image.open(tmp_path / "out/panoptic" / annotation["file_name"]) as picture:
            r, g, b = np.asarray(picture).astype(int).transpose(2, 0, 1)
        ids = r + 256 * g + 65536 * b
        segments = annotation["segments_info"]
        assert set(np.unique(ids)) - {0} == {s["id"] for s in segments}
        classes = np.zeros_like(ids)
        for segment in segments:
            classes[ids == segment["id"]] = segment["category_id"]
            assert segment["area"] == (ids == segment["id"]).sum()
        assert (classes == layout.class_map).all()
        assert (ids == layout.instance_map).all()  # here ids have no gap


def test_panoptic_ids_above_255_use_the_second_colour(tmp_path):
    many = [(1, rectangle(x, y, 1, 1)) for y in range(0, 40, 2) for x in range(0, 40, 2)]
    dataset = write_dataset(tmp_path / "data", [paint(40, 41, many)])
    export(dataset, "panoptic", tmp_path / "out")
    with Image.open(tmp_path / "out/panoptic/00000000.png") as picture:
        colours = np.asarray(picture)
    assert colours[38, 38].tolist() == [400 - 256, 1, 0]


def test_panoptic_refuses_masks_that_overlap(dataset, tmp_path):
    data = load(dataset)
    data["annotations"].append({**data["annotations"][0], "id": 99})
    (dataset / "annotations.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match="annotation 99 overlaps another"):
        export(dataset, "panoptic", tmp_path / "out")
    assert not (tmp_path / "out").exists()


# Folders and mistakes.


# Others need a camera or passes; see test_to_kitti.py and test_to_cityscapes.py.
PLAIN = [name for name in FORMATS if name not in ("kitti", "cityscapes", "mot")]


@pytest.mark.parametrize("format", PLAIN)
def test_an_export_repeats_its_bytes_and_leaves_the_dataset_alone(dataset, tmp_path, format):
    before = bytes_of(dataset)
    export(dataset, format, tmp_path / "a")
    (tmp_path / "b").mkdir()
    export(dataset, format, tmp_path / "b")  # an empty folder will do as well
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")
    assert bytes_of(dataset) == before
    assert {p.name for p in tmp_path.iterdir()} == {"data", "a", "b"}


@pytest.mark.parametrize("format", PLAIN)
@pytest.mark.parametrize("link", [False, True])
def test_images_are_copies_unless_links_are_asked_for(dataset, tmp_path, format, link):
    export(dataset, format, tmp_path / "a", link=link)
    (image,) = (tmp_path / "a").rglob("images/**/00000001.png")
    assert image.samefile(dataset / "shards/00000001.png") == link


def test_a_folder_with_something_in_it_is_not_touched(dataset, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    with pytest.raises(InputError, match="not an empty folder"):
        export(dataset, "coco", tmp_path / "out")
    assert bytes_of(tmp_path / "out") == {"mine.txt": b"mine"}


def test_a_failed_export_leaves_nothing(dataset, tmp_path):
    (dataset / "shards/00000002.png").unlink()
    with pytest.raises(InputError, match=r"00000002\.png: the image is not there"):
        export(dataset, "coco", tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["data"]


def rewrite(dataset: Path, change: Callable[[dict], object]) -> None:
    data = load(dataset)
    change(data)
    (dataset / "annotations.json").write_text(json.dumps(data))


def test_a_file_outside_of_the_dataset_is_never_copied(dataset, tmp_path):
    (tmp_path / "secret.png").write_bytes(b"secret")
    for name in ("../secret.png", str(tmp_path / "secret.png")):
        rewrite(dataset, lambda d, name=name: d["images"][0].update(file_name=name))
        with pytest.raises(InputError, match="leaves the dataset"):
            export(dataset, "coco", tmp_path / "out")


def test_images_of_one_name_in_two_folders_keep_their_folders(dataset, tmp_path):
    for folder in ("left", "right"):
        (dataset / folder).mkdir()
        shutil.copy(dataset / "shards/00000000.png", dataset / folder / "a.png")
    rewrite(dataset, lambda d: d["images"][0].update(file_name="left/a.png"))
    rewrite(dataset, lambda d: d["images"][1].update(file_name="right/a.png"))
    export(dataset, "coco", tmp_path / "out")
    names = [image["file_name"] for image in load(tmp_path / "out")["images"]]
    assert names[:2] == ["images/left__a.png", "images/right__a.png"]


WRONG = {
    "format": ({"format": "kitty"}, "unknown format `kitty`"),
    "merge": ({"merge": {"cart": "car"}}, "no category `cart`.*car, house, tree"),
    "share": ({"splits": {"train": 0.8, "val": 0.3}}, "add up to 1.1"),
    "part": ({"splits": {"train": 0.5}}, "add up to 0.5"),
    "name": ({"splits": {"../x": 1.0}}, "split name"),
    "fraction": ({"min_visible_fraction": 1.5}, "not in 0 to 1"),
    "pixels": ({"min_pixels": 0}, "below 1"),
}


@pytest.mark.parametrize(("options", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_option_is_refused_before_anything_is_written(dataset, tmp_path, options, message):
    options = {"format": "coco", **options}
    with pytest.raises(InputError, match=message):
        export(dataset, out=tmp_path / "out", **options)
    assert [p.name for p in tmp_path.iterdir()] == ["data"]


def test_an_export_into_the_dataset_itself_is_refused(dataset):
    with pytest.raises(InputError, match="inside the dataset"):
        export(dataset, "coco", dataset / "out")


def test_a_dataset_that_is_not_complete_is_refused(dataset, tmp_path):
    (dataset / "recipe.json").write_text("{}")
    with pytest.raises(InputError, match="not complete"):
        export(dataset, "coco", tmp_path / "out")


def test_a_file_of_another_tool_is_exported_but_not_by_visibility(dataset, tmp_path):
    rewrite(dataset, lambda d: [a.pop("visible_fraction") for a in d["annotations"]])
    export(dataset, "coco-polygons", tmp_path / "a")
    export(tmp_path / "a", "coco-polygons", tmp_path / "b")  # now from polygons
    assert load(tmp_path / "b")["annotations"] == load(tmp_path / "a")["annotations"]
    with pytest.raises(InputError, match="has no visible_fraction"):
        export(dataset, "coco", tmp_path / "c", min_visible_fraction=0.1)


def test_a_broken_mask_is_named(dataset, tmp_path):
    rewrite(dataset, lambda d: d["annotations"][3]["segmentation"].update(counts="52305"))
    for format in ("coco-polygons", "yolo-seg", "panoptic"):
        with pytest.raises(InputError, match="image 3, annotation 4: run lengths are broken"):
            export(dataset, format, tmp_path / "out")
