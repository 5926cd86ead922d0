"""Clips: frames that hang together, tracks that name one thing, and refusals in one line."""

import configparser
import copy
import json
import shutil
from collections import defaultdict
from typing import ClassVar

import numpy as np
import pytest

from datagen import audit, pipeline, recipe
from datagen.dataset.export import export
from datagen.detecting.material import material
from datagen.errors import InputError, RecipeError
from datagen.frame import Frame
from datagen.interfaces import Component
from datagen.reading import coco as coco_files
from datagen.settings.train import Train

FRAMES, CLIPS = 5, 4
SPEED, INTERVAL = 30.0, 0.1
ROLLING = f"""
count = {FRAMES * CLIPS}
shard_size = 7
[clips]
frames = {FRAMES}
interval = {INTERVAL}
speed = {SPEED}
"""
BOWL = """
world bowl
canvas 32 x 32
start Scene
Scene -> dish ball * uniform_int(1, 3)
dish { draw: ellipse  x: 16 px  y: 16 px  width: 28 px  height: 28 px  colour: grey }
ball {
  category: "ball"  draw: ellipse  width: 5 px  height: 5 px  colour: red
  x: uniform(3, 29) px  y: uniform(3, 29) px  inside: dish  apart: 1 px
}
"""
# Along its own y a cart goes down the picture, and one comes in from above.
ROAD = """
world road
canvas 32 x 32
start Scene
Scene -> ground Cart Late
Cart -> car
Late -> car
ground { draw: ground }
Cart { x: 8 px  y: 8 px  speed: 40 }
Late { x: 24 px  y: -9 px  speed: 40 }
car { category: "car"  draw: rect  width: 4 px  height: 4 px }
"""
DRIVING = "count = 8\n[clips]\nframes = 4\n"


class Painter(Component):
    """A generator of single pictures."""

    gives: ClassVar[type[Frame]] = Frame


@pytest.fixture
def load(write_recipe):
    return lambda world=BOWL, text=ROLLING, *sets: recipe.load(write_recipe(world, text), sets)


@pytest.fixture(scope="module")
def rolling(tmp_path_factory):
    """A dataset of clips, read-only, and what its annotations.json holds."""
    folder = tmp_path_factory.mktemp("rolling")
    (folder / "bowl.scene").write_text(BOWL)
    (folder / "bowl.toml").write_text('grammar = "bowl.scene"\n' + ROLLING)
    out = folder / "d"
    report = pipeline.generate(recipe.load(folder / "bowl.toml"), out)
    return out, report, json.loads((out / "annotations.json").read_text())


def labels_of(data):
    """(video, frame) -> labels."""
    images = {one["id"]: (one["video_id"], one["frame_index"]) for one in data["images"]}
    found = defaultdict(list)
    for one in data["annotations"]:
        found[images[one["image_id"]]].append(one)
    return found


def middle(label):
    x, y, width, height = label["bbox"]
    return complex(x + width / 2, y + height / 2)


def test_images_are_frames_of_videos_in_order(rolling):
    _, _, data = rolling
    places = [(one["video_id"], one["frame_index"]) for one in data["images"]]
    assert places == [(c + 1, k) for c in range(CLIPS) for k in range(FRAMES)]
    assert [one["id"] for one in data["videos"]] == [1, 2, 3, 4]
    assert data["videos"][2] == {
        **{"id": 3, "name": "00000002", "width": 32, "height": 32, "frames": FRAMES}
    }


def test_the_card_says_how_many_clips_there_are(rolling):
    card = (rolling[0] / "README.md").read_text()
    assert f"the frames of {CLIPS} clips of {FRAMES} each" in card


def test_a_track_is_one_thing_through_its_clip_and_moves_as_fast_as_told(rolling):
    _, _, data = rolling
    found = labels_of(data)
    clips_of = defaultdict(set)
    moved = []
    for (video, frame), labels in found.items():
        for one in labels:
            clips_of[one["track_id"]].add(video)
        if frame:
            before = {one["track_id"]: one for one in found[video, frame - 1]}
            assert before.keys() == {one["track_id"] for one in labels}  # nothing is hidden here
            for one in labels:
                assert one["path"] == before[one["track_id"]]["path"]
                moved.append(abs(middle(one) - middle(before[one["track_id"]])))
    assert all(len(videos) == 1 for videos in clips_of.values())
    assert sorted(clips_of) == [one["id"] for one in data["tracks"]]
    assert sorted(clips_of) == list(range(1, len(clips_of) + 1))
    assert np.median(moved) == pytest.approx(SPEED * INTERVAL, abs=1.5)
    assert max(moved) < SPEED * INTERVAL * 3


def test_a_clip_begins_as_an_image_of_its_number_without_clips(load):
    clips, plain = load(), load(BOWL, f"count = {CLIPS}\n")
    with pipeline.opened(clips) as frame, pipeline.opened(plain) as image:
        for clip in range(CLIPS):
            first, alone = frame(clip * FRAMES), image(clip)
            assert first.scene == alone.scene
            assert np.array_equal(first.frame.image, alone.frame.image)


