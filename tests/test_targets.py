import io
import json
import os
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datagen.dataset.targets import (
    count_pictures,
    find_photos,
    first_size,
    load_targets,
    window,
    write_rejected,
)
from datagen.errors import InputError
from datagen.rng import Stream, rng_for

DATA = Path(__file__).parents[2] / "shared" / "data"


def picture(seed: int = 0, height: int = 24, width: int = 24) -> np.ndarray:
    rng = rng_for(seed, 0, Stream.EVALUATE)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def good(folder: Path, count: int = 3) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(count):
        Image.fromarray(picture(k)).save(folder / f"good{k}.png")


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def reason(folder: Path, name: str, data: bytes) -> str:
    """Why the file `name` is left out beside three good ones."""
    good(folder)
    (folder / name).write_bytes(data)
    targets = load_targets(folder, (24, 24))
    assert targets.names == ("good0.png", "good1.png", "good2.png")
    assert [n for n, _ in targets.rejected] == [name]
    return targets.rejected[0][1]


def loaded(folder: Path, image: Image.Image, form: str, size: tuple[int, int], **options: object):
    """One file as it comes out, uint8 [h, w, 3]."""
    for name in "ab":
        (folder / name).write_bytes(encoded(image, form, **options))
    return load_targets(folder, size).images[0]


