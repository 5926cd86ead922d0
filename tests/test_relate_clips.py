"""RELATE in time: paths that go on, clips that are labelled and tracked."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from datagen import pipeline, recipe
from datagen.clips import drawing_clips
from datagen.dataset.targets import load_targets
from datagen.errors import InputError, RejectedError
from datagen.frames import opened
from datagen.learning.job import learn
from datagen.learning.photos.stages import Lesson
from datagen.learning.photos.windows import windows_of
from datagen.learning.relate_clips.training import RelateClipsTrainee
from datagen.models.relate_motion import Fate, Motion
from datagen.settings.clips import Clips
from datagen.settings.relate import RelateLearning
from datagen.settings.relate_clips import RelateClipsLearning

pytestmark = pytest.mark.usefixtures("one_thread")

WORLD = """
world dots
canvas 16 x 16
start Scene
Scene -> field dot
field { stuff: "field"  draw: ground  shade: black }
dot { category: "dot"  draw: rect  x: 4 px  y: 8 px  width: 4 px  height: 4 px  colour: red }
"""
STILL = RelateLearning(steps=3, batch=4, channels=16, judge_width=4)
QUICK = RelateClipsLearning(finder_steps=3, steps=3, batch=4, frames=5, rollout=6)
FRAMES, CLIPS = 6, 10


def clips() -> np.ndarray:
    """uint8 [C, T, 16, 16, 3]: a red square goes right, a blue one down."""
    made = np.full((CLIPS, FRAMES, 16, 16, 3), 60, np.uint8)
    for c in range(CLIPS):
        for t in range(FRAMES):
            made[c, t, c : c + 4, t : t + 4] = (230, 40, 40)
            made[c, t, t + 6 : t + 10, 12 - c : 16 - c] = (40, 40, 230)
    return made


def write(folder):
    for c, clip in enumerate(clips()):
        (folder / f"clip{c}").mkdir(parents=True)
        for t, image in enumerate(clip):
            Image.fromarray(image).save(folder / f"clip{c}" / f"{t:02d}.png")
    return folder


def trainee(motion=QUICK, still=STILL):
    windows = np.array([[c * FRAMES + k for k in range(5)] for c in range(CLIPS)])
    return RelateClipsTrainee(clips().reshape(-1, 16, 16, 3), windows, motion, still, 0)


def fate(present) -> Fate:
    there = torch.tensor([present])
    return Fate(torch.zeros(1, there.shape[1], 0), torch.zeros(1, 3), there)


def test_what_nothing_pushes_goes_straight_on():
    motion = Motion(3, 0)
    for weights in motion.node.parameters():
        torch.nn.init.zeros_(weights)
    past = torch.tensor([[[0.0, 0.0, 0.0, 0.0, 0.1, -0.2]]])
    path = motion.go_on(torch.zeros(1, 1, 2), past, fate([True]), 4)
    assert torch.allclose(path[0, :, 0], torch.arange(4)[:, None] * torch.tensor([0.1, -0.2]))


def test_objects_move_each_other_but_those_that_are_absent_move_nobody():
    torch.manual_seed(0)
    motion = Motion(3, 0)
    noise = torch.tensor([[[0.5, 0.1], [-0.3, 0.2]]])
    near, far = (torch.tensor([[[0.0, 0.0], [x, 0.0]]]) for x in (0.2, 0.9))
    with torch.no_grad():
        both = [motion(at, noise, fate([True, True]), 6)[0, :, 0] for at in (near, far)]
        alone = [motion(at, noise, fate([True, False]), 6)[0, :, 0] for at in (near, far)]
    assert not torch.allclose(*both, atol=1e-6)
    assert torch.equal(*alone)


@pytest.mark.parametrize(
    ("motion", "still", "words"),
    [
        ({"rollout": 5, "frames": 6}, {}, "learn.relate_clips.rollout"),
        ({}, {"objects": (1, 2)}, "make both numbers the same"),
        ({}, {"distinct": False}, "learn.relate.distinct"),
    ],
)
def test_what_cannot_be_followed_through_clips_is_refused(motion, still, words):
    with pytest.raises(InputError, match=words):
        trainee(QUICK.model_copy(update=motion), STILL.model_copy(update=still))


def test_the_key_that_names_the_category_is_the_one_that_there_is():
    world = WORLD.replace("Scene -> field dot", "Scene -> field dot box").replace(
        "dot {", 'box { category: "box"  draw: rect }\ndot {'
    )
    made = recipe.Recipe.decode(
        {
            "grammar": {"name": "dots", "text": world},
            "generator": {"use": "relate_clips"},
            "renderers": [],
            "count": 4,
        }
    )
    windows = np.array([[0, 1, 2, 3, 4]])
    with pytest.raises(InputError, match=r"as learn\.relate\.category"):
        Lesson(made, "relate_clips", clips().reshape(-1, 16, 16, 3), windows)


def test_frames_of_folders_follow_one_another(tmp_path):
    names = load_targets(write(tmp_path / "c"), (16, 16)).names
    found = windows_of(tmp_path / "c", names, 5)
    assert found.shape == (2 * CLIPS, 5)
    assert all(
        [names[k].split("/")[0] for k in row] == [names[row[0]].split("/")[0]] * 5 for row in found
    )
    with pytest.raises(InputError, match="0 runs of 7 frames.*or lower learn.relate_clips.frames"):
        windows_of(tmp_path / "c", names, 7)
    with pytest.raises(InputError, match="a folder for each clip"):
        windows_of(tmp_path / "c", [f"{k}.png" for k in range(60)], 5)


def test_a_frame_that_cannot_be_read_ends_a_run(tmp_path):
    (write(tmp_path / "c") / "clip0" / "01.png").write_bytes(b"torn")
    targets = load_targets(tmp_path / "c", (16, 16))
    lost = [name for name, _ in targets.rejected]
    assert lost == ["clip0/01.png"]
    found = windows_of(tmp_path / "c", targets.names, 5, lost)
    assert len(found) == 2 * (CLIPS - 1)
    assert not any(targets.names[k].startswith("clip0/") for row in found for k in row)


def test_shards_of_a_dataset_without_clips_are_none(tmp_path):
    names = [f"shards/00000000-00000060/{k:08d}.png" for k in range(60)]
    out = tmp_path / "d"
    (out / "shards").mkdir(parents=True)
    (out / "recipe.json").write_text("{}")
    images = [{"id": k + 1, "file_name": name} for k, name in enumerate(names)]
    data = {"images": images, "annotations": [], "categories": []}
    (out / "annotations.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match=r"0 runs of 5 frames.*dataset with \[clips\]"):
        windows_of(out, names, 5)


def made_by(outcomes):
    """Draws frames of clips of 4, of which the first attempts come to `outcomes`; what was made."""
    asked = []

    def generate(rngs):
        asked.append(rngs[0].bit_generator.seed_seq.spawn_key)
        outcome = outcomes[min(len(asked), len(outcomes)) - 1]
        if isinstance(outcome, Exception):
            raise outcome
        return [list(outcome)]

    return drawing_clips(SimpleNamespace(clips=Clips(frames=4), seed=0), generate), asked


def test_a_clip_is_made_once_for_all_its_frames_also_where_it_is_rejected():
    draw, asked = made_by([RejectedError("none is found", 0.1), "abcd", "efgh"])
    shown = ""
    for index in range(8):
        try:
            shown += draw(index, 0)
        except RejectedError:
            shown += draw(index, 1)
    assert shown == "abcdefgh"
    assert len(asked) == len(set(asked)) == 3


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run that learned a little from the clips; read-only."""
    place = tmp_path_factory.mktemp("clips")
    (place / "dots.scene").write_text(WORLD)
    (place / "dots.toml").write_text(
        """
        grammar = "dots.scene"
        count = 8
        shard_size = 3
        renderers = []
        clips = { frames = 4 }
        generator = { use = "relate_clips", gate = 0.0 }
        learn.relate = { steps = 3, batch = 4, channels = 16, judge_width = 4 }
        learn.relate_clips = { finder_steps = 3, steps = 3, batch = 4, frames = 5, rollout = 6 }
        """
    )
    learn(recipe.load(place / "dots.toml"), write(place / "c"), place / "run")
    return place / "run"