@pytest.mark.parametrize(("size", "workers"), [(1, 1), (3, 2), (64, 1)])
def test_shards_may_cut_clips_and_change_no_content(load, rolling, tmp_path, size, workers):
    _, report, data = rolling
    cut = load().model_copy(update={"shard_size": size})
    again = pipeline.generate(cut, tmp_path / "cut", workers=workers)
    assert again.dataset_digest == report.dataset_digest
    other = json.loads((tmp_path / "cut" / "annotations.json").read_text())
    for key in ("annotations", "videos", "tracks"):
        assert other[key] == data[key], key


def test_any_frame_can_be_made_again_by_itself_and_all_is_sound(rolling):
    out, _, _ = rolling
    assert pipeline.verify(out, rerender=1.0).findings == ()
    assert audit.audit_coco(out) == []


def test_a_shard_that_is_lost_comes_back_the_same(rolling, tmp_path):
    made, report, _ = rolling
    out = shutil.copytree(made, tmp_path / "d")
    before = (out / "annotations.json").read_bytes()
    shutil.rmtree(out / "shards" / "00000007-00000014")
    (out / "_COMPLETE").unlink()
    again = pipeline.generate(recipe.load(out), out, resume=True)
    assert (again.rendered, again.dataset_digest) == (7, report.dataset_digest)
    assert (out / "annotations.json").read_bytes() == before


def test_what_has_a_speed_goes_on_and_has_a_track_from_when_it_is_seen(load, tmp_path):
    pipeline.generate(load(ROAD, DRIVING), tmp_path / "d")
    data = json.loads((tmp_path / "d" / "annotations.json").read_text())
    found = labels_of(data)
    for video in (1, 2):
        tops = [[one["bbox"][1] for one in found[video, k]] for k in range(4)]
        assert tops == [[6], [10], [14, 0], [18, 1]]
        tracks = [[one["track_id"] for one in found[video, k]] for k in range(4)]
        car, late = 2 * video - 1, 2 * video
        assert tracks == [[car], [car], [car, late], [car, late]]


@pytest.mark.parametrize(
    ("world", "text", "words"),
    [
        (BOWL, ROLLING.replace("count = 20", "count = 19"), "make it 15 or 20"),
        (BOWL, ROLLING.replace("count = 20", "count = 3"), "make it 5"),
        (BOWL, ROLLING.replace("speed = 30.0", ""), "give clips.speed"),
        (ROAD, DRIVING + "speed = 3.0\n", "leave it out"),
        (ROAD.replace("speed: 40", ""), DRIVING, "leave \\[clips\\] out"),
        (BOWL, 'passes = ["flow"]\n' + ROLLING, "leave it or clips.speed out"),
        (BOWL, "renderers = []\n" + ROLLING + '[generator]\nuse = "test_clips:Painter"\n',
         "gives a Frame"),
        (BOWL, ROLLING + '[[renderers]]\nuse = "raster"\n[[renderers]]\nuse = "imle"\ngate = 0.5\n',
         "leave its `gate` out"),
        (BOWL, ROLLING.replace("frames = 5", "frames = 1"), "clips.frames"),
        (BOWL, ROLLING + "fps = 3\n", "unknown key `clips.fps`"),
    ],
)  # fmt: skip
def test_what_cannot_be_clips_is_refused_in_one_line(load, world, text, words):
    with pytest.raises(RecipeError, match=words) as refused:
        load(world, text)
    assert "\n" not in str(refused.value)


def test_a_scene_without_anything_that_rolls_is_a_clip_at_rest(load):
    empty = load(BOWL.replace("uniform_int(1, 3)", "uniform_int(0, 1)"), ROLLING)
    with pipeline.opened(empty) as make:
        counts = {len(make(k).frame.instances) for k in range(FRAMES * CLIPS)}
    assert counts == {0, 1}


def test_the_audit_finds_what_is_wrong_with_videos_and_tracks(rolling, tmp_path):
    _, _, data = rolling

    def codes(change):
        wrong = json.loads(json.dumps(data))
        change(wrong)
        path = tmp_path / "wrong.json"
        path.write_text(json.dumps(wrong))
        return {finding.code for finding in audit.audit_coco(path)}

    labels = labels_of(data)
    last = labels[4, 0][0]["track_id"]
    assert codes(lambda d: d["images"][3].update(video_id=99)) >= {"orphan-video"}
    assert codes(lambda d: d["images"][3].update(frame_index=2)) == {"frame-index"}
    assert codes(lambda d: d["tracks"].pop()) == {"orphan-track"}
    assert codes(lambda d: d["annotations"][0].update(track_id=last)) == {"track"}
    assert codes(lambda d: d["videos"].append(d["videos"][0])) == {"duplicate-id"}
    assert codes(lambda d: d.update(videos=[None], tracks=3)) == set()
    same = next(found for found in labels.values() if len(found) > 1)
    twice = [one["id"] for one in same]
    assert "track" in codes(
        lambda d: d["annotations"][twice[1] - 1].update(track_id=same[0]["track_id"])
    )


