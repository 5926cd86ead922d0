"""Datasets over HTTP: what is told of them is what lies in their folders, and only that."""

import asyncio
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ET
from collections import defaultdict

import numpy as np
import pytest
from faulty import ROOT
from PIL import Image
from servers import app

from datagen import pipeline, recipe
from datagen.dataset import coco, store
from datagen.files import locked
from datagen.report import colour_of
from datagen.report.sheet import mask_of
from datagen.storage.address import quoted
from datagen.web import datasets

API = "/api/v1/datasets"
SHARD = "shards/00000004-00000008"


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """Of a server with `shapes`, complete: 12 images in 3 shards, with passes; read-only."""
    home = tmp_path_factory.mktemp("home")
    sets = ["count=12", "shard_size=4", 'passes=["instance","class","depth"]']
    pipeline.generate(recipe.load("colored_shapes", sets), home / "datasets" / "shapes")
    with app(home) as found:
        found.folder = home / "datasets" / "shapes"
        yield found


@pytest.fixture
def copied(client, request):
    """Name and folder of another dataset of this server, which a test may spoil."""
    name = f"copy-{abs(hash(request.node.name)) % 10**9}"
    folder = shutil.copytree(client.folder, client.folder.with_name(name))
    yield name, folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def under_way(copied):
    """The same while its job runs: the second of three shards is not published yet."""
    name, folder = copied
    for gone in ("_COMPLETE", "manifest.json", "annotations.json", "scenes.jsonl", "README.md"):
        (folder / gone).unlink()
    shutil.rmtree(folder / SHARD)
    return name, folder


