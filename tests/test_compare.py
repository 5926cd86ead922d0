"""`datagen compare` from outside: what it writes, what it says, what it refuses."""

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image
from structures import rng
from test_gallery import NASTY, Page, assert_strict

from datagen import cli as command_line
from datagen import recipe as recipes
from datagen.comparing.extractors import chosen
from datagen.comparing.job import Request, compare
from datagen.comparing.labels import common, labels_of_coco, labels_of_dataset
from datagen.comparing.sides import LONGEST, load_side, picture_size
from datagen.dataset.targets import first_size
from datagen.errors import InputError
from datagen.features.counts import save_counts
from datagen.learning.album.counting import count_heads_of, counting_net
from datagen.learning.gap.distances import SCALES
from datagen.learning.gap.measure import REPLICATES, ROWS
from datagen.report.comparison import SHORT, write_comparison

WORLD = """
    world small
    canvas 48 x 32
    start Scene
    Scene -> ground car * uniform_int({cars}) tree * uniform_int(0, 2)
    ground {{ draw: ground }}
    car  {{ draw: car  category: "car"  x: uniform(0, 1) width  y: uniform(0, 1) height
           yaw: normal({yaw}, 5) deg  length: 9 px  width: 5 px  colour: choice({colours}) }}
    tree {{ draw: tree  category: "tree"  x: uniform(0, 1) width  y: uniform(0, 1) height
           size: uniform(5, 7) px  exemplar: uniform(0, 1) }}
"""
QUIET = {"cars": "0, 2", "yaw": "0", "colours": "white 1, navy 1"}
BUSY = {"cars": "3, 6", "yaw": "178", "colours": "white 1, crimson 3"}


@dataclass(frozen=True)
class Folders:
    quiet: Path
    busy: Path
    twin: Path  # of the law of busy
    photos: Path  # the pictures of busy without labels
    run: Path  # with a counting network that nobody has trained


def dataset(folder: Path, name: str, world: dict[str, str], seed: int) -> Path:
    (folder / f"{name}.scene").write_text(dedent(WORLD.format(**world)))
    recipe = f'grammar = "{name}.scene"\ncount = 40\nseed = {seed}\npasses = ["class"]\n'
    (folder / f"{name}.toml").write_text(recipe)
    made = ["--quiet", "generate", str(folder / f"{name}.toml"), "--out", str(folder / name)]
    assert command_line.main(made) == 0
    return folder / name


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Folders:
    root = tmp_path_factory.mktemp("compare")
    quiet = dataset(root, "quiet", QUIET, 1)
    busy, twin = dataset(root, "busy", BUSY, 2), dataset(root, "twin", BUSY, 3)
    photos = root / "photos"
    photos.mkdir()
    for path in busy.glob("shards/*/0*[0-9].png"):
        shutil.copy(path, photos)
    (photos / "notes.txt").write_text("no picture")
    run = root / "run"
    run.mkdir()
    recipe = recipes.load(root / "quiet.toml", ["learn.features.width=4"])
    heads = count_heads_of(recipe)
    save_counts(run / "features.safetensors", heads, counting_net(recipe, heads))
    (run / "recipe.json").write_text(json.dumps(recipe.encode()))
    return Folders(quiet, busy, twin, photos, run)


@pytest.fixture(scope="module")
def report(folders, tmp_path_factory) -> Path:
    """Three sets against the pictures and labels of one; read-only for the tests."""
    out = tmp_path_factory.mktemp("report") / "r"
    sets = {"prior": folders.quiet, "generated": folders.twin, "copy": folders.busy}
    compare(Request(sets, folders.busy, images=30), out)
    return out


def data(out: Path) -> dict:
    return json.loads((out / "report.json").read_text())


def marginal(report: dict, name: str) -> dict:
    (found,) = [one for one in report["marginals"] if one["name"] == name]
    return found


# ------------------------------------------------------------------------------- what it says


