import base64
import hashlib
import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from datagen import rle
from datagen.errors import InputError
from datagen.report.gallery import outline, write_gallery

NASTY = "<script>alert('1')</script>\"&"


class Page(HTMLParser):
    """Start tags with their attributes, and the text of the style element."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, str] = {}
        self.inside = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = tag

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        self.text[self.inside] = self.text.get(self.inside, "") + data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def assert_strict(page: Page) -> None:
    """Nothing that a policy without scripts, inline attributes and the network would refuse."""
    assert not page.all("script")
    assert not page.all("link")
    for tag, attributes in page.tags:
        assert "style" not in attributes, tag
        assert not any(name.startswith("on") for name in attributes), tag
        address = attributes.get("src") or attributes.get("href") or ""
        assert not re.match(
            r"[a-z]+:(?!image/(?:png|webp);base64,)", address.replace("data:", "d:")
        ), address
    policy = page.all("meta")[1]["content"] or ""
    digest = base64.b64encode(hashlib.sha256(page.text["style"].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "http" not in page.text["style"]


def dataset(
    folder: Path, names: tuple[str, ...] = ("0.png", "1.png"), category: str = "car"
) -> Path:
    """A small COCO dataset: one thing with a hole in each image, of category 1 or 2."""
    folder.mkdir(parents=True)
    mask = np.zeros((20, 30), bool)
    mask[4:12, 6:20] = True
    mask[6:8, 8:10] = False
    images, annotations = [], []
    for k, name in enumerate(names):
        Image.fromarray(np.full((20, 30, 3), 90, np.uint8)).save(folder / name, format="PNG")
        images.append({"id": k + 1, "file_name": name, "width": 30, "height": 20})
        annotations.append(
            {
                "id": k + 1,
                "image_id": k + 1,
                "category_id": 1 + k % 2,
                "bbox": [6, 4, 14, 8],
                "area": 108,
                "segmentation": rle.encode(mask),
                "iscrowd": 0,
                "visible_fraction": 0.996,
            }
        )
    categories = [{"id": 1, "name": category}, {"id": 2, "name": "tree"}, {"id": 3, "name": "bus"}]
    save(folder, {"images": images, "annotations": annotations, "categories": categories})
    return folder


def save(folder: Path, coco: object) -> None:
    (folder / "annotations.json").write_text(json.dumps(coco))


def load(folder: Path) -> dict:
    return json.loads((folder / "annotations.json").read_text())


def filled(path: str, height: int, width: int) -> np.ndarray:
    """The even-odd fill of path data whose every side is horizontal or vertical."""
    inside = np.zeros((height, width), bool)
    for loop in re.findall(r"M(\d+) (\d+)((?:[hv]-?\d+)*)z", path):
        start_x, start_y = int(loop[0]), int(loop[1])
        x, y = start_x, start_y
        for direction, text in re.findall(r"([hv])(-?\d+)", loop[2]):
            if direction == "h":
                x += int(text)
            else:
                top, bottom = sorted((y, y + int(text)))
                inside[top:bottom, x:] ^= True
                y += int(text)
        assert x == start_x or y == start_y
        top, bottom = sorted((y, start_y))
        inside[top:bottom, x:] ^= True
    return inside


@given(arrays.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_an_outline_encloses_exactly_the_pixels_of_the_mask(mask):
    assert np.array_equal(filled(outline(mask), *mask.shape), mask)


def test_an_outline_has_no_more_corners_than_needed():
    mask = np.zeros((50, 50), bool)
    mask[10:40, 5:45] = True
    assert outline(mask) == "M5 10h40v30h-40z"
    assert outline(np.zeros((5, 5), bool)) == ""


def test_the_page_lies_beside_the_dataset_and_changes_nothing_in_it(tmp_path):
    folder = dataset(tmp_path / "set")
    before = sorted((p.name, p.read_bytes()) for p in folder.iterdir())
    page = write_gallery(folder)
    assert page == tmp_path / "set-view" / "index.html"
    assert sorted((p.name, p.read_bytes()) for p in folder.iterdir()) == before
    with pytest.raises(InputError, match="lies inside the dataset"):
        write_gallery(folder, folder / "view")


def test_every_image_is_found_from_the_page(tmp_path):
    folder = dataset(tmp_path / "a set", ("0.png", "with space #1?.png"))
    page = write_gallery(folder, tmp_path / "deep" / "er" / "view")
    sources = [image["src"] for image in Page(page).all("img")]
    assert sources == ["../../../a%20set/0.png", "../../../a%20set/with%20space%20%231%3F.png"]


def test_things_carry_their_class_their_outline_and_a_tooltip(tmp_path):
    page = Page(write_gallery(dataset(tmp_path / "set")))
    groups = [g for g in page.all("g") if "thing" in (g["class"] or "")]
    assert [g["class"] for g in groups] == ["thing c1", "thing c2"]
    paths = page.all("path")
    expected = np.zeros((20, 30), bool)
    expected[4:12, 6:20] = True
    expected[6:8, 8:10] = False
    assert np.array_equal(filled(paths[0]["d"] or "", 20, 30), expected)
    boxes = [r for r in page.all("rect") if r.get("class") == "box"]
    assert [float(boxes[0][key] or 0) for key in ("x", "y", "width", "height")] == [6, 4, 14, 8]
    assert "car · 108 px · 99 % visible · id 1" in page.text["title"]


def test_each_class_can_be_hidden_and_is_counted(tmp_path):
    path = write_gallery(dataset(tmp_path / "set", tuple(f"{k}.png" for k in range(5))))
    page = Page(path)
    ids = [field.get("id") for field in page.all("input")]
    assert ids == ["masks", "boxes", "show1", "show2", "show3", "any", "only1", "only2"]
    assert "body:has(#show2:not(:checked)) .c2 { display: none; }" in page.text["style"]
    assert [f["class"] for f in page.all("figure")][:2] == ["has1 ", "has2 "]
    text = path.read_text()
    assert "car <small>3</small>" in text
    assert "bus <small>0</small>" in text
    assert "5 images, 5 labelled things" in text


def test_the_limit_is_said_and_the_totals_are_those_of_the_dataset(tmp_path):
    path = write_gallery(dataset(tmp_path / "set", tuple(f"{k}.png" for k in range(5))), limit=2)
    assert len(Page(path).all("figure")) == 2
    assert "The first 2 images are shown here." in path.read_text()
    assert "5 images, 5 labelled things" in path.read_text()


def test_the_page_obeys_a_strict_policy(tmp_path):
    assert_strict(Page(write_gallery(dataset(tmp_path / "set"))))


def test_names_are_escaped_wherever_they_stand(tmp_path):
    name = NASTY.replace("/", "_")
    path = write_gallery(dataset(tmp_path / name, (name, "line\nbreak.png"), category=NASTY))
    page = Page(path)
    assert_strict(page)
    assert len(page.all("img")) == 2
    assert path.read_text().count(html.escape("<script>alert")) >= 3
    assert "<script" not in path.read_text()


@pytest.mark.parametrize("name", ["../secret.png", "/etc/hostname", "gone.png", "x" * 300, "a\0b"])
def test_an_image_that_is_not_in_the_dataset_is_not_linked(tmp_path, name):
    (tmp_path / "secret.png").write_bytes(b"secret")
    folder = dataset(tmp_path / "set")
    coco = load(folder)
    coco["images"][0]["file_name"] = name
    save(folder, coco)
    path = write_gallery(folder)
    assert len(Page(path).all("img")) == 1
    assert "file is not in the dataset folder" in path.read_text()


def test_an_empty_dataset_has_a_page(tmp_path):
    folder = dataset(tmp_path / "set", ())
    assert "0 images, 0 labelled things" in write_gallery(folder).read_text()


def test_a_dataset_that_is_not_finished_says_how_to_go_on(tmp_path):
    (tmp_path / "shards").mkdir()
    (tmp_path / "recipe.json").write_text("{}")
    with pytest.raises(InputError, match="is not finished; run `datagen generate` with --resume"):
        write_gallery(tmp_path)


def test_a_folder_without_labels_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"annotations.json"):
        write_gallery(tmp_path)


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("annotations", "category_id", 99),
        ("annotations", "bbox", None),
        ("annotations", "bbox", [1, 2]),
        ("annotations", "image_id", []),
        ("annotations", "segmentation", {"size": [20, 30], "counts": "zz"}),
        ("annotations", "segmentation", {"size": [3, 3], "counts": "0"}),
        ("images", "width", "wide"),
        ("categories", "id", None),
    ],
)
def test_broken_labels_are_an_input_error(tmp_path, part, key, value):
    folder = dataset(tmp_path / "set")
    coco = load(folder)
    coco[part][0][key] = value
    save(folder, coco)
    with pytest.raises(InputError, match=r"annotations\.json.*datagen verify"):
        write_gallery(folder)


def test_a_page_that_cannot_be_written_is_an_input_error(tmp_path):
    folder = dataset(tmp_path / "set")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write_gallery(folder, tmp_path / "file" / "view")