def is_problem(answer, status: int, *words: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    for word in words:
        assert word in answer.json()["detail"]
    assert str(ROOT.parent) not in answer.text
    assert "/tmp" not in answer.text


def every_image(client, name="shapes", limit=5, **filters) -> list[dict]:
    """Of all pages."""
    found, cursor = [], None
    while True:
        asked = filters | {"limit": limit} | ({} if cursor is None else {"cursor": cursor})
        page = client.get(f"{API}/{name}/images", params=asked).json()
        found += page["items"]
        cursor = page["next"]
        if cursor is None:
            return found


# ------------------------------------------------------------------------------------------- lists


def test_a_list_has_every_dataset_the_newest_first(client, under_way):
    os.utime(client.folder / "recipe.json", (1, 1))
    first, second = client.get(API).json()["items"]
    assert (first["name"], first["complete"], first["images"]) == (under_way[0], False, 8)
    assert first["categories"] is None
    assert second == client.get(f"{API}/shapes").json()
    assert (second["complete"], second["images"], second["count"]) == (True, 12, 12)
    assert second["categories"] == {"circle": 12, "rectangle": 12, "square": 12}
    page = client.get(API, params={"limit": 1}).json()
    rest = client.get(API, params={"cursor": page["next"]}).json()
    assert [*page["items"], *rest["items"]] == [first, second]


def test_a_dataset_without_a_readable_recipe_is_left_out_of_the_list(client, copied):
    name, folder = copied
    (folder / "recipe.json").write_text("{")
    assert [one["name"] for one in client.get(API).json()["items"]] == ["shapes"]
    is_problem(client.get(f"{API}/{name}"), 409, "recipe.json")


@pytest.mark.parametrize(
    "address",
    [
        *("", "/card", "/images", "/images/0", "/images/0/picture", "/images/0/masks.png"),
        *("/images/0/boxes.svg", "/download"),
    ],
)
def test_there_is_no_dataset_of_an_unknown_name(client, address):
    is_problem(client.get(f"{API}/nothing{address}"), 404, "nothing")


@pytest.mark.parametrize("name", ["..%2f..%2fetc", "%2e%2e", "..", "a%00b", ".gone-1"])
def test_what_is_no_name_is_no_address(client, name):
    assert client.get(f"{API}/{name}/card").status_code in (404, 422)


def test_a_card_is_the_readme_and_is_not_sent_twice(client):
    answer = client.get(f"{API}/shapes/card")
    assert answer.text == (client.folder / "README.md").read_text()
    assert answer.headers["content-type"].startswith("text/markdown")
    again = client.get(f"{API}/shapes/card", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


# ------------------------------------------------------------------------------------------ images


def test_images_are_those_of_annotations_json(client):
    data = coco.read(client.folder)
    of_image = defaultdict(list)
    for one in data["annotations"]:
        of_image[one["image_id"] - 1].append((one["instance_id"], one["category"], one["bbox"]))
    found = every_image(client)
    assert [one["index"] for one in found] == list(range(12))
    for one in found:
        things = [(t["id"], t["category"], t["box"]) for t in one["things"]]
        assert things == of_image[one["index"]]
        assert one == client.get(f"{API}/shapes/images/{one['index']}").json()


def test_a_page_tells_the_number_of_all_images_and_has_no_next_at_the_end(client):
    page = client.get(f"{API}/shapes/images", params={"limit": 12}).json()
    assert (len(page["items"]), page["next"], page["total"]) == (12, None, 12)


def test_frames_of_clips_tell_their_place(tmp_path):
    sets = ["count=4", "shard_size=4", "clips.frames=2"]
    pipeline.generate(recipe.load("balls_in_bowl_clips", sets), tmp_path / "datasets" / "balls")
    with app(tmp_path) as found:
        images = every_image(found, "balls")
    assert [(one["clip"], one["frame"]) for one in images] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    first, second = ({thing["path"] for thing in one["things"]} for one in images[:2])
    assert first == second != set()


def test_images_of_a_category_that_show_enough_of_it(client):
    whole = every_image(client)
    wanted = [
        one["index"]
        for one in whole
        if any(t["category"] == "circle" and t["visible_fraction"] >= 0.9 for t in one["things"])
    ]
    assert 0 < len(wanted) < 12  # else the filter shows nothing
    found = every_image(client, limit=3, category="circle", least_visible=0.9)
    assert [one["index"] for one in found] == wanted
    assert every_image(client, category="circle", least_visible=0) == whole
    assert every_image(client, category="elephant") == []


def scenes_with(client, symbol: str, key: str) -> dict[str, list[int]]:
    """Value -> the images in whose scene some node of this symbol has it."""
    found = defaultdict(list)
    for line in (client.folder / "scenes.jsonl").read_text().splitlines():
        data = json.loads(line)
        for node in data["scene"]["root"]["children"]:
            if node["symbol"] == symbol:
                found[str(node["attributes"][key])].append(data["index"])
    return found


def test_images_whose_scene_has_a_factor(client):
    some, indices = next(iter(scenes_with(client, "circle", "x").items()))
    assert len(indices) == 1
    found = every_image(client, factor=f"circle.x={some}")
    assert [one["index"] for one in found] == indices
    assert len(every_image(client, factor="circle.colour=blue")) == 12
    assert every_image(client, factor="circle.colour=green") == []  # which the rectangles are
    assert len(every_image(client, factor="symbol=circle")) == 12
    assert every_image(client, factor="symbol=black") == []  # which is a word in every scene
    assert found[0]["factors"]["rectangle.colour"] == ["green"]


def test_a_filter_reads_only_so_much_for_a_page_and_goes_on_from_there(client, monkeypatch):
    wanted = every_image(client, category="circle", least_visible=0.9)
    monkeypatch.setattr(datasets, "_MOST_READ", 4000)
    asked = {"category": "circle", "least_visible": 0.9, "limit": 50}
    page = client.get(f"{API}/shapes/images", params=asked).json()
    assert (page["next"], page["total"]) not in ((None, None), ("0", None))
    assert every_image(client, **asked) == wanted


@pytest.mark.parametrize(
    "wrong",
    [{"limit": 201}, {"limit": 0}, {"cursor": -1}, {"least_visible": 2}, {"factor": "colour"}],
)
def test_a_wrong_question_says_what_is_wrong(client, wrong):
    is_problem(client.get(f"{API}/shapes/images", params=wrong), 422, next(iter(wrong)))


def test_there_is_no_image_beyond_the_last(client):
    is_problem(client.get(f"{API}/shapes/images/12"), 404, "12 images")
    assert client.get(f"{API}/shapes/images", params={"cursor": 12}).json()["items"] == []


def test_images_come_with_their_shard_while_the_job_runs(client, under_way):
    name, folder = under_way
    whole = every_image(client)
    assert every_image(client, name, limit=3) == [*whole[:4], *whole[8:]]
    assert client.get(f"{API}/{name}/images").json()["total"] == 8
    is_problem(client.get(f"{API}/{name}/images/5"), 404, "not made yet")
    is_problem(client.get(f"{API}/{name}/card"), 404, "complete")
    is_problem(client.get(f"{API}/{name}/download"), 409, "8 of 12")
    shutil.copytree(client.folder / SHARD, folder / SHARD)
    assert every_image(client, name, limit=3) == whole


def test_what_is_complete_is_not_read_for_a_client_who_has_it(client, monkeypatch):
    for address in ("images", "images?category=circle", "images/3", "images/3/masks.png"):
        tag = client.get(f"{API}/shapes/{address}").headers["etag"]
        other = client.get(f"{API}/shapes/images/2").headers["etag"]
        assert tag != other
        with monkeypatch.context() as patch:
            patch.setattr(datasets, "rows", None)
            kept = client.get(f"{API}/shapes/{address}", headers={"If-None-Match": tag})
        assert (kept.status_code, kept.headers["etag"]) == (304, tag)


# ---------------------------------------------------------------------------- pictures and layers


def test_a_picture_is_the_file_itself_and_is_not_sent_twice(client):
    answer = client.get(f"{API}/shapes/images/5/picture")
    assert answer.content == (client.folder / SHARD / "00000005.png").read_bytes()
    assert answer.headers["content-type"] == "image/png"
    tag = {"If-None-Match": answer.headers["etag"]}
    assert client.get(f"{API}/shapes/images/5/picture", headers=tag).status_code == 304
    assert client.get(f"{API}/shapes/images/6/picture", headers=tag).status_code == 200


def layer(client, name: str, index: int = 5) -> np.ndarray:
    """uint8 [H, W, 4]"""
    answer = client.get(f"{API}/shapes/images/{index}/{name}.png")
    assert answer.headers["content-type"] == "image/png"
    return np.array(Image.open(io.BytesIO(answer.content)).convert("RGBA"))


def annotations(client, index: int = 5) -> list[dict]:
    data = coco.read(client.folder)
    return [one for one in data["annotations"] if one["image_id"] == index + 1]


def test_masks_have_the_colour_of_their_class_and_nothing_else_has_any(client):
    pixels, covered = layer(client, "masks"), np.zeros((64, 64), bool)
    for one in annotations(client):
        mask = mask_of(one["segmentation"], 64, 64)
        covered |= mask
        assert (pixels[mask][:, :3] == colour_of(one["category_id"])).all()
        assert {120, 255} == set(pixels[mask][:, 3].tolist())  # within, and at the edge
    assert not pixels[~covered].any()


def test_instances_have_a_colour_each(client):
    pixels, seen = layer(client, "instances"), set()
    for one in annotations(client):
        colours = {tuple(c) for c in pixels[mask_of(one["segmentation"], 64, 64)].tolist()}
        assert len(colours) == 1
        seen |= colours
    assert len(seen) == len(annotations(client)) > 1


def test_classes_and_depths_are_those_of_the_passes(client):
    stem = client.folder / SHARD / "00000005"
    classes, depth = np.array(Image.open(f"{stem}.class.png")), np.load(f"{stem}.depth.npy")
    pixels = layer(client, "class")
    for number in np.unique(classes[classes > 0]):
        assert (pixels[classes == number] == (*colour_of(int(number)), 255)).all()
    pixels = layer(client, "depth")
    brightness = [pixels[depth == value][0, :3].sum() for value in np.unique(depth)]
    assert brightness == sorted(brightness, reverse=True)  # the nearest first
    assert len(set(brightness)) == len(brightness) > 1


def test_boxes_are_drawings(client):
    answer = client.get(f"{API}/shapes/images/5/boxes.svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    rects = ET.fromstring(answer.content).findall("{*}rect")
    boxes = [[float(rect.get(key)) for key in ("x", "y", "width", "height")] for rect in rects]
    assert boxes == [one["bbox"] for one in annotations(client)]


def test_there_is_no_layer_that_the_dataset_has_not(client, tmp_path):
    sets = ["count=1", "shard_size=4"]
    pipeline.generate(recipe.load("colored_shapes", sets), tmp_path / "datasets" / "plain")
    with app(tmp_path) as found:
        one = found.get(f"{API}/plain/images/0").json()
        assert one["layers"] == ["boxes", "masks", "instances"]
        is_problem(found.get(f"{API}/plain/images/0/depth.png"), 404, "depth")
    assert client.get(f"{API}/shapes/images/0/passwd.png").status_code == 422


# -------------------------------------------------------------------------------------- strangers


def rewrite(path, number: int, change) -> None:
    """Change the JSON of one line."""
    lines = path.read_text().splitlines()
    data = json.loads(lines[number])
    change(data)
    lines[number] = json.dumps(data)
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not valid JSON"),
        ("[]", "no JSON object"),
        ("[" * 100_000, "not valid JSON"),
        ("{}", "is not of image 5"),
        ('{"index": 5}', "not as datagen writes it"),
        ('{"index": 5, "image": {"width": "a", "height": 1}, "annotations": []}', "not as datagen"),
        ('{"index": 5, "image": {"width": 1, "height": 1}, "annotations": [1]}', "not as datagen"),
        ("{}\n{}", "has not 4 lines"),
    ],
)
def test_a_damaged_record_is_told_and_breaks_nothing_else(client, copied, text, says):
    name, folder = copied
    path = folder / SHARD / "records.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], text, *lines[2:]]) + "\n")
    for address in (
        "images?limit=12",
        "images?factor=symbol=circle",
        "images/5",
        "images/5/masks.png",
    ):
        is_problem(client.get(f"{API}/{name}/{address}"), 409, says, "verify", name)
    assert client.get(f"{API}/{name}/images?limit=4").status_code == 200


@pytest.mark.parametrize("text", ["{", '{"index": 5, "scene": [1]}', '{"index": 5, "scene": {}}'])
def test_a_damaged_scene_is_told(client, copied, text):
    name, folder = copied
    path = folder / SHARD / "scenes.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], text, *lines[2:]]) + "\n")
    is_problem(client.get(f"{API}/{name}/images/5"), 409, "verify")
    is_problem(client.get(f"{API}/{name}/images"), 409, "verify")
    assert client.get(f"{API}/{name}/images/5/picture").status_code == 200


@pytest.mark.parametrize(
    "file", ["../../../secret.png", "/etc/passwd", "recipe.json", "", "a\0.png", None, "shards"]
)
def test_no_record_leads_out_of_the_folder(client, copied, file):
    name, folder = copied
    (folder.parent.parent / "secret.png").write_text("secret")
    path = folder / SHARD / "records.jsonl"
    rewrite(path, 1, lambda data: data["image"].update(file_name=file))
    is_problem(client.get(f"{API}/{name}/images/5/picture"), 409, "damaged")


@pytest.mark.parametrize(
    ("link", "address"),
    [
        (f"{SHARD}/00000005.png", "images/5/picture"),
        (f"{SHARD}/records.jsonl", "images/5"),
        (f"{SHARD}/00000005.depth.npy", "images/5/depth.png"),
        (SHARD, "images/5/picture"),
        ("README.md", "card"),
        ("recipe.json", ""),
    ],
)
def test_no_link_is_followed(client, copied, tmp_path, link, address):
    name, folder = copied
    (folder / link).rename(tmp_path / "elsewhere")
    (folder / link).symlink_to(tmp_path / "elsewhere")
    is_problem(client.get(f"{API}/{name}/{address}".rstrip("/")), 409, "no file inside")


def test_a_dataset_that_is_a_link_is_not_there(client, tmp_path):
    link = client.folder.with_name("link")
    link.symlink_to(client.folder)
    try:
        is_problem(client.get(f"{API}/link"), 404)
    finally:
        link.unlink()


def test_broken_masks_and_passes_are_told(client, copied):
    name, folder = copied
    shard = folder / SHARD
    rewrite(
        shard / "records.jsonl",
        1,
        lambda data: data["annotations"][0]["segmentation"].update(counts="zzzz"),
    )
    is_problem(client.get(f"{API}/{name}/images/5/masks.png"), 409, "mask")
    (shard / "00000005.class.png").write_bytes(b"no picture")
    is_problem(client.get(f"{API}/{name}/images/5/class.png"), 409, "class")
    lying = np.lib.format.magic(1, 0) + b"v\0{'descr': '<f4', 'fortran_order': False, 'shape': "
    (shard / "00000005.depth.npy").write_bytes(lying + b"(1000000, 1000000), }".ljust(67) + b"\n")
    is_problem(client.get(f"{API}/{name}/images/5/depth.png"), 409, "depth")
    text = {"category_id": "1"}
    rewrite(shard / "records.jsonl", 1, lambda data: data["annotations"][0].update(text))
    is_problem(client.get(f"{API}/{name}/images/5/boxes.svg"), 409, "image 5")
    huge = {"width": 10**6, "height": 10**6}
    rewrite(shard / "records.jsonl", 1, lambda data: data["image"].update(huge))
    is_problem(client.get(f"{API}/{name}/images/5/masks.png"), 413, "pixels")


def test_what_reads_datasets_is_light():
    heavy = {"torch", "cv2", "OpenGL", "matplotlib", "numpy", "PIL", "pycocotools"}
    code = f"import sys, datagen.web.datasets; print(*({heavy!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


# --------------------------------------------------------------------------------------- downloads


def test_a_download_unpacks_to_a_dataset_that_verify_finds_sound(client, tmp_path):
    answer = client.get(f"{API}/shapes/download")
    assert int(answer.headers["content-length"]) == len(answer.content)
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as tar:
        names = tar.getnames()
        assert {(m.mtime, m.uid, m.uname, m.mode) for m in tar} == {(0, 0, "", 0o644)}
        tar.extractall(tmp_path, filter="data")
    assert names[-1] == "shapes/_COMPLETE"  # what is cut off does not count as complete
    report = pipeline.verify(tmp_path / "shapes")
    assert (report.findings, report.images) == ((), 12)
    assert client.get(f"{API}/shapes/download").content == answer.content


def test_a_download_is_not_sent_twice_and_goes_on_where_it_broke_off(client):
    whole = client.get(f"{API}/shapes/download")
    tag, size = whole.headers["etag"], len(whole.content)
    known = client.get(f"{API}/shapes/download", headers={"If-None-Match": tag})
    assert (known.status_code, known.content) == (304, b"")
    for start in (1, 511, 512, 1000, 100_000, size - 700, size - 1):
        headers = {"Range": f"bytes={start}-", "If-Range": tag}
        rest = client.get(f"{API}/shapes/download", headers=headers)
        assert rest.status_code == 206
        assert rest.headers["content-range"] == f"bytes {start}-{size - 1}/{size}"
        assert rest.content == whole.content[start:]
    beyond = client.get(f"{API}/shapes/download", headers={"Range": f"bytes={size}-"})
    is_problem(beyond, 416)
    assert beyond.headers["content-range"] == f"bytes */{size}"
    other = {"Range": "bytes=5-", "If-Range": '"of another dataset"'}
    assert client.get(f"{API}/shapes/download", headers=other).status_code == 200


def test_webdataset_has_each_image_with_its_record_scene_and_passes(client):
    answer = client.get(f"{API}/shapes/download", params={"format": "webdataset"})
    samples: dict[str, dict[str, bytes]] = {}
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as tar:
        for member in tar:
            key, _, ending = member.name.partition(".")
            if key not in samples:
                samples[key] = {}
            assert key == list(samples)[-1]  # files of one sample follow one another
            samples[key][ending] = tar.extractfile(member).read()
    assert list(samples) == [f"{index:08d}" for index in range(12)]
    records = list(store.records(client.folder, store.shards_of(12, 4)))
    for index, sample in enumerate(samples.values()):
        endings = {"png", "json", "scene.json", "instance.png", "class.png", "depth.npy"}
        assert set(sample) == endings
        assert json.loads(sample["json"]) == records[index]
        assert json.loads(sample["scene.json"])["index"] == index
        assert sample["png"] == (client.folder / records[index]["image"]["file_name"]).read_bytes()


@pytest.mark.parametrize("format", ["tar", "webdataset"])
def test_a_download_breaks_off_at_a_broken_file(client, copied, format, caplog):
    name, folder = copied
    with (folder / SHARD / "00000006.png").open("ab") as file:
        file.write(b"more")
    cut = client.get(f"{API}/{name}/download", params={"format": format})
    whole = client.get(f"{API}/shapes/download", params={"format": format}).content
    assert (
        len(cut.content)
        < len(whole)
        == int(whole and cut.headers.get("content-length", len(whole)))
    )
    assert f"{SHARD}/00000006.png" in caplog.text
    with pytest.raises(tarfile.ReadError), tarfile.open(fileobj=io.BytesIO(cut.content)) as tar:
        tar.extractall(folder / "out", filter="data")


def test_a_format_that_is_none_is_refused(client):
    is_problem(client.get(f"{API}/shapes/download", params={"format": "zip"}), 422, "format")


# ---------------------------------------------------------------------------- verify and removal


def test_verify_says_what_is_broken_and_no_path_of_the_server(client, copied):
    name, folder = copied
    assert client.post(f"{API}/shapes/verify").json() == {"sound": True, "findings": []}
    (folder / SHARD / "00000005.png").unlink()
    verdict = client.post(f"{API}/{name}/verify").json()
    assert not verdict["sound"]
    assert any(f"{SHARD}/00000005.png is missing" in one["text"] for one in verdict["findings"])
    (folder / "_COMPLETE").unlink()
    (folder / "recipe.json").write_text("{")
    verdict = client.post(f"{API}/{name}/verify").json()
    assert not verdict["sound"]
    assert str(folder.parent) not in json.dumps(verdict)
    is_problem(client.post(f"{API}/nothing/verify"), 404)


def test_one_dataset_is_verified_at_a_time(client):
    turn = client.app.state.service.turn("verify")
    asyncio.run(turn.acquire())
    try:
        answer = client.post(f"{API}/shapes/verify")
    finally:
        turn.release()
    is_problem(answer, 429, "again")
    assert answer.headers["retry-after"] == "30"


def test_a_removed_dataset_is_gone_with_all_that_was_left_of_others(client, copied):
    name, folder = copied
    left = folder.with_name(".gone-before")
    (left / "shards").mkdir(parents=True)
    assert client.delete(f"{API}/{name}").status_code == 204
    assert not folder.exists()
    assert [path.name for path in folder.parent.iterdir()] == ["shapes"]
    is_problem(client.delete(f"{API}/{name}"), 404)


def test_a_dataset_that_is_being_made_is_not_removed(client, copied):
    name, folder = copied
    jobs = client.app.state.service.jobs
    job = jobs.make("generate", {"out": quoted(folder)}, None)
    is_problem(client.delete(f"{API}/{name}"), 409, job.id, "cancel")
    job.cancel()
    with locked(folder):
        is_problem(client.delete(f"{API}/{name}"), 409, "writing")
    assert folder.is_dir()
    assert client.delete(f"{API}/{name}").status_code == 204