def test_the_folder_holds_a_page_its_numbers_and_a_sheet_of_each_set(report):
    names = {path.name for path in report.iterdir()}
    sheets = {"prior.png", "generated.png", "copy.png", "target.png"}
    assert names == {"report.html", "report.json", *sheets}
    assert data(report)["target"]["pictures"] == 30


def test_what_differs_is_told_and_what_does_not_is_not(report):
    found = data(report)
    for distance in found["distances"]:
        assert distance["readings"]["prior"]["verdict"] == "outside the noise"
        assert distance["readings"]["copy"]["p"] > 0.5
    told = {one["about"]: one["text"] for one in found["summary"]}
    assert "car: how many" in told["prior"]
    assert "car: yaw" in told["prior"]
    assert "cannot tell" in told["copy"]
    assert "light, colour" in told["features"]
    assert "With 30 pictures" in told["features"]


def test_every_reading_has_its_floor_interval_and_p(report):
    found = data(report)
    readings = [one for d in found["distances"] for one in d["readings"].values()]
    for m in found["marginals"]:
        readings += [one for measure in m["readings"].values() for one in measure.values()]
    assert len(readings) > 100
    for one in readings:
        assert one["low"] <= one["value"] <= one["high"]
        assert 0 <= one["floor"]["median"] <= one["floor"]["high"]
        assert 0 < one["p"] <= 1


def test_attributes_are_compared_each_in_its_own_way(report):
    found = data(report)
    yaw = marginal(found, "car: yaw")
    assert (yaw["kind"], yaw["unit"], yaw["of"]) == ("angle", "deg", "labels")
    # From 0 to 178 degrees by the shorter way, for each half of the cars another one.
    assert yaw["readings"]["transport"]["prior"]["whole"] == pytest.approx(173, abs=5)
    assert marginal(found, "car: colour")["labels"] == ["crimson", "navy", "white"]
    assert marginal(found, "tree: size")["unit"] == "px"
    names = {one["name"] for one in found["marginals"]}
    assert "car: length" not in names  # it is 9 px everywhere
    assert {"car: how many", "tree: how many", "all: how many", "brightness"} <= names


def test_total_variations_are_those_of_the_labels(report, folders):
    cars = [labels_of_dataset(d).things["car"] for d in (folders.quiet, folders.busy)]
    shares = [np.bincount(c, minlength=8) / len(c) for c in cars]
    told = marginal(data(report), "car: how many")["readings"]["variation"]["prior"]
    assert told["whole"] == pytest.approx(0.5 * np.abs(shares[0] - shares[1]).sum(), abs=1e-6)


def test_the_same_comparison_gives_the_same_bytes(folders, tmp_path):
    pages = []
    for name in ("a", "b"):
        compare(Request({"generated": folders.quiet}, folders.photos, images=12), tmp_path / name)
        pages.append([path.read_bytes() for path in sorted((tmp_path / name).iterdir())])
    assert pages[0] == pages[1]


def test_the_closer_of_two_sets_is_called_closer_than_the_prior(folders, tmp_path, cli):
    middle = dataset(tmp_path, "middle", BUSY | {"cars": "2, 4"}, 5)
    done = cli("compare", middle, folders.busy, "--prior", folders.quiet, "--out", tmp_path / "o")
    assert done.code == 0, done.err
    cars = marginal(data(tmp_path / "o"), "car: how many")["readings"]["transport"]
    assert cars["generated"]["verdict"] == "closer than the prior, but outside the noise"
    assert cars["prior"]["verdict"] == "outside the noise"
    assert "closer than the prior" in done.err


# ------------------------------------------------------------------------------- its sources


