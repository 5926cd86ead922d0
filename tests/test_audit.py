import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from layouts import ellipse, layouts, paint, rectangle, write_dataset

from datagen import labels, rle
from datagen.audit import audit_coco, audit_frame
from datagen.errors import InputError
from datagen.frame import Layout, Silhouette
from datagen.labels import Annotation


@settings(max_examples=300, deadline=None)
@given(layouts())
def test_what_annotate_says_of_random_layouts_has_no_findings(layout):
    assert audit_frame(layout, labels.annotate(layout)) == []


def scene() -> Layout:
    """A car behind a house, a tree across the border."""
    return paint(
        40,
        24,
        [(1, rectangle(5, 8, 10, 6)), (2, rectangle(11, 2, 12, 9)), (3, ellipse(30, -4, 9, 9))],
    )


def codes(layout: Layout, annotations: list[Annotation]) -> set[str]:
    return {finding.code for finding in audit_frame(layout, annotations)}


def with_mask(annotation: Annotation, change: Callable[[np.ndarray], None]) -> Annotation:
    mask = rle.decode([annotation.segmentation])[0].T.astype(bool)
    change(mask)
    return dataclasses.replace(annotation, segmentation=rle.encode(mask))


def put(row: int, column: int, value: bool) -> Callable[[np.ndarray], None]:
    def change(mask: np.ndarray) -> None:
        mask[row, column] = value

    return change


