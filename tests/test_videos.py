"""Videos as targets: their frames are photos."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from datagen.comparing.sides import load_side
from datagen.dataset import targets, videos
from datagen.dataset.headers import UnusableError
from datagen.dataset.targets import count_pictures, first_size, load_targets
from datagen.errors import InputError
from datagen.learning.photos.windows import windows_of

TRAFFIC = Path(__file__).parents[2] / "shared" / "data" / "traffic" / "highway.mpg"
SIZE = (32, 24)  # width, height
FORMS = [
    ("v.avi", "MJPG"),
    ("v.mp4", "mp4v"),
    ("v.mov", "mp4v"),
    ("v.mkv", "mp4v"),
    ("v.ts", "mp4v"),
]


def filmed(file: Path, frames: int = 20, code: str = "MJPG", size: tuple[int, int] = SIZE) -> Path:
    """Frame k is red, 10 k in its left half (modulo 256), and black in its right half."""
    writer = cv2.VideoWriter(str(file), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*code), 10, size)
    assert writer.isOpened()
    for k in range(frames):
        image = np.zeros((size[1], size[0], 3), np.uint8)
        image[:, : size[0] // 2, 2] = 10 * k % 256
        writer.write(image)
    writer.release()
    return file


@pytest.mark.parametrize(("name", "code"), FORMS)
def test_frames_come_in_their_order_and_in_rgb(tmp_path, name, code):
    found = load_targets(filmed(tmp_path / name, code=code), SIZE)
    assert found.images.shape == (20, SIZE[1], SIZE[0], 3)
    assert found.names[:2] == ("frame_00000000", "frame_00000001")
    assert found.rejected == ()
    red = found.images[:, :, : SIZE[0] // 2 - 2].mean((1, 2))
    assert np.abs(red - np.outer(np.arange(20), [10, 0, 0])).max() < 12
    assert found.images[:, :, SIZE[0] // 2 + 4 :].mean() < 12


def test_frames_are_cropped_at_their_centre_as_photos_are(tmp_path):
    found = load_targets(filmed(tmp_path / "v.avi", size=(96, 32)), (16, 16))
    assert found.images.shape[1:] == (16, 16, 3)
    assert found.images[-1, :, :6, 0].min() > 150 > 60 > found.images[-1, :, 10:].max()


def test_of_long_videos_every_nth_frame_is_kept(tmp_path, monkeypatch):
    file = filmed(tmp_path / "v.avi", frames=21)
    assert load_targets(file, SIZE, limit=21).names[-1] == "frame_00000020"
    found = load_targets(file, SIZE, limit=20)
    assert found.names == tuple(f"frame_{k:08d}" for k in range(0, 21, 2))
    assert len(load_targets(file, SIZE, limit=5).names) == 3  # 0, 8, 16: of 6 one is too many
    monkeypatch.setattr(targets, "MAX_FRAMES", 11)
    assert load_targets(file, SIZE).digest == found.digest
    assert np.array_equal(load_targets(file, SIZE).images, found.images)


def test_no_more_is_held_than_is_kept_and_one(tmp_path):
    held = []

    def kept(frame: np.ndarray) -> np.ndarray:
        held.append(frame)
        return frame[:1, :1]

    assert len(videos.every_nth(filmed(tmp_path / "v.avi", frames=64), 4, kept)) == 4
    assert len(held) == 5 + 3 * 2 + 1  # 0 to 4; 6, 8; 12, 16; 24, 32; 48


def test_memory_bounds_the_frames_of_large_canvases(tmp_path, monkeypatch):
    monkeypatch.setattr(targets, "MAX_ARRAY_BYTES", 7 * 3 * SIZE[0] * SIZE[1])
    assert len(load_targets(filmed(tmp_path / "v.avi"), SIZE).names) == 5


def test_the_digest_follows_the_bytes_and_not_the_name(tmp_path):
    file = filmed(tmp_path / "v.avi")
    digest = load_targets(file, SIZE).digest
    assert load_targets(file.rename(tmp_path / "w.mp4"), (16, 16)).digest == digest
    assert load_targets(tmp_path / "w.mp4", SIZE, limit=10).digest != digest
    assert load_targets(filmed(tmp_path / "x.avi", frames=19), SIZE).digest != digest


def test_size_and_number_of_frames_are_told(tmp_path):
    file = filmed(tmp_path / "v.avi", frames=7)
    assert first_size(file) == SIZE
    assert count_pictures(file) == 7


def test_frames_of_a_video_follow_one_another(tmp_path):
    file = filmed(tmp_path / "v.avi", frames=24)
    found = windows_of(file, load_targets(file, SIZE).names, 5)
    assert found.tolist() == [list(range(k, k + 5)) for k in range(20)]


def test_labels_are_of_all_frames_even_where_every_nth_is_looked_at(tmp_path):
    """A limit of 20 leaves 11 frames of 21."""
    file = filmed(tmp_path / "v.avi", frames=21)
    images = [
        f'{{"id": {k}, "file_name": "{k}.png", "width": {SIZE[0]}, "height": {SIZE[1]}}}'
        for k in range(1, 22)
    ]
    labels = tmp_path / "labels.json"
    for most in (21, 20):
        labels.write_text(
            f'{{"images": [{", ".join(images[:most])}], "annotations": [], "categories": []}}'
        )
        if most == 21:
            assert len(load_side("target", file, SIZE, 20, labels).images) == 11
            continue
        with pytest.raises(InputError, match="20 images, the target folder 21"):
            load_side("target", file, SIZE, 20, labels)


def test_what_is_no_video_is_refused_in_one_line(tmp_path, capfd):
    """FFmpeg would draw the text as a film, and play what the playlist names."""
    filmed(tmp_path / "v.avi")
    (tmp_path / "a.mp4").write_text("hello " * 200)
    (tmp_path / "b.mp4").write_text("#EXTM3U\n#EXTINF:1,\nv.avi\n#EXT-X-ENDLIST\n")
    (tmp_path / "c.mp4").write_bytes(b"")
    (tmp_path / "d.heic").write_bytes(b"\0\0\0\x18ftypheic".ljust(600, b"\0"))
    for name in ("a.mp4", "b.mp4", "c.mp4", "d.heic"):
        with pytest.raises(InputError, match=f"{name}': is no MP4, MOV, .* video; give another"):
            load_targets(tmp_path / name, SIZE)
    whole = filmed(tmp_path / "v.mp4", code="mp4v").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"cut.mp4': cannot be decoded: it may be cut off"):
        load_targets(tmp_path / "cut.mp4", SIZE)
    assert capfd.readouterr().err == ""


def test_too_few_frames_are_refused(tmp_path):
    with pytest.raises(InputError, match="need at least 16 images; found 7 in .*v.avi"):
        load_targets(filmed(tmp_path / "v.avi", frames=7), SIZE, fewest=16)


def test_frames_of_a_size_that_photos_may_not_have_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("datagen.dataset.headers.MAX_PIXELS", 767)
    with pytest.raises(InputError, match=r"v.avi': more than .* \(32 x 24\); give another"):
        load_targets(filmed(tmp_path / "v.avi"), SIZE)


def test_a_path_that_is_no_unicode_is_refused(tmp_path):
    file = filmed(tmp_path / "v.avi").rename(tmp_path / os.fsdecode(b"\xff.avi"))
    with pytest.raises(InputError, match="path is not valid Unicode"):
        load_targets(file, SIZE)


def test_a_folder_says_of_a_video_in_it_how_it_is_read(tmp_path):
    filmed(tmp_path / "clip.avi")
    for k in range(2):
        cv2.imwrite(str(tmp_path / f"{k}.png"), np.zeros((9, 9, 3), np.uint8))
    found = load_targets(tmp_path, (8, 8))
    assert found.rejected == (("clip.avi", "a video; it is read when it is given by itself"),)


@pytest.mark.parametrize("place", ["nowhere.mp4", "."])
def test_only_files_are_asked_for_frames(tmp_path, place):
    with pytest.raises(UnusableError, match="cannot be read"):
        videos.count_frames(tmp_path / place)


def test_a_real_video_of_traffic_loads():
    if not TRAFFIC.is_file():
        pytest.skip("../shared/data/traffic is not here")
    found = load_targets(TRAFFIC, (64, 48))
    assert found.images.shape == (1700, 48, 64, 3)  # its header says 1694
    assert 40 < found.images.mean() < 200
