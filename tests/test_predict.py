"""`datagen predict`: what a model finds in photos, as COCO labels that others and we can read."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from balls import GNM, RELATE, WORLD, pictures, write_learner, write_photos
from PIL import Image

from datagen.audit import audit_coco
from datagen.detecting.predicting import predict
from datagen.language import parse
from datagen.learning.gnm.training import GnmTrainee
from datagen.learning.gnm.weights import save_gnm_model
from datagen.learning.relate.training import RelateTrainee
from datagen.learning.relate.weights import save_relate_model
from datagen.reading import read
from datagen.recipe import load

pytestmark = pytest.mark.usefixtures("one_thread")

SEED = 4  # finds four to seven things in each picture, by what is in it
TRAINEES = {
    "gnm": (GNM, GnmTrainee, save_gnm_model),
    "relate": (RELATE, RelateTrainee, save_relate_model),
}


def write_run(folder: Path, method: str) -> Path:
    """What a run of `learn` leaves, of networks that have learned nothing.

    Such a GNM finds one thing or another in any picture, the same ones in the same pixels.
    """
    parts, trainee, save = TRAINEES[method]
    recipe = load(write_learner(folder / "recipe", parts))
    run = folder / f"run-{method}"
    run.mkdir()
    settings = getattr(recipe.learn, method)
    save(run / f"{method}.safetensors", trainee(pictures(8), settings, SEED), parse(WORLD))
    taught = recipe.with_weights({method: run / f"{method}.safetensors"}).encode()
    taught["generator"]["weights"]["source"] = f"{method}.safetensors"
    (run / "recipe.json").write_text(json.dumps(taught))
    return run


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("predict")
    write_photos(folder / "photos", 6)
    return folder


@pytest.fixture(scope="module")
def run(place) -> Path:
    return write_run(place, "gnm")


@pytest.fixture(scope="module")
def labels(place, run) -> dict:
    """Of the photos as they are; read-only."""
    predict(run, place / "photos", place / "labels.json")
    return json.loads((place / "labels.json").read_text())


def labels_of(run, folder, out, **options):
    predict(run, folder, out, **options)
    return json.loads(out.read_text())


def boxes_by_name(data):
    """File name -> boxes [N, 4] and scores [N]."""
    names = {one["id"]: one["file_name"] for one in data["images"]}
    found = {name: [] for name in names.values()}
    for one in data["annotations"]:
        found[names[one["image_id"]]].append([*one["bbox"], one["score"]])
    return {name: np.array(rows).reshape(-1, 5) for name, rows in found.items()}


# ------------------------------------------------------------------------------------- the file


def test_labels_are_coco_as_labelling_tools_read_it(place, labels):
    """CVAT asks for `licenses`, `segmentation` and `iscrowd`; Label Studio reads no run lengths."""
    assert list(labels) == ["info", "licenses", "categories", "images", "annotations"]
    assert labels["categories"] == [{"id": 1, "name": "ball", "supercategory": ""}]
    sides = {(one["width"], one["height"]) for one in labels["images"]}
    assert sides == {(32, 32)}
    assert [one["file_name"] for one in labels["images"]] == [f"{k:04d}.png" for k in range(6)]
    assert len(labels["annotations"]) >= 6
    for k, one in enumerate(labels["annotations"], 1):
        assert (one["id"], one["category_id"], one["iscrowd"]) == (k, 1, 0)
        assert 0.5 <= one["score"] <= 1
        assert one["segmentation"] and all(len(ring) >= 6 for ring in one["segmentation"])
        x, y, width, height = one["bbox"]
        assert 0 <= x < x + width <= 32 and 0 <= y < y + height <= 32
    assert "checked by nobody" in labels["info"]["description"]
    assert audit_coco(place / "labels.json") == []


def test_the_surest_come_first_and_what_is_less_sure_can_be_left_out(place, run, labels, tmp_path):
    for rows in boxes_by_name(labels).values():
        assert (np.diff(rows[:, 4]) <= 0).all()
    scores = sorted(one["score"] for one in labels["annotations"])
    least = scores[len(scores) // 2]
    fewer = labels_of(run, place / "photos", tmp_path / "l.json", least_score=least)
    assert len(fewer["images"]) == 6
    kept = [one for one in labels["annotations"] if one["score"] >= least]
    assert 0 < len(kept) < len(scores)
    assert [one["bbox"] for one in fewer["annotations"]] == [one["bbox"] for one in kept]


def test_boxes_alone_have_an_empty_outline_and_their_own_area(place, run, labels, tmp_path):
    plain = labels_of(run, place / "photos", tmp_path / "l.json", masks=False)
    assert [one["bbox"] for one in plain["annotations"]] == [
        one["bbox"] for one in labels["annotations"]
    ]
    for one in plain["annotations"]:
        assert one["segmentation"] == [] and one["area"] == one["bbox"][2] * one["bbox"][3]


def test_labels_are_the_same_bytes_again_and_of_one_photo_whatever_is_beside_it(
    place, run, labels, tmp_path
):
    again = tmp_path / "again.json"
    predict(run, place / "photos", again)
    assert again.read_bytes() == (place / "labels.json").read_bytes()
    (tmp_path / "one").mkdir()
    shutil.copy(place / "photos/0003.png", tmp_path / "one")
    alone = boxes_by_name(labels_of(run, tmp_path / "one", tmp_path / "one.json"))
    assert np.array_equal(alone["0003.png"], boxes_by_name(labels)["0003.png"])


# ------------------------------------------------------------------------------ the photo's pixels


@pytest.mark.parametrize(
    ("left", "right", "top", "bottom"), [(0, 0, 0, 0), (31, 32, 0, 0), (0, 0, 40, 40)]
)
def test_boxes_are_in_the_pixels_of_photos_larger_than_the_canvas(
    place, run, labels, tmp_path, left, right, top, bottom
):
    """What the model sees of them is the same, to the last pixel: cut to the middle, and shrunk."""
    folder = tmp_path / "large"
    folder.mkdir()
    for k, small in enumerate(pictures(6)):
        large = small.repeat(5, 0).repeat(5, 1)
        around = ((top, bottom), (left, right), (0, 0))
        Image.fromarray(np.pad(large, around, constant_values=255)).save(folder / f"{k:04d}.png")
    data = labels_of(run, folder, tmp_path / "l.json")
    side = {"width": 160 + left + right, "height": 160 + top + bottom}
    assert all(one | side == one for one in data["images"])
    assert audit_coco(tmp_path / "l.json") == []
    for name, small in boxes_by_name(labels).items():
        large = boxes_by_name(data)[name]
        assert np.array_equal(small[:, 4], large[:, 4])
        moved = (large[:, :4] - [left, top, 0, 0]) / 5
        assert np.abs(_corners(moved) - _corners(small)).max(initial=0) <= 1
        assert (large[:, 0] >= left).all() and (large[:, 0] + large[:, 2] <= left + 160).all()
        assert (large[:, 1] >= top).all() and (large[:, 1] + large[:, 3] <= top + 160).all()


def _corners(boxes):
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:4]], 1)


def test_a_photo_that_lies_on_its_side_is_labelled_upright(run, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    upright = Image.fromarray(np.pad(pictures(1)[0], ((0, 8), (0, 0), (0, 0))))  # 32 x 40
    turn = Image.Exif()
    turn[0x0112] = 6
    upright.save(folder / "a.png")
    upright.transpose(Image.Transpose.ROTATE_90).save(folder / "b.png", exif=turn)
    data = labels_of(run, folder, tmp_path / "l.json")
    assert [(one["width"], one["height"]) for one in data["images"]] == [(32, 40)] * 2
    found = boxes_by_name(data)
    assert len(found["a.png"]) and np.array_equal(found["a.png"], found["b.png"])


# ---------------------------------------------------------------------------------- and then


def write_truth(photos: Path, folder: Path, labels: dict) -> Path:
    """The photos with labels that say what `labels` do, under other ids, and one more category."""
    shutil.copytree(photos, folder)
    images = [one | {"id": 100 - one["id"]} for one in labels["images"]]
    things = [
        {k: v for k, v in one.items() if k != "score"} | {"image_id": 100 - one["image_id"]}
        for one in labels["annotations"]
    ]
    for one in things:
        one["category_id"] = 7
    categories = [{"id": 3, "name": "box"}, {"id": 7, "name": "ball"}]
    data = {"images": images, "annotations": things, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(data))
    return folder


def test_evaluate_takes_the_file_as_it_is(cli, place, labels, tmp_path):
    """By names of pictures and categories: ids are each file's own."""
    truth = write_truth(place / "photos", tmp_path / "truth", labels)
    done = cli("evaluate", place / "labels.json", truth, "--out", tmp_path / "e", "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["things"] == report["detections"] == len(labels["annotations"])
    assert report["bbox"]["AP"] == report["segm"]["AP"] == pytest.approx(1)
    assert report["only_labelled"] == ["box"]


def test_it_can_be_trained_on_once_it_lies_beside_its_photos(place, labels, tmp_path):
    folder = shutil.copytree(place / "photos", tmp_path / "p")
    shutil.copy(place / "labels.json", folder)
    labelled = read(folder)
    assert labelled.masks and labelled.rejected == ()
    assert sum(len(one.things) for one in labelled.pictures) == len(labels["annotations"])


def test_a_detector_finds_what_evaluate_says_that_it_finds(cli, trained_run, squares, tmp_path):
    file = tmp_path / "found.json"
    done = cli("predict", trained_run, squares, "--out", file)
    assert done.code == 0, done.err
    assert done.out.strip() == str(file)
    assert "in 12 photos: 12 square; in 0 of them nothing" in done.err
    assert "left out: 1 (the first: annotations.json: not a PNG" in done.err
    reports = []
    for source in (trained_run, file):
        out = tmp_path / f"e{len(reports)}"
        done = cli("evaluate", source, squares, "--out", out, "--json")
        assert done.code == 0, done.err
        reports.append(json.loads(done.out))
    assert reports[0]["bbox"] == reports[1]["bbox"]
    assert reports[0]["segm"] == reports[1]["segm"]
    alone = cli("predict", trained_run / "model.safetensors", squares, "--out", tmp_path / "w.json")
    assert alone.code == 0, alone.err


def test_the_photos_may_be_a_dataset_of_ours(cli, run, tmp_path, write_recipe):
    made = tmp_path / "d"
    assert cli("generate", write_recipe(), "--out", made).code == 0
    done = cli("predict", run, made, "--out", tmp_path / "l.json", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["left_out"] == []
    names = [one["file_name"] for one in json.loads((tmp_path / "l.json").read_text())["images"]]
    assert names == [one.name for one in read(made).pictures]


# ------------------------------------------------------------------------------------- mistakes


def test_labels_that_are_there_are_never_overwritten(cli, place, run, tmp_path):
    mine = tmp_path / "mine.json"
    mine.write_text("corrected by hand")
    args = "predict", run, place / "photos", "--out"
    cli(*args, mine).refused(2, "mine.json: is there already", "name a new file")
    assert mine.read_text() == "corrected by hand"
    cli(*args, tmp_path / "labels").refused(2, "end its name in .json")
    cli(*args, tmp_path / "no/labels.json").refused(2, f"there is no folder {tmp_path / 'no'}")


def test_a_run_that_finds_nothing_is_refused_by_what_it_is(cli, place, run, tmp_path, write_recipe):
    out = "--out", tmp_path / "l.json"

    def refused(given, *words):
        cli("predict", given, place / "photos", *out).refused(2, *words)

    relate = write_run(tmp_path, "relate")
    remedy = "a run of `learn` that has learned `gnm`"
    refused(relate, "`relate` makes pictures, and finds nothing in any", remedy)
    refused(tmp_path / "nowhere", "is not there", remedy)
    refused(place / "photos", "no run of `train`")
    assert cli("generate", write_recipe(), "--out", tmp_path / "d").code == 0
    refused(tmp_path / "d", "`prior` makes pictures, and finds nothing in any", remedy)
    changed = shutil.copytree(run, tmp_path / "changed")
    (changed / "gnm.safetensors").write_bytes((relate / "relate.safetensors").read_bytes())
    refused(changed, "generator.weights")
    assert not (tmp_path / "l.json").exists()
    done = cli("evaluate", run, place / "photos", "--out", tmp_path / "e")
    done.refused(2, "is a run of `learn`, no detector", "`datagen predict`")


def test_photos_that_are_none_are_refused_and_a_broken_one_is_told(cli, place, run, tmp_path):
    out = tmp_path / "l.json"
    cli("predict", run, tmp_path / "no", "--out", out).refused(2, "is not there", "holds photos")
    empty = tmp_path / "empty"
    empty.mkdir()
    cli("predict", run, empty, "--out", out).refused(2, "holds no photo", "give a folder of PNG")
    (empty / "notes.txt").write_text("none")
    cli("predict", run, empty, "--out", out).refused(2, "'notes.txt': not a PNG")
    cut = (place / "photos/0000.png").read_bytes()[:-60]
    (empty / "cut.png").write_bytes(cut)
    cli("predict", run, empty, "--out", out).refused(2, "no photo can be decoded", "cut.png")
    assert not out.exists()
    shutil.copy(place / "photos/0001.png", empty)
    (empty / "odd\n.png").write_bytes((place / "photos/0001.png").read_bytes())
    done = cli("predict", run, empty, "--out", out, "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["photos"] == 1
    assert [name for name, _ in report["left_out"]] == ["cut.png", "notes.txt", "odd\n.png"]
    assert "left out: 3 (the first: cut.png: cannot be decoded" in done.err