def test_a_folder_of_photos_has_no_labels_and_the_report_says_so(folders, tmp_path, cli):
    done = cli("compare", folders.quiet, folders.photos, "--out", tmp_path / "o", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found == data(tmp_path / "o")
    assert {one["of"] for one in found["marginals"]} == {"features"}
    assert found["target"]["left_out"][0][0] == "notes.txt"
    assert "since the target has none" in done.err


def test_with_coco_labels_of_the_photos_counts_and_boxes_are_compared(folders, tmp_path, cli):
    truth = folders.busy / "annotations.json"
    done = cli("compare", folders.quiet, folders.photos, "--out", tmp_path / "o", "--truth", truth)
    assert done.code == 0, done.err
    found = data(tmp_path / "o")
    assert marginal(found, "car: width of its box")["unit"] == "% of width"
    assert marginal(found, "car: how many")["readings"]["variation"]["generated"]["whole"] > 0.9


def test_a_runs_network_counts_things_at_the_runs_canvas(folders, tmp_path, cli):
    args = ("--features", folders.run, "--images", 20)
    done = cli("compare", folders.photos, folders.quiet, "--out", tmp_path / "o", *args)
    assert done.code == 0, done.err
    found = data(tmp_path / "o")
    names = [one["name"] for one in found["marginals"]]
    assert names == [f"{head}, as the network counts" for head in ("car", "tree", "all")]
    assert set(found["marginals"][0]["readings"]) == {"variation", "transport"}
    assert found["distances"][0]["title"] == "Frechet distance (counting features)"
    assert found["facts"]["compared at"] == "48 x 32 px"


def test_passes_of_a_dataset_are_not_pictures_of_it(folders):
    assert len(list(folders.busy.glob("shards/*/*.class.png"))) == 40
    side = load_side("x", folders.busy, (48, 32), 100)
    assert len(side.images) == 40
    assert all(name.count(".") == 1 for name in side.pictures.names)


def test_photos_are_compared_at_the_size_of_the_first_that_is_not_huge(tmp_path):
    for name, size in (("a.png", (1000, 250)), ("b.png", (300, 300))):
        Image.new("RGB", size, "red").save(tmp_path / name)
    assert first_size(tmp_path) == (1000, 250)
    assert picture_size([tmp_path]) == (LONGEST, LONGEST // 4)


def test_labels_of_two_tools_are_compared_in_the_categories_that_both_know(folders, tmp_path):
    ours = labels_of_dataset(folders.busy)
    other = json.loads((folders.busy / "annotations.json").read_text())
    other["categories"] = [{"id": 2, "name": "tree"}, {"id": 1, "name": "lorry"}]
    other["annotations"][0]["iscrowd"] = 1
    (tmp_path / "coco.json").write_text(json.dumps(other))
    theirs = labels_of_coco(tmp_path / "coco.json")
    assert sum(theirs.things["lorry"]) == sum(ours.things["car"]) - 1
    names = [quantity.name for quantity in common([ours, theirs])]
    assert names == ["tree: how many", "tree: width of its box", "tree: height of its box"]


# ------------------------------------------------------------------------------------- page


def test_the_page_stands_alone_and_obeys_a_strict_policy(report):
    page = Page(report / "report.html")
    assert_strict(page)
    assert len(page.all("img")) == 4
    text = (report / "report.html").read_text()
    assert "noise floor" in text
    assert text.index("Things and attributes, by the labels") < text.index("Column by column")
    words = re.sub(r'src="data:[^"]*"', "", text)
    assert "FID" not in words
    assert "KID" not in words


def test_names_from_outside_are_escaped(report, tmp_path):
    shutil.copytree(report, tmp_path / "r")
    changed = data(report)
    changed["title"] = NASTY
    changed["summary"][0]["text"] = NASTY
    changed["marginals"][0]["name"] = NASTY
    changed["target"]["left_out"] = [[NASTY, NASTY]]
    (tmp_path / "r" / "report.json").write_text(json.dumps(changed))
    assert_strict(Page(write_comparison(tmp_path / "r")))
    assert "<script" not in (tmp_path / "r" / "report.html").read_text()


@pytest.mark.parametrize("key", ["distances", "marginals", "summary"])
def test_a_report_of_another_form_is_an_input_error(report, tmp_path, key):
    shutil.copytree(report, tmp_path / "r")
    (tmp_path / "r" / "report.json").write_text(json.dumps(data(report) | {key: [{"x": 1}]}))
    with pytest.raises(InputError, match="has another form"):
        write_comparison(tmp_path / "r")


# ---------------------------------------------------------------------------------- refusals


def test_a_folder_that_is_not_empty_is_refused_and_left_alone(folders, tmp_path, cli):
    (tmp_path / "kept").write_text("mine")
    cli("compare", folders.quiet, folders.busy, "--out", tmp_path).refused(2, "not empty")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_an_output_inside_what_is_compared_is_refused(folders, cli):
    for inside in (folders.quiet, folders.photos):
        out = inside / "report"
        cli("compare", folders.quiet, folders.photos, "--out", out).refused(2, "lies inside")
        assert not out.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--features", "nope"], ["--features nope", "squeezenet"]),
        (["--features", "squeezenett"], ["did you mean `squeezenet`"]),
        (["--features", "counts"], ["datagen learn", "--features RUN"]),
        (["--features", "squeezenet", "--weights", "none.pth"], ["none.pth", "weights"]),
        (["--weights", "none.pth"], ["none.pth", "--weights"]),
        (["--features", "pixels", "--weights", "x.pth"], ["--weights x.pth: `pixels` takes none"]),
        (["--features", "json:JSONDecoder"], ["no datagen.interfaces.Component"]),
        (["--also", "x"], ["--also x", "NAME=FOLDER"]),
        (["--also", "../x=y"], ["NAME=FOLDER"]),
        (["--also", "target=y"], ["`target` is taken"]),
        (["--also", "a=nowhere"], ["a: nowhere is no folder"]),
        (["--prior", "nowhere"], ["prior: nowhere is no folder"]),
        (["--truth", "nowhere.json"], ["nowhere.json", "cannot be read"]),
        (["--images", "3"], ["--images"]),
    ],
)
def test_what_cannot_be_used_is_named_with_a_remedy(folders, tmp_path, cli, options, words):
    out = tmp_path / "o"
    cli("compare", folders.quiet, folders.photos, "--out", out, *options).refused(2, *words)
    assert not out.exists()


