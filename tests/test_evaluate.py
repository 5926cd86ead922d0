"""`datagen evaluate` from outside: what it writes, what it says, what it refuses."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file
from test_gallery import NASTY, Page, assert_strict

from datagen import cli as command_line
from datagen.comparing.world import grammar_of
from datagen.detecting import evaluation
from datagen.detecting.evaluation import Request, evaluate
from datagen.detecting.material import in_its_categories
from datagen.detecting.misses import worst_pictures
from datagen.detecting.origins import origins_of
from datagen.detecting.sides import aligned
from datagen.detecting.spec import Spec
from datagen.detecting.work import as_json
from datagen.labelled import Detections, Labelled, Picture, Thing
from datagen.reading import read
from datagen.report.evaluation import summary, worst_slices
from datagen.scoring.given import Given, read_detections
from datagen.scoring.matching import match
from datagen.settings.train import Train

WORLD = """
    world small
    canvas 64 x 48
    start Scene
    Scene -> ground Side * uniform_int(2, 4)
    Side -> car tree [0.5] | car [0.5]
    ground { draw: ground }
    car  { draw: car  category: "car"  x: uniform(4, 60) px  y: uniform(4, 44) px
           yaw: normal(0, 90) deg  length: 14 px  width: 8 px  colour: choice(white 1, navy 1) }
    tree { draw: tree  category: "tree"  x: uniform(4, 60) px  y: uniform(4, 44) px
           size: uniform(6, 9) px  exemplar: uniform(0, 1) }
