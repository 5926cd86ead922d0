"""From a recipe to a dataset: the same bytes however it is cut, and refusals that touch nothing."""

import json
import re
import shutil

import numpy as np
import pytest
from faulty import write_recipe
from pycocotools.coco import COCO

from datagen import pipeline, recipe
from datagen.cli import VERBS
from datagen.errors import (
    BusyError,
    DiskFullError,
    InputError,
    MissingError,
    PartialError,
    RecipeError,
)
from datagen.files import locked
from datagen.scene import Scene

COUNT = 20


def load(folder, text=f"count = {COUNT}", sets=(), **renderer):
    return recipe.load(write_recipe(folder, text, **renderer), sets, allow_empty=True)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return load(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def clean(small, tmp_path_factory):
    """The dataset's digest and folder when nothing goes wrong."""
    out = tmp_path_factory.mktemp("clean") / "d"
    return pipeline.generate(small, out)


def test_an_image_depends_on_its_index_alone(small):
    with pipeline.opened(small) as make_frame:
        forward = [make_frame(i)[:2] for i in range(5)]
    with pipeline.opened(small) as make_frame:
        backward = [make_frame(i)[:2] for i in reversed(range(5))]
    for (scene, frame), (scene2, frame2) in zip(forward, reversed(backward), strict=True):
        assert isinstance(scene, Scene)
        assert scene == scene2
        assert np.array_equal(frame.image, frame2.image)
    assert any(not np.array_equal(forward[0][1].image, f.image) for _, f in forward[1:])


@pytest.mark.parametrize(("size", "workers"), [(1, 1), (7, 1), (64, 1), (1, 2), (7, 2)])
def test_shard_size_and_workers_change_no_content(small, clean, tmp_path, size, workers):
    cut = small.model_copy(update={"shard_size": size})
    report = pipeline.generate(cut, tmp_path / "d", workers=workers)
    assert report.dataset_digest == clean.dataset_digest
    assert report.annotations == clean.annotations


def test_two_runs_write_the_same_bytes(small, clean, tmp_path):
    pipeline.generate(small, tmp_path / "d", workers=2)
    names = {p.relative_to(clean.out) for p in clean.out.rglob("*") if p.is_file()}
    assert names == {p.relative_to(tmp_path / "d") for p in (tmp_path / "d").rglob("*.*")} | {
        p for p in names if p.name == "_COMPLETE"
    }
    for name in names:
        if name.name != ".lock":
            assert (clean.out / name).read_bytes() == (tmp_path / "d" / name).read_bytes(), name


def test_another_seed_is_another_dataset(small, clean, tmp_path):
    other = small.model_copy(update={"seed": 1})
    assert pipeline.generate(other, tmp_path / "d").dataset_digest != clean.dataset_digest


def test_annotations_are_coco_and_agree_with_every_count(clean):
    coco = COCO(clean.out / "annotations.json")
    manifest = json.loads((clean.out / "manifest.json").read_text())
    assert len(coco.imgs) == clean.count == manifest["images"] == COUNT
    assert len(coco.anns) == clean.annotations == sum(clean.categories.values())
    assert manifest["categories"] == {"car": clean.annotations}
    assert [coco.imgs[i + 1]["file_name"] for i in range(2)] == [
        "shards/00000000-00000020/00000000.png",
        "shards/00000000-00000020/00000001.png",
    ]
    for annotation in coco.anns.values():
        mask = coco.annToMask(annotation)
        assert mask.sum() == annotation["area"]


def test_scenes_are_kept_and_can_be_read_again(clean, small):
    lines = (clean.out / "scenes.jsonl").read_text().splitlines()
    with pipeline.opened(small) as make_frame:
        assert Scene.from_json(json.loads(lines[3])["scene"]) == make_frame(3)[0]
    assert [json.loads(line)["index"] for line in lines] == list(range(COUNT))


def test_an_image_of_a_dataset_can_be_made_again(clean):
    import cv2

    stored = cv2.imread(str(clean.out / "shards/00000000-00000020/00000007.png"))
    _, frame = pipeline.regen(clean.out, 7)
    assert np.array_equal(stored[:, :, ::-1], frame.image)
    with pytest.raises(InputError, match="images 0 to 19"):
        pipeline.regen(clean.out, 20)


def test_the_card_has_front_matter_counts_and_no_place(clean):
    card = (clean.out / "README.md").read_text()
    head = card.split("---")[1]
    assert "- object-detection" in head
    assert "- n<1K" in head
    assert f"| car | {clean.annotations:,} |" in card
    assert str(clean.out.parent) not in card
    named = set(re.findall(r"datagen\s+([a-z]+)`", card))
    assert named
    assert named <= set(VERBS)


@pytest.mark.parametrize("image_format", ["png", "jpg"])
def test_the_certificate_states_what_was_checked_for_this_format(tmp_path, image_format):
    loaded = load(tmp_path / "r", "count = 1", [f"image_format={image_format}"])
    pipeline.generate(loaded, tmp_path / "d")
    checks = json.loads((tmp_path / "d/audit.json").read_text())["checks"]
    assert len(checks) >= 4
    assert any("PNG" in check for check in checks) == (image_format == "png")


def test_a_dataset_of_no_images_is_whole(tmp_path):
    report = pipeline.generate(load(tmp_path / "r", "count = 0"), tmp_path / "d", workers=2)
    assert report.count == 0
    assert json.loads((tmp_path / "d/annotations.json").read_text())["images"] == []
    assert pipeline.verify(tmp_path / "d").findings == ()


def test_passes_hold_what_the_frame_holds(tmp_path):
    import cv2

    sets = ["count=3", 'passes=["instance", "class", "depth", "amodal"]', "image_format=jpg"]
    pipeline.generate(load(tmp_path / "r", sets=sets), tmp_path / "d")
    folder = tmp_path / "d/shards/00000000-00000003"
    for index in range(3):
        frame = pipeline.regen(tmp_path / "d", index)[1]
        stem = f"{folder}/{index:08d}"
        ids = cv2.imread(f"{stem}.instance.png", cv2.IMREAD_UNCHANGED)
        classes = cv2.imread(f"{stem}.class.png", cv2.IMREAD_UNCHANGED)
        assert np.array_equal(ids, frame.instance_map)
        assert np.array_equal(classes, frame.class_map)
        assert np.array_equal(np.load(f"{stem}.depth.npy"), frame.depth)
        with open(f"{stem}.amodal.json") as file:
            assert len(json.load(file)) == len(frame.instances)
    assert pipeline.verify(tmp_path / "d", rerender=1.0).findings == ()


def test_progress_counts_every_image_once(small, tmp_path):
    told = []
    pipeline.generate(small, tmp_path / "d", progress=told.append)
    assert [p.done for p in told][-1] == COUNT
    assert sorted(p.done for p in told) == [p.done for p in told]
    assert {p.total for p in told} == {COUNT}


def test_resuming_a_finished_dataset_does_nothing(small, clean, tmp_path):
    out = shutil.copytree(clean.out, tmp_path / "d")
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*.*") if p.name != ".lock"}
    learned_otherwise = small.model_copy(
        update={"learn": small.learn.model_copy(update={"seed": 9})}
    )
    report = pipeline.generate(learned_otherwise, out, resume=True)
    assert report.rendered == 0
    assert report.dataset_digest == clean.dataset_digest
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert pipeline.verify(out).findings == ()


def with_leaves(folder):
    """A recipe with an asset that no symbol draws."""
    path = write_recipe(folder, "count = 4\nshard_size = 2")
    scene = path.parent / "small.scene"
    scene.write_text(scene.read_text() + 'asset leaves: sprites "leaves.png"\n')
    (folder / "leaves.png").write_bytes(b"leaves")
    return path


def test_resuming_a_finished_dataset_after_its_asset_has_moved_leaves_it_sound(tmp_path):
    path, out = with_leaves(tmp_path / "r"), tmp_path / "d"
    pipeline.generate(recipe.load(path), out)
    (tmp_path / "r/leaves.png").rename(tmp_path / "moved.png")
    loaded = recipe.load(path, [f"assets.leaves={tmp_path / 'moved.png'}"])
    assert pipeline.generate(loaded, out, resume=True).rendered == 0
    assert pipeline.verify(out, rerender=1.0).findings == ()
    assert json.loads((out / "recipe.json").read_text())["assets"]["leaves"]["source"] == str(
        tmp_path / "moved.png"
    )


def test_a_moved_asset_can_be_named_to_regen_and_verify(tmp_path):
    path, out = with_leaves(tmp_path / "r"), tmp_path / "d"
    pipeline.generate(recipe.load(path), out)
    (tmp_path / "r/leaves.png").rename(tmp_path / "moved.png")
    with pytest.raises(RecipeError, match="--set assets.leaves=PATH"):
        pipeline.regen(out, 0)
    sets = [f"assets.leaves={tmp_path / 'moved.png'}"]
    assert pipeline.regen(out, 0, sets)[1].width == 32
    assert pipeline.verify(out, rerender=1.0, sets=sets).findings == ()
    with pytest.raises(InputError, match="seed: 0 -> 3"):
        pipeline.regen(out, 0, ["seed=3"])


@pytest.mark.parametrize("name", ["numpy", "datagen", "python"])
def test_a_dataset_begun_with_other_software_is_not_gone_on_with(small, clean, tmp_path, name):
    out = shutil.copytree(clean.out, tmp_path / "d")
    found = json.loads((out / "versions.json").read_text())
    assert found.keys() == {"datagen", "numpy", "opencv-python-headless", "pycocotools", "python"}
    here, found[name] = found[name], "0.9"
    (out / "versions.json").write_text(json.dumps(found))
    shutil.rmtree(out / "shards/00000000-00000020")
    before = snapshot(out)
    with pytest.raises(InputError, match=rf"{name} 0.9 -> {re.escape(here)}.* new folder"):
        pipeline.generate(small, out, resume=True)
    after = snapshot(out)
    assert {p for p in before if before[p] != after[p]} <= {out, out / ".lock"}


def test_a_dataset_that_loses_a_shard_is_not_complete_while_it_is_made_again(
    small, clean, tmp_path
):
    out = shutil.copytree(clean.out, tmp_path / "d")
    shutil.rmtree(out / "shards/00000000-00000020")
    seen = []
    progress = lambda p: seen.append((out / "_COMPLETE").exists())  # noqa: E731
    pipeline.generate(small, out, resume=True, progress=progress)
    assert not any(seen)
    assert (out / "_COMPLETE").exists()


def test_resuming_with_another_recipe_shows_what_differs(small, clean, tmp_path):
    out = shutil.copytree(clean.out, tmp_path / "d")
    changed = small.model_copy(update={"seed": 5, "count": 30})
    with pytest.raises(InputError, match=r"count: 20 -> 30; seed: 0 -> 5"):
        pipeline.generate(changed, out, resume=True)


def snapshot(folder):
    return {p: p.stat().st_mtime_ns for p in [folder, *folder.rglob("*")]}


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_with_other_things_is_not_touched(small, tmp_path, resume):
    (tmp_path / "mine.txt").write_text("mine")
    before = snapshot(tmp_path)
    with pytest.raises(InputError, match=r"not empty|no dataset"):
        pipeline.generate(small, tmp_path, resume=resume)
    before.pop(tmp_path)
    after = snapshot(tmp_path)
    assert {path: after[path] for path in before} == before


@pytest.mark.parametrize("resume", [False, True])
def test_a_run_that_was_killed_in_its_first_file_does_not_stand_in_the_way(small, tmp_path, resume):
    out = tmp_path / "d"
    out.mkdir()
    (out / ".lock").touch()
    (out / ".recipe.json.123.tmp").write_bytes(b"{")
    pipeline.generate(small, out, resume=resume)
    assert pipeline.verify(out).findings == ()
    assert not list(out.glob(".*.tmp"))


def test_a_filled_folder_without_resume_is_left_as_it_is(small, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    before = snapshot(tmp_path)
    with pytest.raises(InputError, match="not empty"):
        pipeline.generate(small, tmp_path)
    assert snapshot(tmp_path) == before


def test_a_file_is_no_output_folder(small, tmp_path):
    (tmp_path / "f").write_text("x")
    for out in (tmp_path / "f", tmp_path / "f" / "d"):
        with pytest.raises(InputError):
            pipeline.generate(small, out)
    assert (tmp_path / "f").read_text() == "x"


def test_a_folder_that_cannot_be_written_is_refused(small):
    with pytest.raises(InputError, match="cannot make this folder"):
        pipeline.generate(small, "/proc/datagen")


@pytest.mark.parametrize("workers", [0, -1, 257])
def test_a_number_of_workers_out_of_range_is_refused(small, tmp_path, workers):
    with pytest.raises(InputError, match="1 to 256"):
        pipeline.generate(small, tmp_path / "d", workers=workers)
    assert not (tmp_path / "d").exists()


def test_the_output_must_not_lie_in_an_input_nor_an_input_in_it(tmp_path):
    path = write_recipe(tmp_path / "r")
    scene = path.parent / "small.scene"
    scene.write_text(scene.read_text() + 'asset leaves: sprites "leaves"\n')
    leaves = path.parent / "leaves"
    leaves.mkdir()
    (leaves / "a.png").write_bytes(b"x")
    loaded = recipe.load(path)
    for out in (leaves, leaves / "d", path.parent):
        with pytest.raises(InputError, match="must lie apart"):
            pipeline.generate(loaded, out, resume=True)
    assert [p.name for p in leaves.iterdir()] == ["a.png"]


def test_a_second_writer_is_refused_with_the_holders_pid(small, tmp_path):
    import os

    out = tmp_path / "d"
    out.mkdir()
    for resume in (False, True):
        with locked(out), pytest.raises(BusyError, match=str(os.getpid())):
            pipeline.generate(small, out, resume=resume)


def test_a_frame_with_a_false_label_is_never_written(tmp_path):
    loaded = load(tmp_path / "r", "count = 8\nshard_size = 4", fault="label", at=5)
    with pytest.raises(PartialError, match="image 5"):
        pipeline.generate(loaded, tmp_path / "d")
    assert not (tmp_path / "d/shards/00000004-00000008").exists()
    assert (tmp_path / "d/shards/00000000-00000004").exists()
    assert not (tmp_path / "d/_COMPLETE").exists()


def test_an_image_of_the_wrong_shape_is_never_written(tmp_path):
    loaded = load(tmp_path / "r", "count = 2", fault="shape", at=1)
    with pytest.raises(PartialError, match="image 1: the image is uint8"):
        pipeline.generate(loaded, tmp_path / "d")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bug_at_one_image_costs_its_shard_only(tmp_path, workers):
    loaded = load(tmp_path / "r", "count = 8\nshard_size = 2", fault="bug", at=5)
    with pytest.raises(PartialError, match=r"00000004-00000006, which fails at image 5: ZeroDiv"):
        pipeline.generate(loaded, tmp_path / "d", workers=workers)
    published = sorted(p.name for p in (tmp_path / "d/shards").iterdir())
    assert published == ["00000000-00000002", "00000002-00000004", "00000006-00000008"]
    record = json.loads((tmp_path / "d/quarantine/00000004-00000006.json").read_text())
    assert record["index"] == 5
    assert "ZeroDivisionError: a bug in a plug-in" in record["traceback"]


@pytest.mark.parametrize("fault", ["input", "label", "shape"])
@pytest.mark.parametrize("workers", [1, 2])
def test_whatever_fails_at_one_image_costs_its_shard_only(tmp_path, workers, fault):
    loaded = load(tmp_path / "r", "count = 8\nshard_size = 2", fault=fault, at=2)
    with pytest.raises(PartialError, match=r"00000002-00000004, which fails at image 2: "):
        pipeline.generate(loaded, tmp_path / "d", workers=workers)
    assert len(list((tmp_path / "d/shards").iterdir())) == 3
    assert json.loads((tmp_path / "d/quarantine/00000002-00000004.json").read_text())["index"] == 2


@pytest.mark.parametrize(("fault", "kind"), [("missing", MissingError), ("disk", DiskFullError)])
def test_what_concerns_all_images_ends_the_run_with_its_own_kind(tmp_path, fault, kind):
    loaded = load(tmp_path / "r", "count = 8\nshard_size = 2", fault=fault, at=2)
    with pytest.raises(kind):
        pipeline.generate(loaded, tmp_path / "d")
    assert not (tmp_path / "d/quarantine").exists()


def test_a_disk_that_will_not_hold_it_is_noticed_after_a_few_images(tmp_path):
    path = write_recipe(tmp_path / "r", "count = 10_000_000")
    scene = path.parent / "small.scene"
    scene.write_text(scene.read_text().replace("32 x 24", "1024 x 1024"))
    loaded = recipe.load(path)
    with pytest.raises(DiskFullError, match=r"9,999,992 more images need about .* --count"):
        pipeline.generate(loaded, tmp_path / "d")
    assert not list((tmp_path / "d/shards").iterdir())


def test_a_resumed_run_needs_room_for_what_is_missing_only(tmp_path, monkeypatch):
    loaded, out = load(tmp_path / "r", "count = 40\nshard_size = 10"), tmp_path / "d"
    pipeline.generate(loaded, out)
    size = sum(p.stat().st_size for p in out.rglob("*.*")) // 40
    shutil.rmtree(out / "shards/00000010-00000020")
    room = shutil.disk_usage(tmp_path)._replace(free=12 * size)  # of 40 images 12 would fit
    monkeypatch.setattr(shutil, "disk_usage", lambda path: room)
    assert pipeline.generate(loaded, out, resume=True).rendered == 10
    with pytest.raises(DiskFullError, match="32 more images"):
        pipeline.generate(loaded, tmp_path / "new")


WEIGHTY = """
from contextlib import contextmanager
from pathlib import Path
from datagen.generators.prior import Generator as Prior
class Generator(Prior):
    weights: str
    @contextmanager
    def open(self, grammar):
        assert Path(self.weights).read_bytes() == b"learned"
        with super().open(grammar) as generate:
            yield generate
"""


@pytest.fixture
def learned(tmp_path, monkeypatch):
    """A run folder: a recipe with weights beside it."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "heavy.py").write_text(WEIGHTY)
    run = tmp_path / "run"
    run.mkdir()
    (run / "model.safetensors").write_bytes(b"learned")
    data = load(tmp_path / "r", "count = 4\nshard_size = 2").encode()
    data["generator"] = {"use": "heavy:Generator", "weights": "model.safetensors"}
    (run / "recipe.json").write_text(json.dumps(data))
    return run


@pytest.mark.parametrize("workers", [1, 2])
def test_a_learned_dataset_can_be_moved_and_made_again_without_its_run(learned, tmp_path, workers):
    pipeline.generate(recipe.load(learned), tmp_path / "d", workers=workers)
    assert "torch" in json.loads((tmp_path / "d/versions.json").read_text())
    shutil.rmtree(learned)
    moved = (tmp_path / "d").rename(tmp_path / "elsewhere")
    assert (moved / "generator.safetensors").read_bytes() == b"learned"
    assert pipeline.verify(moved, rerender=1.0).findings == ()
    shutil.rmtree(moved / "shards/00000000-00000002")
    report = pipeline.generate(recipe.load(moved), moved, resume=True, workers=workers)
    assert report.rendered == 2
    assert pipeline.verify(moved).findings == ()
    copy = pipeline.generate(recipe.load(moved), tmp_path / "copy")
    assert copy.dataset_digest == report.dataset_digest


def test_damaged_weights_of_a_dataset_are_brought_back_from_the_run(learned, tmp_path):
    out = tmp_path / "d"
    pipeline.generate(recipe.load(learned), out)
    (out / "generator.safetensors").write_bytes(b"other")
    (finding,) = pipeline.verify(out, repair=True).findings
    assert finding.file == "generator.safetensors"
    pipeline.generate(recipe.load(learned), out, resume=True)
    assert pipeline.verify(out, rerender=1.0).findings == ()


def test_weights_are_checked_before_they_are_used(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "weighty.py").write_text(
        "from datagen.generators.prior import Generator as Prior\n"
        "class Generator(Prior):\n    weights: str\n"
    )
    (tmp_path / "w").write_bytes(b"1")
    text = f"[generator]\nuse = 'weighty:Generator'\nweights = '{tmp_path / 'w'}'"
    loaded = load(tmp_path / "r", text)
    (tmp_path / "w").write_bytes(b"2")
    with pytest.raises(RecipeError, match="generator.weights"), pipeline.opened(loaded):
        pass