def png_of_size(width: int, height: int) -> bytes:
    """A PNG whose header claims a size and whose pixels are a few compressed zeros."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_pixels_names_and_order_are_those_of_the_folder(tmp_path):
    good(tmp_path / "b", 1)
    good(tmp_path / "a" / "deep", 2)
    targets = load_targets(tmp_path, (24, 24))
    assert targets.names == ("a/deep/good0.png", "a/deep/good1.png", "b/good0.png")
    assert targets.images.dtype == np.uint8
    assert np.array_equal(targets.images, np.stack([picture(0), picture(1), picture(0)]))
    assert targets.rejected == ()


def test_the_digest_follows_names_and_bytes_and_nothing_else(tmp_path):
    for name in ("one", "two", "three"):
        good(tmp_path / name)
    digest = load_targets(tmp_path / "one", (24, 24)).digest
    os.utime(tmp_path / "two" / "good0.png", (1, 1))
    (tmp_path / "two" / ".DS_Store").write_bytes(b"litter")
    assert load_targets(tmp_path / "two", (16, 16)).digest == digest
    (tmp_path / "two" / "good0.png").rename(tmp_path / "two" / "good00.png")
    assert load_targets(tmp_path / "two", (24, 24)).digest != digest
    Image.fromarray(picture(9)).save(tmp_path / "three" / "good2.png")
    assert load_targets(tmp_path / "three", (24, 24)).digest != digest


def test_a_photo_is_cropped_at_its_centre_and_never_stretched(tmp_path):
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, :20], wide[:, 20:40], wide[:, 40:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    image = loaded(tmp_path, Image.fromarray(wide), "PNG", (10, 10))
    assert (image == (0, 255, 0)).all()


@pytest.mark.parametrize("shape", [(20, 60), (60, 20), (31, 31), (8, 999)])
@pytest.mark.parametrize("size", [(10, 10), (16, 9), (1, 50)])
def test_the_part_of_a_photo_that_is_seen_has_a_known_place(tmp_path, shape, size):
    left, top, width, height = window(shape[1], shape[0], size)
    photo = np.zeros((*shape, 3), np.uint8)
    photo[top : top + height, left : left + width] = 255
    assert (loaded(tmp_path, Image.fromarray(photo), "PNG", size) == 255).all()
    assert 0 <= left <= shape[1] - width - left <= left + 1
    assert 0 <= top <= shape[0] - height - top <= top + 1


def test_photos_one_by_one_keep_their_own_sizes(tmp_path):
    good(tmp_path / "a", 1)
    Image.fromarray(picture(1, 30, 50)).save(tmp_path / "b.png")
    (tmp_path / "notes.txt").write_text("none")
    (tmp_path / "odd\n.png").write_bytes((tmp_path / "b.png").read_bytes())
    there = find_photos(tmp_path)
    assert there.names == ("a/good0.png", "b.png")
    assert [name for name, _ in there.rejected] == ["notes.txt", "odd\n.png"]
    for name, pixels in (("a/good0.png", picture(0)), ("b.png", picture(1, 30, 50))):
        assert np.array_equal(there.load(name), pixels)


@pytest.mark.parametrize("size", [(8, 8), (64, 64), (100, 9), (9, 100), (1, 1)])
def test_every_wanted_size_comes_out_exactly(tmp_path, size):
    good(tmp_path)
    assert load_targets(tmp_path, size).images.shape == (3, size[1], size[0], 3)


def test_shrinking_averages_the_area(tmp_path):
    fine = np.zeros((64, 64, 3), np.uint8)
    fine[::2] = 200
    assert (loaded(tmp_path, Image.fromarray(fine), "PNG", (8, 8)) == 100).all()


def test_16_bit_greyscale_keeps_its_high_byte(tmp_path):
    ramp = np.arange(24 * 24, dtype=np.uint16).reshape(24, 24) * 113
    image = loaded(tmp_path, Image.fromarray(ramp), "PNG", (24, 24))
    assert np.array_equal(image, np.repeat((ramp >> 8).astype(np.uint8)[:, :, None], 3, axis=2))


def test_transparency_is_laid_over_black(tmp_path):
    rgba = np.full((24, 24, 4), 200, np.uint8)
    rgba[:12, :, 3], rgba[12:, :, 3] = 0, 128
    image = loaded(tmp_path, Image.fromarray(rgba), "PNG", (24, 24))
    assert (image[:12] == 0).all()
    assert np.abs(image[12:].astype(int) - 100).max() <= 1


def test_a_transparent_palette_entry_is_black_too(tmp_path):
    palette = Image.new("P", (24, 24), 1)
    palette.putpalette([10, 20, 30, 200, 100, 50])
    palette.paste(0, (0, 0, 24, 12))
    image = loaded(tmp_path, palette, "PNG", (24, 24), transparency=0)
    assert (image[:12] == 0).all()
    assert (image[12:] == (200, 100, 50)).all()


@pytest.mark.parametrize(
    ("mode", "form"),
    [("1", "PNG"), ("L", "PNG"), ("LA", "PNG"), ("P", "PNG"), ("L", "JPEG"), ("CMYK", "JPEG"),
     ("YCbCr", "JPEG"), ("RGB", "WEBP"), ("RGBA", "WEBP"), ("RGB", "BMP"), ("P", "BMP")],
)  # fmt: skip
def test_every_colour_mode_becomes_rgb(tmp_path, mode, form):
    source = Image.new("RGB", (24, 24), (255, 255, 255)).convert(mode)
    image = loaded(tmp_path, source, form, (24, 24))
    assert image.shape == (24, 24, 3)
    assert image.min() >= 250


def test_an_exif_rotation_is_applied(tmp_path):
    tall = np.zeros((40, 20, 3), np.uint8)
    tall[:20] = 255  # white above black; orientation 6 means: turn 90 degrees clockwise to see it
    exif = Image.Exif()
    exif[0x0112] = 6
    image = loaded(tmp_path, Image.fromarray(tall), "PNG", (40, 20), exif=exif)
    assert (image[:, :20] == 0).all()
    assert (image[:, 20:] == 255).all()


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_of_an_animation_the_first_picture_is_taken(tmp_path, form):
    frames = [Image.new("RGB", (24, 24), (value, 0, 0)) for value in (250, 10, 10)]
    options = {"save_all": True, "append_images": frames[1:], "lossless": True}
    image = loaded(tmp_path, frames[0], form, (24, 24), **options)
    assert (image == (250, 0, 0)).all()


def test_the_extension_does_not_matter(tmp_path):
    (tmp_path / "a.txt").write_bytes(encoded(Image.fromarray(picture()), "PNG"))
    (tmp_path / "--rf").write_bytes(encoded(Image.fromarray(picture()), "BMP"))
    assert np.array_equal(load_targets(tmp_path, (24, 24)).images[1], picture())


def test_a_truncated_jpeg_is_left_out(tmp_path):
    data = encoded(Image.fromarray(picture(0, 200, 200)), "JPEG")
    assert "truncated" in reason(tmp_path, "bad.jpg", data[: len(data) // 2])


def test_a_truncated_png_is_left_out(tmp_path):
    data = encoded(Image.fromarray(picture(0, 200, 200)), "PNG")
    assert "cannot be decoded" in reason(tmp_path, "bad.png", data[: len(data) // 2])


def test_an_empty_file_is_left_out(tmp_path):
    assert reason(tmp_path, "bad.png", b"") == "the file is empty"


@pytest.mark.parametrize(
    "data",
    [
        b"hello, this is text\n",
        b"SIMPLE  =                    T / FITS\n" + b" " * 3000,
        b"8BPS\x00\x01" + bytes(40),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        encoded(Image.fromarray(picture()), "TIFF"),
        encoded(Image.fromarray(picture()), "GIF"),
    ],
    ids=["text", "fits", "psd", "svg", "eps", "tiff", "gif"],
)
def test_another_format_under_a_png_name_is_left_out(tmp_path, data):
    assert reason(tmp_path, "bad.png", data) == "not a PNG, JPEG, WebP or BMP image"


@pytest.mark.parametrize("size", [(50_000, 50_000), (10_000, 9_500), (7000, 6000)])
def test_a_bomb_is_left_out_by_its_header(tmp_path, size):
    began = time.process_time()
    assert "more than 40 million pixels" in reason(tmp_path, "bad.png", png_of_size(*size))
    assert time.process_time() - began < 1


def test_an_image_of_one_pixel_is_left_out(tmp_path):
    assert "smaller than 8 px" in reason(tmp_path, "bad.png", png_of_size(1, 1))


def test_what_is_no_file_is_left_out(tmp_path):
    good(tmp_path / "photos", 4)
    os.mkfifo(tmp_path / "photos" / "pipe.png")
    (tmp_path / "photos" / "broken.png").symlink_to("nowhere")
    (tmp_path / "photos" / "loop").symlink_to(tmp_path / "photos")
    targets = load_targets(tmp_path / "photos", (24, 24))
    assert len(targets.images) == 4
    assert [name for name, _ in targets.rejected] == ["broken.png", "loop", "pipe.png"]


def test_damaged_bytes_never_raise(tmp_path):
    rng = rng_for(1, 0, Stream.EVALUATE)
    good(tmp_path, 200)
    for k in range(180):
        form = ("PNG", "JPEG", "WEBP", "BMP")[k % 4]
        data = bytearray(encoded(Image.fromarray(picture(k)), form))
        for place in rng.integers(0, min(len(data), 200), 3):
            data[place] = rng.integers(0, 256)
        (tmp_path / f"hurt{k}").write_bytes(data)
    targets = load_targets(tmp_path, (24, 24))
    assert len(targets.images) + len(targets.rejected) == 380
    assert len(targets.rejected) > 20
    assert all("\n" not in why for _, why in targets.rejected)


def test_strange_file_names_are_data(tmp_path):
    names = [
        b"with space.png",
        b"<script>alert(1)<_script>",
        b"line\nbreak",
        b"\xff\xfe.png",
        "grün 東京".encode(),
        b"x" * 251 + b".png",
        b"'\"&;$(rm).png",
    ]
    for name in names:
        with open(os.path.join(os.fsencode(tmp_path), name), "wb") as file:
            file.write(encoded(Image.fromarray(picture()), "PNG"))
    with open(os.path.join(os.fsencode(tmp_path), b"bad\xff\n.png"), "wb") as file:
        file.write(b"no image")
    targets = load_targets(tmp_path, (24, 24))
    assert len(set(targets.names)) == len(names)
    assert "\\xff\\xfe.png" in targets.names
    json.dumps(targets.names, ensure_ascii=False).encode("utf-8")
    write_rejected(tmp_path / "rejected.jsonl", targets.rejected)
    lines = (tmp_path / "rejected.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"name": "bad\\xff\n.png", "reason": "not a PNG, JPEG, WebP or BMP image"}
    ]


@pytest.fixture
def dataset(cli, write_recipe, tmp_path) -> Path:
    made = write_recipe(recipe='count = 3\npasses = ["class", "amodal"]\n')
    assert cli("generate", made, "--out", tmp_path / "dataset").code == 0
    return tmp_path / "dataset"


def test_passes_of_a_dataset_are_not_pictures_of_it(dataset):
    assert len(list(dataset.glob("shards/*/*.class.png"))) == 3
    targets = load_targets(dataset, (48, 32))
    assert [Path(name).name for name in targets.names] == [f"0000000{k}.png" for k in range(3)]
    assert targets.rejected == ()
    assert count_pictures(dataset) == 3


def test_a_dataset_that_is_not_finished_is_refused(dataset):
    (dataset / "_COMPLETE").unlink()
    with pytest.raises(InputError, match="is not finished; run `datagen generate` with --resume"):
        load_targets(dataset, (48, 32))


@pytest.mark.parametrize("name", ["../x.png", "/x.png", "a\0b", "\ud800"])
def test_a_dataset_never_leads_out_of_its_folder(dataset, name):
    empty = {"images": [{"file_name": name}], "annotations": [], "categories": []}
    (dataset / "annotations.json").write_text(json.dumps(empty))
    with pytest.raises(InputError, match="outside of it or nowhere"):
        load_targets(dataset, (48, 32))


@pytest.mark.parametrize("read", [lambda folder: load_targets(folder, (24, 24)), first_size])
def test_a_run_of_learn_is_no_folder_of_pictures(tmp_path, read):
    good(tmp_path)  # its contact sheets
    for name in ("recipe.json", "metrics.jsonl", "model.safetensors"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(InputError, match="is a run of `datagen learn`.* `datagen generate"):
        read(tmp_path)


def test_pictures_are_counted_by_their_headers(tmp_path):
    good(tmp_path, 3)
    data = encoded(Image.fromarray(picture(9)), "PNG")
    (tmp_path / "torn.png").write_bytes(data[:-20])
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "bomb.png").write_bytes(png_of_size(50_000, 50_000))
    assert count_pictures(tmp_path) == 4


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="photos' is not there; give a folder"):
        load_targets(tmp_path / "photos", (24, 24))


def test_a_photo_in_place_of_a_folder_is_refused(tmp_path):
    good(tmp_path)
    words = r"good0.png': is no MP4.* video; give another video, or a folder of photos"
    with pytest.raises(InputError, match=words):
        load_targets(tmp_path / "good0.png", (24, 24))


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="has no files; need at least 2 images"):
        load_targets(tmp_path, (24, 24))


def test_one_image_is_too_few(tmp_path):
    good(tmp_path, 1)
    with pytest.raises(InputError, match="need at least 2 images; found 1 in"):
        load_targets(tmp_path, (24, 24))


def test_who_needs_more_images_hears_why_others_were_left_out(tmp_path):
    good(tmp_path, 3)
    (tmp_path / "bad.png").write_bytes(b"")
    words = r"need at least 4 images; found 3 in .*'bad.png': the file is empty"
    with pytest.raises(InputError, match=words):
        load_targets(tmp_path, (24, 24), fewest=4)
    assert len(load_targets(tmp_path, (24, 24), fewest=3).images) == 3


def test_less_than_half_usable_is_refused_with_the_first_reasons(tmp_path):
    good(tmp_path, 2)
    for k in range(2):
        (tmp_path / f"bad{k}.png").write_bytes(b"")
    assert len(load_targets(tmp_path, (24, 24)).images) == 2
    (tmp_path / "bad2.png").write_bytes(b"text")
    with pytest.raises(InputError, match=r"only 2 of 5 files .*'bad0.png': the file is empty"):
        load_targets(tmp_path, (24, 24))


def test_a_limit_spreads_over_the_folder_and_replaces_bad_files(tmp_path):
    good(tmp_path, 9)
    assert load_targets(tmp_path, (24, 24), limit=3).names == (
        "good0.png", "good3.png", "good6.png")  # fmt: skip
    (tmp_path / "good3.png").write_bytes(b"")
    targets = load_targets(tmp_path, (24, 24), limit=3)
    assert targets.names == ("good0.png", "good1.png", "good6.png")
    assert [name for name, _ in targets.rejected] == ["good3.png"]
    assert len(load_targets(tmp_path, (24, 24), limit=100).images) == 8


def test_a_request_that_cannot_be_met_is_refused_before_reading(tmp_path):
    good(tmp_path)
    with pytest.raises(InputError, match="limit of target images is 1; give 2 or more"):
        load_targets(tmp_path, (24, 24), limit=1)
    with pytest.raises(InputError, match="GiB of memory; limit them to"):
        load_targets(tmp_path, (40_000, 40_000))
    with pytest.raises(InputError, match="0 x 24"):
        load_targets(tmp_path, (0, 24))


def test_a_thousand_small_photos_load_within_a_second_and_a_half(tmp_path):
    for k in range(1000):
        (tmp_path / f"{k:04d}.png").write_bytes(
            encoded(Image.fromarray(picture(k % 7, 16, 16)).resize((128, 128), 0), "PNG")
        )
    began = time.process_time()
    assert len(load_targets(tmp_path, (128, 128)).images) == 1000
    assert time.process_time() - began < 1.5


@pytest.mark.parametrize(
    ("folder", "size", "count"), [("camvid/train", (128, 96), 367), ("kitti", (310, 94), 58)]
)
def test_real_street_photos_load(folder, size, count):
    if not (DATA / folder).is_dir():
        pytest.skip(f"../shared/data/{folder} is not here")
    targets = load_targets(DATA / folder, size)
    assert targets.images.shape == (count, size[1], size[0], 3)
    assert targets.rejected == ()
    assert 40 < targets.images.mean() < 200
    assert targets.images.std(axis=(1, 2, 3)).min() > 10