"""


@dataclass(frozen=True)
class Made:
    dataset: Path
    detections: Path  # every car exactly, no tree, and one false car a picture


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Made:
    root = tmp_path_factory.mktemp("evaluate")
    (root / "small.scene").write_text(dedent(WORLD))
    (root / "small.toml").write_text('grammar = "small.scene"\ncount = 30\n')
    dataset = root / "dataset"
    assert (
        command_line.main(["--quiet", "generate", f"{root}/small.toml", "--out", f"{dataset}"]) == 0
    )
    return Made(dataset, write_detections(root / "detections.json", dataset))


def write_detections(path: Path, dataset: Path, names=("tree", "car")) -> Path:
    labelled, rows = read(dataset), []
    for picture in labelled.pictures:
        cars = [t for t in picture.things if labelled.categories[t.category].lower() == "car"]
        boxes = [list(t.box) for t in cars] + [[0, 0, 3, 3]]
        scores = [0.9] * len(cars) + [0.3]
        arrays = np.array(boxes, np.float32), np.array(scores, np.float32)
        rows.append(as_json(picture.name, Detections(*arrays, np.ones(len(boxes), np.int32))))
    path.write_text(json.dumps({"categories": list(names), "pictures": rows}))
    return path


@pytest.fixture(scope="module")
def report(made, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("report") / "r"
    evaluate(Request(made.detections, made.dataset), out)
    return out


def data(out: Path) -> dict:
    return json.loads((out / "report.json").read_text())


# ------------------------------------------------------------------------------- what it says


def test_the_report_holds_what_was_found_in_what(report, made):
    found = data(report)
    assert found["format"] == "datagen-evaluation-1"
    assert (found["run"], found["dataset"]) == (str(made.detections), str(made.dataset))
    assert (found["pictures"], found["trained_on"]) == (30, None)
    assert found["categories"] == ["tree", "car"]
    assert found["bbox"]["per_category"]["car"]["AP50"] == pytest.approx(1)
    assert found["bbox"]["per_category"]["tree"]["AP50"] == 0
    assert found["segm"] is None  # the detections have no masks
    assert found["threshold"] == pytest.approx(0.9)
    assert found["kitti"] is None  # nothing is as high as KITTI asks
    assert np.array(found["confusion"]).shape == (3, 3)
    assert sum(map(sum, found["confusion"][:2])) == found["things"]


def test_slices_have_the_keys_that_others_read(report):
    parts = data(report)["slices"]
    for one in parts:
        assert {"factor", "label", "low", "high", "things", "AP50", "recall"} <= one.keys()
        assert one["things"] > 0
    recalls = {one["label"]: one["recall"] for one in parts if one["factor"] == "symbol"}
    assert recalls == {"car": 1, "tree": 0}
    rules = {one["label"] for one in parts if one["factor"] == "rule"}
    assert rules == {"Side -> car tree", "Side -> car"}


def test_the_labels_of_a_dataset_are_evaluated_as_its_folder_is(made, report, tmp_path):
    file = made.dataset / "annotations.json"
    assert evaluate(Request(made.detections, file), tmp_path) == data(report) | {
        "dataset": str(file)
    }


def test_labels_of_a_dataset_that_is_not_finished_tell_no_symbol(made, tmp_path):
    dataset = shutil.copytree(made.dataset, tmp_path / "dataset")
    (dataset / "_COMPLETE").unlink()
    found = evaluate(Request(made.detections, dataset / "annotations.json"), tmp_path / "e")
    assert found["slices"]
    assert not {"symbol", "under", "rule"} & {one["factor"] for one in found["slices"]}


def test_names_that_are_no_text_are_shown_as_escapes(made, tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    shutil.copytree(made.dataset, folder)
    file = folder / "annotations.json"
    labels = json.loads(file.read_text())
    odd = {"id": "\ud800", "bbox": [-9, -9, 3, 3], "segmentation": None}
    cut = {"id": "\ud801", "segmentation": {"size": "\ud802", "counts": "0"}}
    first = labels["annotations"][0]
    labels["annotations"] += [first | odd, first | cut]
    file.write_text(json.dumps(labels))
    evaluate(Request(made.detections, file), tmp_path / "e")
    found = data(tmp_path / "e")
    assert found["dataset"] == f"{tmp_path}/\\xff/annotations.json"
    assert ["\\ud800" in where for where, _ in found["left_out"]] == [True, False]
    assert "\\ud802" in found["left_out"][1][1]


def test_the_page_is_strict_and_the_sheets_are_there(report):
    page = Page(report / "report.html")
    assert_strict(page)
    assert {path.name for path in report.glob("*.png")} == {
        "worst.png",
        "misses.png",
        "alarms.png",
    }
    assert len(page.all("img")) == 3
    assert len(page.all("svg")) > 3


@pytest.mark.parametrize(("threshold", "false"), [(0.5, 0), (0.2, 1)])
def test_the_pictures_with_the_most_errors_come_first(made, threshold, false):
    """Every tree is missed, and a car of score 0.3 is in every picture where there is none."""
    labelled = read(made.dataset)
    sides = aligned(labelled, read_detections(made.detections, labelled), None, {})
    worst = worst_pictures(sides, match(sides.truth, sides.found), threshold)
    trees = [
        {t.box for t in picture.things if labelled.categories[t.category] == "tree"}
        for picture in labelled.pictures
    ]
    most = sorted((len(boxes) for boxes in trees), reverse=True)[:6]
    assert most[0] > most[-1] > 0
    assert [crop.caption for crop in worst] == [f"{n} missed, {false} false" for n in most]
    for crop in worst:
        assert set(crop.thick) - {(0, 0, 3, 3)} in trees
        assert ((0, 0, 3, 3) in crop.thick) == ((0, 0, 3, 3) in crop.detections) == bool(false)


def test_a_detector_that_makes_no_errors_has_no_worst_pictures(made):
    labelled = read(made.dataset)
    every = tuple(
        Detections(
            np.array([t.box for t in p.things], np.float32).reshape(-1, 4),
            np.ones(len(p.things), np.float32),
            np.array([t.category for t in p.things], np.int32),
        )
        for p in labelled.pictures
    )
    sides = aligned(labelled, Given(labelled.categories, every), None, {})
    assert worst_pictures(sides, match(sides.truth, sides.found), 0.5) == []


def test_the_command_says_how_good_and_where_it_is_worst(cli, made, tmp_path):
    done = cli("evaluate", made.detections, made.dataset, "--out", tmp_path / "e")
    assert done.code == 0, done.err
    assert "AP50 of boxes 50.0 %" in done.err
    assert "by the grammar's symbol, tree (0 % of" in done.err
    assert done.out.strip() == str(tmp_path / "e" / "report.html")


def test_both_backends_write_the_same_report_but_for_their_name(made, report, tmp_path):
    other = evaluate(Request(made.detections, made.dataset, backend="faster-coco-eval"), tmp_path)
    assert other == {**data(report), "backend": "faster-coco-eval"}


def test_origins_name_the_symbol_that_drew_each_thing(made):
    labelled = read(made.dataset)
    origins, rules = origins_of(labelled)
    symbols = grammar_of(made.dataset).symbols
    seen = 0
    for picture, paths in zip(labelled.pictures, origins, strict=True):
        assert len(paths) == len(picture.things), "only things are remembered"
        for thing in picture.things:
            origin = paths[str(thing.facts["path"])]
            assert symbols[origin.symbol].category == labelled.categories[thing.category]
            assert origin.above == {"Scene", "Side"}
            assert len(origin.rules & rules.keys()) == 1
            seen += 1
    assert seen > 50


def test_the_worst_slices_are_large_and_of_different_factors():
    parts = [
        {"factor": "a", "label": "1", "things": 40, "recall": 0.2},
        {"factor": "a", "label": "2", "things": 40, "recall": 0.1},
        {"factor": "b", "label": "3", "things": 3, "recall": 0.0},
        {"factor": "c", "label": "4", "things": 60, "recall": 0.5},
        {"factor": "d", "label": "5", "things": 90, "recall": 0.0},
    ]
    assert [one["label"] for one in worst_slices(parts, 100)] == ["2", "4"]


# ----------------------------------------------------------------------- datasets of others


def coco_set(folder: Path) -> Path:
    """An empty picture, a crowd, a thing of one pixel, a category that nothing has."""
    folder.mkdir()
    for k in range(3):
        Image.new("RGB", (60, 40), (90, 90, 40 * k)).save(folder / f"{k}.png")
    images = [{"id": 10 + k, "file_name": f"{k}.png", "width": 60, "height": 40} for k in range(3)]
    names = ["car", "tree", NASTY]

    def label(number, image, category, box, **more):
        area = box[2] * box[3]
        row = {"id": number, "image_id": image, "category_id": category, "bbox": box, "area": area}
        return {**row, "iscrowd": 0, **more}

    crowd = {"size": [40, 60], "counts": [1200, 400, 800]}
    annotations = [
        label(1, 10, 1, [5, 5, 20, 20]),
        label(2, 10, 2, [59, 39, 1, 1]),
        label(3, 12, 1, [30, 0, 10, 40], iscrowd=1, segmentation=crowd),
    ]
    categories = [{"id": k, "name": name} for k, name in enumerate(names, 1)]
    labels = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(labels))
    return folder


def results(path: Path) -> Path:
    rows = [
        (10, 1, [5, 5, 20, 20], 0.9),
        (10, 2, [59, 39, 1, 1], 0.8),
        (12, 1, [31, 5, 5, 5], 0.95),
    ]
    names = ("image_id", "category_id", "bbox", "score")
    path.write_text(json.dumps([dict(zip(names, row, strict=True)) for row in rows]))
    return path


@pytest.mark.parametrize("backend", ["pycocotools", "faster-coco-eval"])
def test_odd_datasets_are_scored_without_a_warning(cli, tmp_path, backend):
    given = results(tmp_path / "results.json"), coco_set(tmp_path / "set")
    done = cli("evaluate", *given, "--out", tmp_path / "e", "--backend", backend, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["bbox"]["AP50"] == pytest.approx(1)
    assert found["bbox"]["per_category"][NASTY] == {"AP": None, "AP50": None}
    assert (found["things"], found["ignored"]) == (2, 1)
    assert f"No thing of these categories counts here: {NASTY}." in done.err
    assert_strict(Page(tmp_path / "e" / "report.html"))


@pytest.mark.parametrize("place", ["instances_val.json", "annotations/instances_val.json"])
def test_results_are_explained_by_a_coco_file_of_any_name(tmp_path, place):
    folder = coco_set(tmp_path / "set")
    (folder / place).parent.mkdir(exist_ok=True)
    (folder / "annotations.json").rename(folder / place)
    given = results(tmp_path / "results.json")
    by_folder = evaluate(Request(given, folder), tmp_path / "a")
    by_file = evaluate(Request(given, folder / place), tmp_path / "b")
    assert by_folder["bbox"] == by_file["bbox"]
    assert by_folder["bbox"]["AP50"] == pytest.approx(1)


def test_categories_are_brought_together_by_name_and_merged_as_asked(tmp_path):
    folder = coco_set(tmp_path / "set")
    text = (folder / "annotations.json").read_text().replace('"car"', '"Car"')
    (folder / "annotations.json").write_text(text)
    given = write_detections(tmp_path / "d.json", folder, names=("bush", "car"))
    found = evaluate(Request(given, folder), tmp_path / "a")
    assert found["categories"] == ["car"]
    assert (found["only_labelled"], found["only_found"]) == (["tree", NASTY], ["bush"])
    assert f"Labelled, but unknown to the detector, and so background: tree, {NASTY}." in summary(
        found
    )
    merged = evaluate(Request(given, folder, merge={"tree": "bush"}), tmp_path / "b")
    assert merged["categories"] == ["bush", "car"]
    assert merged["only_labelled"] == [NASTY]


def test_names_that_differ_in_case_alone_are_two_and_ids_may_be_text(tmp_path):
    folder = coco_set(tmp_path / "set")
    said = json.loads((folder / "annotations.json").read_text())
    names = [one["name"] for one in said["categories"]]
    said["categories"][names.index("tree")]["name"] = "Car"
    for one in said["images"]:
        one["id"] = f"a{one['id']}"
    for one in said["annotations"]:
        one["image_id"] = f"a{one['image_id']}"
    (folder / "annotations.json").write_text(json.dumps(said))
    given = write_detections(tmp_path / "d.json", folder, names=("Car", "car"))
    found = evaluate(Request(given, folder), tmp_path / "e")
    assert found["categories"] == ["Car", "car"]
    assert (found["only_labelled"], found["only_found"]) == ([NASTY], [])


@pytest.mark.parametrize(
    ("categories", "ignored", "names", "expected"),
    [
        # As in the training: what it ignored is ignored, though a category takes it up, too.
        ({"vehicle": ("car", "van")}, ("van",), ("vehicle",), {"vehicle": ["car"]}),
        # Its names for the labels come before the detector's own.
        ({"car": ("van",), "bus": ("car",)}, (), ("car", "bus"), {"car": ["van"], "bus": ["car"]}),
        ({}, ("van",), ("car",), {"car": ["car"]}),
        ({}, ("VAN",), ("car",), {"car": ["car"]}),
    ],
)
def test_the_labels_are_taken_as_in_the_training(categories, ignored, names, expected):
    kinds = ("car", "van")
    things = tuple(Thing(k, (0, 0, 9, 9), 81.0) for k in range(2))
    picture = Picture("0.png", Path("0.png"), 20, 20, things)
    labelled = Labelled(Path("set"), "coco", kinds, (picture,), False)
    settings = Train(categories=categories, ignored=ignored)
    nothing = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int32))
    sides = aligned(labelled, Given(names, (nothing,)), settings, {})
    made: dict[str, list[str]] = {}
    for old, new in zip(things, sides.truth.pictures[0].things, strict=True):
        if not new.ignored:
            made.setdefault(sides.truth.categories[new.category], []).append(kinds[old.category])
    assert made == expected
    trained = in_its_categories(labelled, settings).pictures[0].things
    assert [t.ignored for t in trained] == [t.ignored for t in sides.truth.pictures[0].things]


def test_a_runs_settings_are_those_of_the_truth_too(made, tmp_path, monkeypatch):
    """The taxonomy and what is too small to count are the training's."""
    run = tmp_path / "run"
    run.mkdir()
    settings = Train(categories={"thing": ("car",)}, ignored=("tree",), min_pixels=1000)
    spec = Spec(settings, "digest", None, "0")
    (run / "meta.json").write_text(json.dumps(spec.to_json()))
    (run / "train.json").write_text('{"pictures": 77}')
    header = {"format": "datagen-detector-1", "use": "mask_rcnn", "categories": ["x", "thing"]}
    save_file({"x": np.zeros(1)}, run / "model.safetensors", {"datagen": json.dumps(header)})
    given = write_detections(tmp_path / "d.json", made.dataset, names=("x", "thing"))

    def looked_at(source, labelled, out, *_):
        (out / "pictures.json").write_text('{"dataset": "digest"}')
        return given

    monkeypatch.setattr(evaluation, "detect", looked_at)
    found = evaluate(Request(run, made.dataset), tmp_path / "e")
    assert found["trained_on"] == 77
    assert found["seen"] == "learned from"
    assert any("learned from these very pictures" in text for text in summary(found))
    assert found["categories"] == ["thing"]
    assert (found["things"], found["only_labelled"]) == (0, [])
    assert found["bbox"]["AP"] is None