def test_a_file_in_the_place_of_an_extractor_is_answered_with_its_run(folders):
    file = folders.run / "features.safetensors"
    with pytest.raises(InputError, match=f"is a file; give its run's folder, .*{folders.run}, or"):
        chosen(str(file), None)


def test_a_run_folder_needs_no_weights_and_must_be_one(folders, tmp_path):
    with pytest.raises(InputError, match="has its own weights"):
        chosen(str(folders.run), Path("w"))
    with pytest.raises(InputError, match=r"no recipe\.json"):
        chosen(str(tmp_path), None)
    with pytest.raises(InputError, match="it is no run of `learn`"):
        chosen(str(folders.quiet), None)


def test_a_dataset_that_is_not_finished_is_refused(folders, tmp_path, cli):
    shutil.copytree(folders.quiet, tmp_path / "d")
    (tmp_path / "d" / "_COMPLETE").unlink()
    done = cli("compare", tmp_path / "d", folders.photos, "--out", tmp_path / "o")
    done.refused(2, "not finished", "--resume")


def test_a_dataset_whose_files_lie_elsewhere_or_are_broken_is_refused(folders, tmp_path, cli):
    for file, text, word in (
        ("annotations.json", '{"images": [{"file_name": "../x.png"}], '
         '"annotations": [], "categories": []}', "outside"),
        ("annotations.json", "{", "not valid JSON"),
        ("scenes.jsonl", '{"scene": 3}\n', "scene cannot be read"),
        ("recipe.json", "{}", "grammar"),
    ):  # fmt: skip
        shutil.copytree(folders.quiet, tmp_path / "d")
        (tmp_path / "d" / file).write_text(text)
        done = cli("compare", tmp_path / "d", folders.photos, "--out", tmp_path / "o")
        done.refused(2, word)
        shutil.rmtree(tmp_path / "d")