def test_verify_finds_a_dataset_whose_frames_are_counted_otherwise(rolling, tmp_path):
    made, _, _ = rolling
    out = shutil.copytree(made, tmp_path / "d")
    text = (out / "recipe.json").read_text()
    (out / "recipe.json").write_text(text.replace('"frames":5', '"frames":4'))
    for name in ("_COMPLETE", "manifest.json"):
        (out / name).unlink()
    messages = [one.message for one in pipeline.verify(out).findings]
    assert sum("is not the frame of a clip that its number says" in one for one in messages) == 16


def test_an_export_keeps_clips_whole_and_their_tracks(rolling, tmp_path):
    out, _, data = rolling
    export(out, "coco", tmp_path / "e", splits={"train": 0.5, "val": 0.5})
    seen = []
    for part in ("train", "val"):
        kept = json.loads((tmp_path / "e" / part / "annotations.json").read_text())
        assert audit.audit_coco(tmp_path / "e" / part) == []
        for video in kept["videos"]:
            frames = [one for one in kept["images"] if one["video_id"] == video["id"]]
            assert len(frames) == video["frames"] == FRAMES
        seen += [one["id"] for one in kept["videos"]]
        tracks = {one["track_id"] for one in kept["annotations"]}
        assert tracks == {one["id"] for one in kept["tracks"]}
    assert sorted(seen) == [one["id"] for one in data["videos"]]


def test_mot_has_a_folder_of_each_clip_and_a_line_of_each_thing_in_each_frame(load, tmp_path):
    out, splits = tmp_path / "d", {"train": 0.5, "val": 0.5}
    pipeline.generate(load(ROAD, DRIVING), out)
    data = json.loads((out / "annotations.json").read_text())
    report = export(out, "mot", tmp_path / "e", splits=splits, min_visible_fraction=0.9)
    clips = {}
    for part in splits:
        head, *names = (tmp_path / f"e/seqmaps/{part}.txt").read_text().splitlines()
        assert head == "name" and report.splits[part] == len(names) * 4
        clips |= {name: tmp_path / "e" / part / name for name in names}
    assert sorted(clips) == [one["name"] for one in data["videos"]]
    found, images = labels_of(data), {one["id"]: one for one in data["images"]}
    flags = set()
    for name, folder in clips.items():
        about = configparser.ConfigParser()
        about.read(folder / "seqinfo.ini")
        assert dict(about["Sequence"]) == {
            **{"name": name, "imdir": "img1", "framerate": "10", "seqlength": "4"},
            **{"imwidth": "32", "imheight": "32", "imext": ".png"},
        }
        assert (folder / "gt/labels.txt").read_text() == "car\n"
        rows = np.loadtxt(folder / "gt/gt.txt", delimiter=",", ndmin=2)
        told = {(int(row[0]), int(row[1])): row[2:] for row in rows}
        assert len(told) == len(rows)
        for frame in range(4):
            for one in found.pop((int(name) + 1, frame)):
                x, y, w, h = one["amodal_bbox"]
                flag = float(one["visible_fraction"] >= 0.9)
                expected = (x + 1, y + 1, w, h, flag, 1, one["visible_fraction"])
                row = told.pop((frame + 1, one["track_id"]))
                assert row == pytest.approx(expected, abs=1e-4)
                flags.add(flag)
                source = out / images[one["image_id"]]["file_name"]
                shown = folder / f"img1/{frame + 1:06d}.png"
                assert shown.read_bytes() == source.read_bytes()
        assert told == {}
    assert found == {} and flags == {0, 1}


def test_mot_wants_clips_with_each_frame_once(rolling, tmp_path):
    out, _, data = rolling
    shutil.copytree(out, tmp_path / "d")
    file = tmp_path / "d/annotations.json"
    for change, message in (
        (lambda d: d["images"][1].update(frame_index=0), "twice in clip 00000000"),
        (lambda d: d["images"][1].pop("frame_index"), "no frame_index"),
        (lambda d: d.pop("videos"), r"a recipe with a section \[clips\] makes them"),
    ):
        changed = copy.deepcopy(data)
        change(changed)
        file.write_text(json.dumps(changed))
        with pytest.raises(InputError, match=message):
            export(tmp_path / "d", "mot", tmp_path / "e")
        assert not (tmp_path / "e").exists()


def test_a_detector_is_not_validated_on_frames_of_clips_that_it_learns_from(rolling):
    out, _, _ = rolling
    halves = material(coco_files.read(out), None, Train(holdout=0.4))
    assert halves.validation is not None
    learned, held = (
        {one.video for one in part.pictures} for part in (halves.training, halves.validation)
    )
    assert held and not learned & held
    assert len(learned | held) == CLIPS
