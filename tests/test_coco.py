import json
import resource
import signal
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from layouts import CATEGORIES, ellipse, paint, records, rectangle, ring, write_dataset

from datagen.dataset import coco
from datagen.errors import AuditError, DiskFullError, InputError
from datagen.frame import Layout

HEAD = coco.Head("street", CATEGORIES, provenance={"recipe": "0123456789abcdef"})


def frames() -> list[Layout]:
    """One with two things and one without any; neither is square."""
    full = paint(40, 24, [(1, rectangle(5, 8, 10, 6)), (2, ring(11, 2, 16, 4))])
    return [full, paint(30, 17, []), paint(20, 50, [(3, ellipse(-4, 30, 12, 25))])]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "data", frames())


def test_ids_and_categories_follow_from_the_index(dataset):
    data = coco.read(dataset)
    assert [image["id"] for image in data["images"]] == [1, 2, 3]
    assert [(a["id"], a["image_id"], a["iscrowd"]) for a in data["annotations"]] == [
        (1, 1, 0),
        (2, 1, 0),
        (3, 3, 0),
    ]
    assert data["categories"] == [
        {"id": 1, "name": "car", "supercategory": "test"},
        {"id": 2, "name": "house", "supercategory": "test"},
        {"id": 3, "name": "tree", "supercategory": "test"},
    ]


def test_images_that_are_not_there_leave_a_gap_in_the_ids(tmp_path):
    kept = [r for r in records(frames()) if r["index"] != 1]
    counts = coco.write(tmp_path / "a.json", lambda: kept, HEAD)
    assert [image["id"] for image in coco.read(tmp_path / "a.json")["images"]] == [1, 3]
    assert counts == coco.Counts(images=2, annotations=3)


def test_the_same_records_give_the_same_bytes_and_no_clock(tmp_path):
    for name in ("a.json", "b.json"):
        coco.write(tmp_path / name, lambda: records(frames()), HEAD)
    text = (tmp_path / "a.json").read_text()
    assert text == (tmp_path / "b.json").read_text()
    info = json.loads(text)["info"]
    assert info["contributor"] == "datagen"
    assert info["recipe"] == "0123456789abcdef"
    assert not {"date_created", "year"} & info.keys()


def test_a_dataset_without_images_is_a_valid_file(tmp_path):
    coco.write(tmp_path / "a.json", lambda: [], HEAD)
    data = coco.read(tmp_path / "a.json")
    assert (data["images"], data["annotations"]) == ([], [])


def test_pycocotools_decodes_every_mask_to_its_area_and_box(dataset):
    from pycocotools.coco import COCO

    loaded = COCO(str(dataset / "annotations.json"))
    assert len(loaded.anns) == 3
    for key, annotation in loaded.anns.items():
        mask = loaded.annToMask(loaded.anns[key])
        frame = frames()[annotation["image_id"] - 1]
        assert (mask == (frame.instance_map == annotation["instance_id"])).all()
        rows, columns = np.nonzero(mask)
        x, y, w, h = annotation["bbox"]
        assert (columns.min(), columns.max()) == (x, x + w - 1)
        assert (rows.min(), rows.max()) == (y, y + h - 1)
        assert mask.sum() == annotation["area"]


def test_torchvision_loads_images_and_labels(dataset):
    from torchvision.datasets import CocoDetection

    pictures = CocoDetection(str(dataset), str(dataset / "annotations.json"))
    sizes = [picture.size for picture, _ in pictures]
    labels = [[a["category_id"] for a in things] for _, things in pictures]
    assert sizes == [(40, 24), (30, 17), (20, 50)]
    assert labels == [[1, 2], [], [3]]


def test_memory_does_not_grow_with_the_number_of_images(tmp_path):
    (record, *_) = records(frames())

    def peak(count: int) -> int:
        def stream() -> Iterator[dict]:
            return ({**record, "index": index} for index in range(count))

        tracemalloc.start()
        coco.write(tmp_path / "a.json", stream, HEAD)
        try:
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    assert peak(3000) < peak(300) + 20_000


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    coco.write(path, lambda: [], HEAD)
    before = path.read_bytes()

    def broken() -> Iterator[dict]:
        yield next(records(frames()))
        raise RuntimeError("the reader died")

    with pytest.raises(RuntimeError):
        coco.write(path, broken, HEAD)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_number_that_is_not_one_is_never_written(tmp_path):
    record = next(records(frames()))
    record["annotations"][0]["visible_fraction"] = float("nan")
    with pytest.raises(ValueError, match="JSON compliant"):
        coco.write(tmp_path / "a.json", lambda: [record], HEAD)
    assert not list(tmp_path.iterdir())


def test_records_out_of_order_are_refused(tmp_path):
    turned = list(records(frames()))[::-1]
    with pytest.raises(AuditError, match="indices must rise"):
        coco.write(tmp_path / "a.json", lambda: turned, HEAD)


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path):
    def many() -> Iterator[dict]:
        record = next(records(frames()))
        return ({**record, "index": k} for k in range(2000))

    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(DiskFullError):
            coco.write(tmp_path / "a.json", many, HEAD)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert not list(tmp_path.iterdir())


BAD_FILES = {
    "cut off": ('{"images": [', "not valid JSON"),
    "empty": ("", "not valid JSON"),
    "a list": ("[]", "one JSON object, not a list"),
    "without annotations": ('{"images": []}', "no `annotations`"),
    "an object for a list": ('{"images": {}, "annotations": [], "categories": []}', "list of obj"),
    "numbers for objects": ('{"images": [1], "annotations": [], "categories": []}', "list of obj"),
    "NaN": ('{"images": [], "annotations": [{"area": NaN}], "categories": []}', "NaN is not JSON"),
    "nested without end": ("[" * 100_000, "not valid JSON"),
}


@pytest.mark.parametrize(("text", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_refused_in_one_line_that_names_it(tmp_path, text, message):
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as error:
        coco.read(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_bytes_that_are_no_text_and_files_that_are_not_there_are_refused(tmp_path):
    path = tmp_path / "bad.json"
    path.write_bytes(b"\x89PNG\r\n")
    with pytest.raises(InputError, match="not UTF-8 text"):
        coco.read(path)
    with pytest.raises(InputError, match="No such file"):
        coco.read(tmp_path / "none.json")


def test_a_file_above_the_cap_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(coco.MAX_BYTES + 1)  # sparse: takes no space
    with pytest.raises(InputError, match="at most"):
        coco.read(path)