def kitti_set(folder: Path) -> Path:
    for name in ("image_2", "label_2"):
        (folder / "training" / name).mkdir(parents=True)
    Image.new("RGB", (200, 120)).save(folder / "training/image_2/000000.png")
    rest = "-1 -1 -1 -1 -1 -1 -1"
    lines = (
        f"Car 0.00 0 0 10 10 60 70 {rest}\nVan 0.00 0 0 100 10 150 70 {rest}\n"
        f"DontCare -1 -1 -10 0 80 50 110 {rest}\n"
    )
    (folder / "training/label_2/000000.txt").write_text(lines)
    return folder


def test_kittis_measure_is_there_where_occlusion_is_known(tmp_path):
    """A detection on the van is wrong to COCO and nothing to KITTI."""
    boxes = [[10, 10, 51, 61], [100, 10, 51, 61], [5, 85, 40, 20]]
    row = {"name": "image_2/000000.png", "boxes": boxes, "scores": [0.5, 0.9, 0.8]}
    row |= {"categories": [0, 0, 0], "masks": None}
    given = tmp_path / "d.json"
    given.write_text(json.dumps({"categories": ["car"], "pictures": [row]}))
    found = evaluate(Request(given, kitti_set(tmp_path / "kitti")), tmp_path / "e")
    assert found["kitti"] == {"car": {"easy": 1, "moderate": 1, "hard": 1}}
    assert found["bbox"]["AP50"] == pytest.approx(0.5)
    assert "van" in found["only_labelled"]