def test_labels_that_are_broken_are_refused(folders, tmp_path):
    good = json.loads((folders.busy / "annotations.json").read_text())
    for change in (
        {"images": []},
        {"annotations": [{"image_id": 1, "category_id": 1, "bbox": []}]},
        {"annotations": [{"image_id": 1, "category_id": 99, "bbox": [0, 0, 1, 1]}]},
        {"categories": [{"name": "x"}]},
    ):
        (tmp_path / "c.json").write_text(json.dumps(good | change))
        with pytest.raises(InputError, match="datagen verify"):
            labels_of_coco(tmp_path / "c.json")


def test_labels_of_other_pictures_are_refused(folders, tmp_path, cli):
    """Whether all pictures are read or some of them."""
    data = json.loads((folders.busy / "annotations.json").read_text())
    gone = data["images"].pop()["id"]
    data["annotations"] = [one for one in data["annotations"] if one["image_id"] != gone]
    (tmp_path / "39.json").write_text(json.dumps(data))
    for images in (2000, 40, 20):
        options = ("--out", tmp_path / "o", "--truth", tmp_path / "39.json", "--images", images)
        done = cli("compare", folders.quiet, folders.photos, *options)
        done.refused(2, "39.json: has 39 images, the target folder 40", "give the labels of these")
    truth = folders.busy / "annotations.json"
    assert load_side("target", folders.photos, (48, 32), 20, truth).labels is not None


@pytest.mark.parametrize("at", [0, 1])
def test_a_run_is_answered_with_how_to_make_pictures_of_it(folders, tmp_path, cli, at):
    shutil.copytree(folders.run, tmp_path / "run")
    for name in ("metrics.jsonl", "model.safetensors"):
        (tmp_path / "run" / name).write_text("")
    shutil.copy(next(folders.photos.glob("*.png")), tmp_path / "run" / "prior.png")
    sides = [folders.photos]
    sides.insert(at, tmp_path / "run")
    done = cli("compare", *sides, "--out", tmp_path / "o")
    remedy = f"`datagen generate {tmp_path / 'run'} --out DIR`"
    done.refused(2, "is a run of `datagen learn`", remedy)


def test_too_few_pictures_are_refused(tmp_path, folders, cli):
    few = tmp_path / "few"
    few.mkdir()
    for k in range(3):
        noise = rng(k).integers(0, 256, (32, 48, 3), dtype=np.uint8)
        Image.fromarray(noise).save(few / f"{k}.png")
    done = cli("compare", folders.quiet, few, "--out", tmp_path / "o")
    done.refused(2, "at least 4 pictures", "found 3")


def test_the_help_tells_what_looks_when_nothing_is_asked_for(cli):
    text = " ".join(cli("compare", "--help").out.split())
    assert "[default: (pixels, or squeezenet with --weights)]" in text
    assert f"[default: {ROWS};" in text
    assert "[default: 0;" in text


# -------------------------------------------------------------------------------------- docs


def test_comparing_md_has_every_option_and_verdict(cli):
    text = (ROOT / "docs" / "comparing.md").read_text()
    told = set(re.findall(r"^\| `(--[a-z]+)`", text, re.M))
    known = set(re.findall(r"--[a-z-]+", cli("compare", "--help").out))
    assert known - told == {"--out", "--json", "--help"}
    assert told <= known
    for verdict in SHORT.values():
        assert f"\n| {verdict} |" in text
    for scale in SCALES:
        assert f"{scale:g}" in text
    assert f"`{ROWS}`" in text
    assert f"{REPLICATES} random pairs" in text
