"""Sprite packs: our own digits, idx files and image folders, and what is refused."""

import gzip
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from datagen.errors import InputError
from datagen.language import parse
from datagen.rng import Stream, rng_for
from datagen.scene import Scene, SceneNode, Transform
from renderers.raster import Renderer


def world(source="strokes", labels=("7",)):
    blocks = "\n".join(
        f't{k} {{ category: "{x}"  draw: pack("{x}") }}' for k, x in enumerate(labels)
    )
    names = " ".join(f"t{k}" for k in range(len(labels)))
    return parse(
        f'world w\ncanvas 64 x 64\nstart Scene\nasset pack: sprites "{source}"\n'
        f"Scene -> {names}\n{blocks}\n"
    )


def sprite(label, x=32.0, y=32.0, yaw=0.0, **attributes):
    node = SceneNode("t0", label, Transform(x, y, 0, yaw), attributes, f"pack:{label}")
    return Scene(SceneNode("Scene", children=(node,)), (64, 64), "", ())


def show(label="7", source="strokes", **how):
    """The frame of one sprite in the middle."""
    with Renderer().open(world(source, (label,))) as draw:
        return draw([sprite(label, **how)], [rng_for(0, 0, Stream.RENDER)])[0]


def digits(exemplars):
    """Label -> one frame for each exemplar of the built-in pack, at its own size."""
    labels = tuple("0123456789")
    with Renderer().open(world(labels=labels)) as draw:
        rngs = [rng_for(0, 0, Stream.RENDER) for _ in exemplars]
        scenes = {k: [sprite(k, exemplar=e, size=28.0) for e in exemplars] for k in labels}
        return {k: draw(scenes[k], rngs) for k in labels}


def write_idx(folder, pixels, labels, name="train"):
    images = folder / f"{name}-images-idx3-ubyte.gz"
    images.write_bytes(gzip.compress(idx_bytes(np.asarray(pixels, np.uint8))))
    beside = folder / f"{name}-labels-idx1-ubyte.gz"
    beside.write_bytes(gzip.compress(idx_bytes(np.asarray(labels, np.uint8))))
    return images


def idx_bytes(array, shape=None):
    shape = shape or array.shape
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape) + array.tobytes()


# ------------------------------------------------------------------------------ our own digits


def test_built_in_digits_are_the_same_every_time_and_all_different():
    picks = [k / 100 + 0.005 for k in range(100)]
    one, again = digits(picks), digits(picks)
    for label in "0123456789":
        pictures = [frame.image.tobytes() for frame in one[label]]
        assert pictures == [frame.image.tobytes() for frame in again[label]]
        assert len(set(pictures)) == 100


def test_each_digit_stands_upright_in_the_middle_of_its_square():
    for frames in digits([0.02, 0.3, 0.42, 0.97]).values():
        for frame in frames:
            rows, columns = np.nonzero(frame.instance_map)
            assert 16 <= rows.max() - rows.min() + 1 <= 25
            assert abs((rows.max() + rows.min() + 1) / 2 - 32) <= 1.5
            assert abs((columns.max() + columns.min() + 1) / 2 - 32) <= 1.5
            assert 25 <= rows.size <= 260


def test_digits_can_be_told_apart_by_their_mean_pictures():
    """Nearest class mean, learned on one half of the exemplars, reads most of the other half."""
    frames = digits(np.arange(0.005, 1, 0.02).tolist())
    sheets = {k: [frame.image[18:46, 18:46, 0] for frame in frames[k]] for k in frames}
    means = {label: np.mean(sheet[:25], axis=0) for label, sheet in sheets.items()}
    hits = [
        min(means, key=lambda k: float(np.square(means[k] - picture).sum())) == label
        for label, sheet in sheets.items()
        for picture in sheet[25:]
    ]
    assert np.mean(hits) > 0.8


def test_exemplar_picks_floor_of_its_share(tmp_path):
    pixels = [np.full((4, 4), level) for level in (150, 180, 210, 240)]
    images = write_idx(tmp_path, pixels, [7, 7, 7, 7])
    for exemplar, level in ((0.0, 150), (0.249, 150), (0.25, 180), (0.99, 240), (1.0, 240)):
        frame = show(source=images, exemplar=exemplar, size=20.0)
        assert frame.image[32, 32, 0] == level


def test_size_brightness_and_yaw_reach_the_picture(tmp_path):
    bar = np.zeros((9, 9))
    bar[3:6] = 255
    images = write_idx(tmp_path, [bar], [7])
    frame = show(source=images, size=36.0, brightness=0.5)
    assert frame.image.max() == 128
    assert frame.instances[0].silhouette.area == pytest.approx(36 * 12, rel=0.05)
    turned = show(source=images, size=36.0, yaw=np.pi / 2)
    assert np.array_equal(turned.instance_map, show(source=images, size=36.0).instance_map.T)


def test_a_sprite_larger_than_needed_is_averaged_not_sampled(tmp_path):
    stripes = np.zeros((256, 256))
    stripes[::2] = 255
    frame = show(source=write_idx(tmp_path, [stripes], [7]), size=16.0)
    inner = frame.image[27:37, 27:37, 0]
    assert inner.min() >= 126
    assert inner.max() <= 129


# ------------------------------------------------------------------------------------ idx files