# ------------------------------------------------------------------------------ what it refuses


def test_what_cannot_be_evaluated_is_refused_in_one_line(cli, made, tmp_path):
    out = tmp_path / "e"
    plain = "evaluate", made.detections, made.dataset, "--out"
    cli("evaluate", tmp_path / "no.json", made.dataset, "--out", out).refused(2, "no.json")
    cli("evaluate", tmp_path / "no", made.dataset, "--out", tmp_path / "f").refused(2, "no")
    cli(*plain, made.dataset / "inside").refused(2, "inside")
    cli(*plain, tmp_path / "g", "--merge", "car").refused(2, "OLD=NEW")
    cli(*plain, tmp_path / "h", "--merge", "bus=car").refused(2, "no `bus`")
    lorry = write_detections(tmp_path / "l.json", made.dataset, names=("tree", "x"))
    strange = "evaluate", lorry, made.dataset, "--out", tmp_path / "i", "--merge", "car=lorry"
    cli(*strange).refused(2, "the detector knows no `lorry`")
    # A folder that was made for nothing can be named again.
    assert cli(*strange[:-2]).code == 0
    strange = write_detections(tmp_path / "s.json", made.dataset, names=("x", "y"))
    cli("evaluate", strange, made.dataset, "--out", tmp_path / "j").refused(
        2, "none of its", "--merge"
    )
    labels = made.dataset / "annotations.json"
    cli("evaluate", labels, made.dataset, "--out", tmp_path / "k").refused(
        2, "no detections", "detections.json of an evaluation"
    )
    assert not [folder for folder in "efghjk" if (tmp_path / folder).exists()]


