"""The dataset folder: shards appear whole or not at all, and every fault in it is found."""

import json
import os
import shutil

import pytest
from faulty import write_recipe

from datagen import pipeline, recipe
from datagen.dataset import coco, store
from datagen.dataset.store import Shard
from datagen.errors import DatagenError, InputError
from datagen.files import sha256_of

SHARD = Shard(0, 2)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A finished dataset of 6 images in 3 shards; tests copy it before they damage it."""
    folder = tmp_path_factory.mktemp("whole")
    loaded = recipe.load(write_recipe(folder, "count = 6\nshard_size = 2"))
    pipeline.generate(loaded, folder / "d")
    return folder / "d"


@pytest.fixture
def damaged(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "d")


def test_shards_cover_the_images_once():
    shards = store.shards_of(10, 4)
    assert [(s.start, s.stop) for s in shards] == [(0, 4), (4, 8), (8, 10)]
    assert store.shards_of(0, 4) == []


def test_a_shard_is_not_seen_before_it_is_published(tmp_path):
    with store.shard_folder(tmp_path, SHARD) as folder:
        folder.write("a", b"1")
        assert not store.is_published(tmp_path, SHARD)
        folder.publish({})
        assert store.is_published(tmp_path, SHARD)
    assert store.summary(tmp_path, SHARD)["files"].keys() == {"a"}
    assert list((tmp_path / "tmp").iterdir()) == []


def test_an_attempt_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(KeyError), store.shard_folder(tmp_path, SHARD) as folder:
        folder.write("a", b"1")
        raise KeyError
    assert list((tmp_path / "tmp").iterdir()) == []
    assert list((tmp_path / "shards").iterdir()) == []


def publish(out, data):
    with store.shard_folder(out, SHARD) as folder:
        folder.write("a", data)
        folder.publish({})


def test_a_second_equal_attempt_is_dropped(tmp_path):
    publish(tmp_path, b"1")
    publish(tmp_path, b"1")
    assert not (tmp_path / "nondeterminism").exists()


def test_a_second_attempt_that_differs_is_put_on_record_and_the_first_kept(tmp_path):
    publish(tmp_path, b"1")
    publish(tmp_path, b"2")
    assert (tmp_path / SHARD.place / "a").read_bytes() == b"1"
    assert (tmp_path / "nondeterminism" / f"{SHARD.name}.json").is_file()


def test_what_the_disk_changed_before_publishing_is_noticed(tmp_path):
    with (
        pytest.raises(DatagenError, match="reads back other"),
        store.shard_folder(tmp_path, SHARD) as folder,
    ):
        folder.write("a", b"1")
        (folder.folder / "a").write_bytes(b"2")
        folder.publish({})
    assert not store.is_published(tmp_path, SHARD)


def test_a_sound_dataset_has_no_findings(whole):
    report = pipeline.verify(whole, rerender=1.0)
    assert report.findings == ()
    assert report.images == 6
    assert json.loads(json.dumps(report.to_json()))["findings"] == []


def all_files(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 1
    path.write_bytes(data)


def test_one_flipped_bit_anywhere_is_found(damaged):
    """Every file, a bit at its start, middle and end."""
    for k, name in enumerate(set(all_files(damaged)) - {store.LOCK}):
        path = damaged / name
        size = path.stat().st_size
        at = (0, size // 2, size - 1)[k % 3]
        flip(path, at)
        assert pipeline.verify(damaged).findings, name
        flip(path, at)
    assert not pipeline.verify(damaged).findings


def test_a_missing_file_an_extra_file_and_a_cut_file_are_found(damaged):
    image = damaged / "shards/00000002-00000004/00000003.png"
    (damaged / "extra.txt").write_text("x")
    image.write_bytes(image.read_bytes()[:-1])
    (damaged / "scenes.jsonl").unlink()
    told = "\n".join(finding.message for finding in pipeline.verify(damaged).findings)
    assert "extra.txt does not belong" in told
    assert "00000003.png has" in told
    assert "scenes.jsonl is missing" in told


@pytest.mark.parametrize(
    "name",
    [
        "shards/00000002-00000004/00000003.png",
        "shards/00000000-00000002/shard.json",
        "shards/00000004-00000006/records.jsonl",
        "annotations.json",
        "manifest.json",
        "recipe.json",
        "versions.json",
        "_COMPLETE",
    ],
)
def test_repair_and_resume_bring_back_every_byte(damaged, whole, name):
    flip(damaged / name, 40)
    assert pipeline.verify(damaged, repair=True).repaired
    assert not store.is_complete(damaged)
    pipeline.generate(recipe.load(damaged), damaged, resume=True)
    for file in set(all_files(whole)) - {store.LOCK}:
        assert (damaged / file).read_bytes() == (whole / file).read_bytes(), file


def test_repair_lets_a_strange_file_and_the_marker_be(damaged):
    (damaged / "notes.txt").write_text("mine")
    (damaged / "shards/00000000-00000002/notes.txt").write_text("mine")
    for _ in range(2):
        report = pipeline.verify(damaged, repair=True)
        assert [finding.code for finding in report.findings] == ["extra", "extra"]
        assert report.repaired == ()
    assert store.is_complete(damaged)
    (damaged / "notes.txt").unlink()
    (damaged / "shards/00000000-00000002/notes.txt").unlink()
    assert pipeline.verify(damaged).findings == ()


def test_a_record_of_nondeterminism_is_told_and_nothing_made_again_for_it(damaged):
    folder = damaged / "nondeterminism"
    folder.mkdir()
    (folder / "00000000-00000002.json").write_text("{}")
    (damaged / store.COMPLETE).unlink()
    pipeline.generate(recipe.load(damaged), damaged, resume=True)
    for _ in range(2):
        report = pipeline.verify(damaged, repair=True)
        assert [finding.code for finding in report.findings] == ["nondeterminism"]
        assert report.repaired == ()
    assert store.is_complete(damaged)


def test_repair_takes_away_the_shard_of_a_broken_file_and_no_other(damaged):
    flip(damaged / "shards/00000002-00000004/records.jsonl", 10)
    report = pipeline.verify(damaged, repair=True)
    assert set(report.repaired) == {"_COMPLETE", "manifest.json", "shards/00000002-00000004"}


def test_a_marker_that_does_not_fit_its_manifest_makes_nothing_complete(damaged):
    assert store.is_complete(damaged)
    flip(damaged / "manifest.json", 5)
    assert not store.is_complete(damaged)


def sign(folder, change):
    """Change annotations.json and make manifest and marker vouch for it."""
    path = folder / "annotations.json"
    path.write_text(change(path.read_text()))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][path.name] = {"size": path.stat().st_size, "sha256": sha256_of(path)}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / store.COMPLETE).write_text(sha256_of(folder / "manifest.json") + "\n")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace('"iscrowd":0', '"iscrowd":1', 1),
        lambda text: text[: text.rindex(",\n{")] + "\n]\n}\n",
        lambda text: text.replace('"annotations": [', '"annotations": [\n{"id":7},'),
        lambda text: "\xe9" + text[:200],
    ],
)
def test_labels_that_are_not_those_of_the_shards_are_found(damaged, change):
    sign(damaged, change)
    (finding,) = pipeline.verify(damaged).findings
    assert finding.code == "labels"


def test_verify_never_holds_all_labels_in_memory(damaged, monkeypatch):
    monkeypatch.setattr(coco, "MAX_BYTES", 10)
    assert pipeline.verify(damaged).findings == ()


def test_a_dataset_that_is_not_complete_is_told(damaged):
    (damaged / store.COMPLETE).unlink()
    (finding,) = pipeline.verify(damaged).findings
    assert "--resume" in finding.message


def test_a_folder_that_is_no_dataset_is_refused(tmp_path):
    with pytest.raises(InputError, match="no recipe.json"):
        pipeline.verify(tmp_path)


def test_images_that_come_out_differently_are_found(damaged):
    """A dataset whose own files agree with each other, but not with its recipe."""
    data = json.loads((damaged / "recipe.json").read_bytes())
    for path in damaged.iterdir():
        if path.name != "recipe.json":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    data["renderers"][0]["options"] = {"fault": "drift", "at": 3}
    (damaged / "recipe.json").write_text(json.dumps(data))
    pipeline.generate(recipe.load(damaged), damaged, resume=True, workers=2)
    (finding,) = pipeline.verify(damaged, rerender=1.0).findings
    assert finding.image == 4


def test_folders_can_be_read_by_others(whole):
    assert os.stat(whole / "shards/00000000-00000002").st_mode & 0o055 == 0o055 & ~_umask()


def _umask():
    old = os.umask(0)
    os.umask(old)
    return old