def test_a_file_may_have_more_things_in_an_image_than_a_byte_counts(tmp_path):
    things = [(1, rectangle(3 * (k % 20), 3 * (k // 20), 2, 1 + k % 2)) for k in range(300)]
    frame = paint(60, 45, things)
    masks = [thing.segmentation for thing in labels.annotate(frame)]
    assert rle.areas(masks).tolist() == [2 * (1 + k % 2) for k in range(300)]
    assert audit_coco(write_dataset(tmp_path, [frame]) / "annotations.json") == []


def test_a_pixel_taken_from_a_mask_is_found():
    car, house, tree = labels.annotate(scene())
    car = with_mask(car, put(10, 7, False))
    assert codes(scene(), [car, house, tree]) == {"union", "area", "visible-fraction"}


def test_a_pixel_that_lies_in_two_masks_is_found():
    car, house, tree = labels.annotate(scene())
    found = codes(scene(), [with_mask(car, put(9, 12, True)), house, tree])
    assert {"overlap", "map", "class-map", "area"} <= found


def test_a_pixel_outside_of_the_silhouette_is_found():
    car, house, tree = labels.annotate(scene())
    found = codes(scene(), [with_mask(car, put(20, 30, True)), house, tree])
    assert {"silhouette", "union", "map", "bbox"} <= found


CHANGES = {
    "bbox": {"bbox": (5, 8, 7, 6)},
    "area": {"area": 37},
    "visible-fraction": {"visible_fraction": 0.75},
    "truncation": {"truncation": 0.1},
    "amodal-bbox": {"amodal_bbox": (5, 8, 10, 7)},
    "category": {"category_id": 2},
    "class-map": {"category_id": 2, "category": "house"},
    "occluder": {"occluder": 17},
    "unknown-id": {"instance_id": 17},
    "rle": {"segmentation": {"size": [24, 40], "counts": "52305"}},
}


@pytest.mark.parametrize(("code", "change"), CHANGES.items(), ids=CHANGES)
def test_a_wrong_value_is_found(code, change):
    car, house, tree = labels.annotate(scene())
    findings = audit_frame(scene(), [dataclasses.replace(car, **change), house, tree])
    assert code in {finding.code for finding in findings}
    assert findings[0].annotation in (1, 17)


def test_width_and_height_exchanged_are_found():
    car, house, tree = labels.annotate(scene())
    turned = {"size": [40, 24], "counts": car.segmentation["counts"]}
    assert "rle" in codes(scene(), [dataclasses.replace(car, segmentation=turned), house, tree])


def test_an_empty_mask_is_found():
    car, house, tree = labels.annotate(scene())
    assert "empty" in codes(scene(), [with_mask(car, lambda mask: mask.fill(False)), house, tree])


def test_a_thing_without_its_label_is_found():
    _, house, tree = labels.annotate(scene())
    assert "missing" in codes(scene(), [house, tree])


def test_a_label_that_comes_twice_is_found():
    things = labels.annotate(scene())
    assert {"duplicate", "overlap"} <= codes(scene(), [*things, things[0]])


def test_a_depth_that_is_not_finite_under_a_mask_is_found():
    layout = scene()
    assert layout.depth is not None
    layout.depth[10, 7] = np.nan
    (finding,) = audit_frame(layout, labels.annotate(layout))
    assert (finding.code, finding.annotation) == ("depth", 1)


def test_a_layout_without_depth_is_fine():
    layout = dataclasses.replace(scene(), depth=None)
    assert audit_frame(layout, labels.annotate(layout)) == []


def test_a_wrong_pixel_of_the_class_map_is_found():
    layout = scene()
    layout.class_map[10, 7] = 3
    (finding,) = audit_frame(layout, labels.annotate(layout))
    assert (finding.code, finding.annotation) == ("class-map", 1)


def test_an_id_in_the_map_that_is_no_thing_is_found():
    layout = scene()
    layout.instance_map[20, 20] = 9
    assert codes(layout, labels.annotate(layout)) == {"unknown-id", "union"}


def test_a_silhouette_that_misses_visible_pixels_is_found():
    layout = scene()
    car = layout.instances[0]
    small = dataclasses.replace(car, silhouette=Silhouette(5, 8, np.ones((6, 3), bool)))
    layout = dataclasses.replace(layout, instances=(small, *layout.instances[1:]))
    assert "silhouette" in codes(layout, labels.annotate(layout))


def test_two_things_with_one_id_are_found():
    layout = scene()
    twice = dataclasses.replace(layout, instances=(*layout.instances, layout.instances[0]))
    assert {"instance-id", "duplicate"} <= codes(twice, labels.annotate(twice))


def test_an_audit_of_a_small_frame_takes_about_a_millisecond():
    places = [(x, y) for x in range(0, 125, 25) for y in range(0, 125, 25)]
    layout = paint(128, 128, [(1, ellipse(x, y, 30, 30)) for x, y in places])
    annotations = labels.annotate(layout)
    times = []
    for _ in range(20):
        start = time.perf_counter()
        audit_frame(layout, annotations)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.004


Data = dict[str, Any]


def file_codes(path: Path, change: Callable[[Data], object] | None = None, **options: bool) -> set:
    """Codes of the findings after a change of the file."""
    data = json.loads((path / "annotations.json").read_text())
    if change is not None:
        change(data)
    (path / "annotations.json").write_text(json.dumps(data))
    return {finding.code for finding in audit_coco(path, **options)}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "data", [scene(), paint(9, 30, []), scene()])


def test_our_own_file_has_no_findings(dataset):
    assert audit_coco(dataset) == []
    assert audit_coco(dataset / "annotations.json") == []


FILE_CHANGES: dict[str, tuple[str, Callable[[Data], object]]] = {
    "an id twice": ("duplicate-id", lambda d: d["annotations"][0].update(id=2)),
    "an id that is text": ("id", lambda d: d["images"][0].update(id="1")),
    "an image id twice": ("duplicate-id", lambda d: d["images"][0].update(id=2)),
    "an unknown image": ("orphan-image", lambda d: d["annotations"][0].update(image_id=99)),
    "an image id of a list": ("orphan-image", lambda d: d["annotations"][0].update(image_id=[1])),
    "an unknown category": ("orphan-category", lambda d: d["annotations"][0].update(category_id=9)),
    "a box that leaves": ("bbox-outside", lambda d: d["annotations"][0].update(bbox=[35, 8, 9, 6])),
    "a box of text": ("bbox", lambda d: d["annotations"][0].update(bbox="5 8 6 6")),
    "a box of no width": ("bbox-empty", lambda d: d["annotations"][0].update(bbox=[5, 8, 0, 6])),
    "a box one too small": ("bbox", lambda d: d["annotations"][0].update(bbox=[5, 8, 5, 5])),
    "an area as a list": ("area", lambda d: d["annotations"][0].update(area=[36])),
    "a wrong area": ("area", lambda d: d["annotations"][0].update(area=61)),
    "an empty segmentation": (
        "segmentation",
        lambda d: d["annotations"][0].update(segmentation=[]),
    ),
    "a ring of two points": (
        "segmentation",
        lambda d: d["annotations"][0].update(segmentation=[[1, 1, 2, 2]]),
    ),
    "counts that end early": (
        "segmentation",
        lambda d: d["annotations"][0]["segmentation"].update(counts="52305"),
    ),
    "sides exchanged": (
        "segmentation",
        lambda d: d["annotations"][0]["segmentation"].update(size=[40, 24]),
    ),
    "a file name twice": ("file-name", lambda d: d["images"][0].update(d["images"][1], id=1)),
    "a file name that climbs": ("file-name", lambda d: d["images"][0].update(file_name="../x.png")),
    "an image without sides": ("image-size", lambda d: d["images"][0].update(width=None)),
    "a category 0": ("category-zero", lambda d: d["categories"][0].update(id=0)),
    "a category twice": ("category-name", lambda d: d["categories"][0].update(name="tree")),
    "an odd crowd flag": ("iscrowd", lambda d: d["annotations"][0].update(iscrowd=2)),
    "a fraction above 1": (
        "visible-fraction",
        lambda d: d["annotations"][0].update(visible_fraction=1.5),
    ),
    "one mask twice": (
        "overlap",
        lambda d: d["annotations"].append({**d["annotations"][0], "id": 99}),
    ),
}


@pytest.mark.parametrize(("code", "change"), FILE_CHANGES.values(), ids=FILE_CHANGES)
def test_a_defect_of_a_file_is_found(dataset, code, change):
    assert code in file_codes(dataset, change)


def test_category_0_is_only_a_warning(dataset):
    file_codes(dataset, lambda d: d["categories"].append({"id": 0, "name": "sky"}))
    (finding,) = audit_coco(dataset)
    assert (finding.code, finding.severity) == ("category-zero", "warning")


def test_overlapping_masks_are_legal_in_files_of_others_unless_asked_for(dataset):
    def change(data: Data) -> None:
        data["info"] = {"contributor": "someone"}
        data["annotations"].append({**data["annotations"][0], "id": 99})

    assert file_codes(dataset, change) == set()
    assert file_codes(dataset, overlap=True) == {"overlap"}


def foreign(folder: Path, segmentation: object, area: float, bbox: list[float]) -> Path:
    """A file as another tool writes it: no info, one annotation."""
    path = folder / "instances.json"
    annotation = {"id": 7, "image_id": 3, "category_id": 1, "iscrowd": 0}
    data = {
        "images": [{"id": 3, "width": 30, "height": 20, "file_name": "a.jpg"}],
        "annotations": [{**annotation, "segmentation": segmentation, "area": area, "bbox": bbox}],
        "categories": [{"id": 1, "name": "car"}],
    }
    path.write_text(json.dumps(data))
    return path


def test_polygons_of_others_are_measured_with_a_tolerance(tmp_path):
    triangle = [[4.0, 3.0, 20.0, 3.0, 4.0, 15.0]]
    assert audit_coco(foreign(tmp_path, triangle, 96.0, [4.0, 3.0, 16.0, 12.0])) == []
    found = audit_coco(foreign(tmp_path, triangle, 192.0, [4.0, 3.0, 12.0, 16.0]))
    assert {f.code for f in found} == {"area", "bbox"}
    assert (found[0].image, found[0].annotation) == (3, 7)


def test_plain_run_lengths_are_read(tmp_path):
    counts = [0, 20, 580]  # the first column
    rle_column = {"size": [20, 30], "counts": counts}
    assert audit_coco(foreign(tmp_path, rle_column, 20, [0, 0, 1, 20])) == []
    assert audit_coco(foreign(tmp_path, rle_column, 21, [0, 0, 1, 20]))[0].code == "area"
    short = {"size": [20, 30], "counts": [0, 20]}
    assert audit_coco(foreign(tmp_path, short, 20, [0, 0, 1, 20]))[0].code == "segmentation"


@pytest.mark.parametrize("ring", [[float(10**8)] * 6, ["a"] * 6, [None] * 6, [1] * 7, "12", {}])
def test_a_strange_polygon_is_a_finding_and_no_crash(tmp_path, ring):
    found = audit_coco(foreign(tmp_path, [ring], 20, [0, 0, 1, 20]))
    assert [f.code for f in found] == ["segmentation"]


def test_a_file_that_is_no_coco_file_is_refused_in_one_line(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('{"images": []}')
    with pytest.raises(InputError, match="no `annotations`"):
        audit_coco(path)


@pytest.mark.slow
def test_a_hundred_thousand_annotations_are_audited_in_seconds(tmp_path):
    frames = [scene()] * 50
    path = write_dataset(tmp_path / "data", frames)
    data = json.loads((path / "annotations.json").read_text())
    copies = 100_000 // len(data["annotations"])
    data["images"] = [
        {**image, "id": image["id"] + k * 50, "file_name": f"{k}/{image['file_name']}"}
        for k in range(copies)
        for image in data["images"]
    ]
    data["annotations"] = [
        {**one, "id": one["id"] + k * 1000, "image_id": one["image_id"] + k * 50}
        for k in range(copies)
        for one in data["annotations"]
    ]
    (path / "annotations.json").write_text(json.dumps(data))
    start = time.perf_counter()
    assert audit_coco(path) == []
    assert time.perf_counter() - start < 30