def test_what_is_given_in_the_wrong_place_is_called_by_its_name(cli, made, report, tmp_path):
    out = tmp_path / "e"
    cli("evaluate", made.dataset, report, "--out", out).refused(2, "is a dataset, no run")
    mine = tmp_path / "of_a_detector"
    shutil.copytree(report, mine)
    shutil.copy(made.detections, mine / "detections.json")
    cli("evaluate", mine, made.dataset, "--out", out).refused(2, "its detections.json")
    again = "evaluate", made.detections, mine, "--out", out
    cli(*again).refused(2, "written by `datagen evaluate`", "name the labelled pictures")
    assert not out.exists()


def test_kittis_measure_that_was_asked_for_and_left_out_is_told(cli, made, tmp_path):
    done = cli(
        "evaluate", made.detections, made.dataset, "--out", tmp_path / "e", "--kitti-official"
    )
    assert "KITTI's measure was left out" in done.err


def test_slices_of_few_things_are_grey_and_shares_are_percent(report):
    page = (report / "report.html").read_text()
    few = [one for one in data(report)["slices"] if one["things"] < 30]
    assert few and page.count('<tr class="few">') == len(few)
    assert ">percent</text>" in page and ">100</text>" in page


def test_a_folder_that_is_in_use_is_left_alone_unless_resumed(cli, made, tmp_path):
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "mine.txt").write_text("mine")
    plain = "evaluate", made.detections, made.dataset, "--out", tmp_path / "e"
    cli(*plain).refused(2, "not empty", "--resume")
    assert cli(*plain, "--resume").code == 0
    assert (tmp_path / "e" / "mine.txt").read_text() == "mine"


def test_a_run_that_is_not_there_is_refused_before_anything_is_written(cli, tmp_path):
    done = cli("evaluate", tmp_path / "nothing", tmp_path, "--out", tmp_path / "out")
    done.refused(2, "nothing", "is not there; give a run of `train`")
    assert not (tmp_path / "out").exists()