def test_real_mnist_loads_and_reads(shared_data):
    frame = show("0", source=shared_data / "mnist" / "train-images-idx3-ubyte.gz", size=28.0)
    assert 60 < np.count_nonzero(frame.instance_map) < 300


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda raw: raw[:-3], "3997 of the 4000 bytes"),
        (lambda raw: raw + b"x", "more than the 4000 bytes"),
        (lambda raw: b"\x00\x00\x0d\x03" + raw[4:], "not an idx file"),
        (lambda raw: raw[:9], "not an idx file"),
        (lambda raw: raw[:4] + struct.pack(">3I", 2**31, 2**15, 2**15) + raw[16:], "the most are"),
        (lambda raw: raw[:4] + struct.pack(">3I", 0, 20, 20), "the most are"),
    ],
)
def test_a_damaged_idx_file_is_refused(tmp_path, damage, words):
    images = write_idx(tmp_path, np.zeros((10, 20, 20)), range(10))
    images.write_bytes(gzip.compress(damage(gzip.decompress(images.read_bytes()))))
    with pytest.raises(InputError, match=words):
        show(source=images)


def test_a_truncated_or_foreign_gzip_is_refused(tmp_path):
    images = write_idx(tmp_path, np.ones((10, 20, 20)), range(10))
    whole = images.read_bytes()
    for broken in (whole[: len(whole) // 2], b"not gzip at all", b""):
        images.write_bytes(broken)
        with pytest.raises(InputError, match="train-images"):
            show(source=images)


def test_a_gzip_bomb_is_read_no_farther_than_its_header_promises(tmp_path):
    images = write_idx(tmp_path, np.zeros((10, 20, 20)), range(10))
    bomb = idx_bytes(np.zeros(2**26, np.uint8), (10, 20, 20))
    images.write_bytes(gzip.compress(bomb, 1))
    with pytest.raises(InputError, match="more than the 4000 bytes"):
        show(source=images)


def test_missing_labels_counts_and_classes_are_named(tmp_path):
    images = write_idx(tmp_path, np.full((3, 8, 8), 255), [1, 2, 2])
    with pytest.raises(InputError, match='has no "7"; it has "1", "2"'):
        show(source=images)
    labels = tmp_path / "train-labels-idx1-ubyte.gz"
    labels.write_bytes(gzip.compress(idx_bytes(np.zeros(2, np.uint8))))
    with pytest.raises(InputError, match=r"3 images, but train-labels-idx1-ubyte\.gz has 2"):
        show(source=images)
    labels.unlink()
    with pytest.raises(InputError, match=r"train-labels-idx1-ubyte\.gz are not beside it"):
        show(source=images)


# -------------------------------------------------------------------------------- image folders


def test_an_image_folder_gives_grey_alpha_and_opaque_sprites(tmp_path):
    for name in ("grey", "cut", "photo"):
        (tmp_path / name).mkdir()
    Image.new("L", (10, 10), 200).save(tmp_path / "grey" / "a.png")
    cut = Image.new("RGBA", (10, 10), (255, 0, 0, 0))
    cut.paste((255, 0, 0, 255), (0, 0, 5, 10))
    cut.save(tmp_path / "cut" / "a.png")
    Image.new("RGB", (20, 10), (0, 0, 255)).save(tmp_path / "photo" / "a.jpg")
    assert show("grey", source=tmp_path, size=20.0).image[32, 32].tolist() == [200] * 3
    half = show("cut", source=tmp_path, size=20.0)
    assert half.instances[0].silhouette.area == pytest.approx(200, abs=20)
    assert half.image[32, 26].tolist() == [255, 0, 0]
    wide = show("photo", source=tmp_path, size=20.0)
    assert wide.instances[0].silhouette.area == 200  # 20 x 10: proportions are kept
    assert wide.image[32, 32, 2] > 250


def test_a_folder_without_classes_and_a_missing_file_say_what_is_there(tmp_path):
    (tmp_path / "readme.txt").write_text("hello")
    with pytest.raises(InputError, match=r"one per label; there: readme.txt"):
        show(source=tmp_path)
    with pytest.raises(InputError, match="is neither"):
        show(source=tmp_path / "readme.txt")
    with pytest.raises(InputError, match="is not there"):
        show(source=tmp_path / "nowhere")


@pytest.mark.parametrize("side", [1_025, 12_000, 50_000])
def test_a_huge_image_is_refused_by_its_header(tmp_path, side):
    (tmp_path / "7").mkdir()
    header = b"IHDR" + struct.pack(">2I5B", side, 10_000, 1, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    (tmp_path / "7" / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\0IDAT")
    with pytest.raises(InputError, match=rf"bomb.png: .*({side} x 10000 px|exceeds limit)"):
        show(source=tmp_path)


def test_an_image_that_is_neither_png_nor_jpeg_is_refused(tmp_path):
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "a.png").write_bytes(b"GIF89a not really")
    with pytest.raises(InputError, match="cannot be read as PNG or JPEG"):
        show(source=tmp_path)


def test_a_pack_that_nothing_draws_is_not_even_looked_for():
    text = (
        'world w\ncanvas 8 x 8\nstart S\nasset big: sprites "nowhere"\nS -> a\na { draw: rect }\n'
    )
    with Renderer().open(parse(text)):
        pass