def test_a_run_shows_its_clips_and_tells_of_attempts_that_were_given_up(run):
    page = (run / "report.html").read_text()
    data = json.loads((run / "report.json").read_text())
    shown = [sheet["file"] for sheet in data["sheets"]]
    assert "clips.png" in shown and page.count("data:image/webp") == len(shown)
    assert any("At attempt 4 of 4" in one["text"] for one in data["statements"])


def test_a_run_makes_clips_whose_things_are_tracked(run, tmp_path):
    pipeline.generate(recipe.load(run), tmp_path / "d")
    assert pipeline.verify(tmp_path / "d", rerender=1.0).findings == ()
    data = json.loads((tmp_path / "d" / "annotations.json").read_text())
    assert [one["frames"] for one in data["videos"]] == [4, 4]
    assert data["annotations"]
    of_image = {one["id"]: one["video_id"] for one in data["images"]}
    assert {(of_image[one["image_id"]], one["track_id"]) for one in data["annotations"]} == {
        (one["video_id"], one["id"]) for one in data["tracks"]
    }


def test_a_longer_clip_begins_as_the_shorter_one(run):
    with opened(recipe.load(run)) as short:
        first = [short(k).frame.image for k in range(4)]
    with opened(recipe.load(run, ["clips.frames=8"])) as long:
        assert all(np.array_equal(image, long(k).frame.image) for k, image in enumerate(first))


def test_how_fast_things_are_cannot_be_set(run, cli, tmp_path):
    done = cli("preview", run, "--set", "clips.speed=3.0", "-o", tmp_path / "p.png")
    done.refused(2, "has learned how fast things are")
