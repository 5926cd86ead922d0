"""Label maps of any tool as classes of a world: what is read, how names meet, what is refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datagen.errors import InputError
from datagen.language import named, parse
from datagen.pipeline import generate
from datagen.reading.maps import read_maps, read_pair
from datagen.recipe import load
from datagen.rng import Stream, rng_for

WORLD = """
world small
canvas {} x {}
start Scene
Scene -> car person sky road
car    {{ draw: rect  category: "car" }}
person {{ draw: rect  category: "pedestrian" }}
sky    {{ draw: rect  stuff: "sky" }}
road   {{ draw: rect  stuff: "road" }}
"""
CAR, PEDESTRIAN, SKY, ROAD = 1, 2, 3, 4


def world(width=40, height=30):
    return parse(WORLD.format(width, height))


def save(path: Path, pixels: np.ndarray, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def quarters(*values, size=(40, 30), dtype: type = np.uint8):
    """[H, W] of four rectangles: upper left, upper right, lower left, lower right."""
    width, height = size
    return np.kron(np.array(values, dtype).reshape(2, 2), np.ones((height // 2, width // 2), dtype))


def photo(value=90, size=(40, 30)):
    return np.full((size[1], size[0], 3), value, np.uint8)


def folder_of_maps(folder: Path, count=2, images=True, classes="-\nCar\nPerson\nsky\nRoad\n"):
    """`classes.txt`, maps and pictures as a user would make them."""
    for k in range(count):
        save(folder / f"maps/{k}.png", quarters(0, 1, 2, 4))
        if images:
            save(folder / f"images/{k}.jpg", photo(10 * k), quality=95)
    (folder / "classes.txt").write_text(classes)
    return folder


def corners(class_map):
    return [class_map[y, x] for y in (0, -1) for x in (0, -1)]


# -------------------------------------------------------------------------------------- kinds


def test_a_folder_of_a_users_own_is_read_by_the_names_in_its_list(tmp_path):
    maps = read_maps(folder_of_maps(tmp_path / "own"), world())
    assert (maps.kind, maps.names, len(maps)) == ("maps", ("0.png", "1.png"), 2)
    assert (maps.categories, maps.stuff, maps.classes) == (
        ("car", "pedestrian"), ("sky", "road"), 5
    )  # fmt: skip
    assert corners(maps.class_map(0)) == [0, CAR, PEDESTRIAN, ROAD]
    assert maps.class_map(0).dtype == np.uint8 and maps.has_images and not maps.rejected
    assert abs(maps.image(1).astype(int) - 10).max() <= 2


def test_camvids_maps_lie_beside_its_pictures(tmp_path):
    save(tmp_path / "train/a.jpg", photo())
    save(tmp_path / "trainannot/a.png", quarters(0, 8, 9, 11))
    maps = read_maps(tmp_path / "train", world())
    assert maps.kind == "camvid" and maps.names == ("a.jpg",)
    assert corners(maps.class_map(0)) == [SKY, CAR, PEDESTRIAN, 0]
    assert maps.image(0).shape == (30, 40, 3)


@pytest.mark.parametrize(
    ("map_file", "picture", "target"),
    [
        ("train_A/s0/x.png", "train_B/s0/x.jpg", "."),
        (
            "gtFine/train/bonn/bonn_1_gtFine_labelIds.png",
            "leftImg8bit/train/bonn/bonn_1_leftImg8bit.png",
            "leftImg8bit/train",
        ),
    ],
)
def test_cityscapes_is_read_by_its_label_ids(tmp_path, map_file, picture, target):
    save(tmp_path / map_file, quarters(23, 26, 24, 7))
    save(tmp_path / picture, photo(33))
    maps = read_maps(tmp_path / target, world())
    assert maps.kind == "cityscapes" and len(maps) == 1
    assert corners(maps.class_map(0)) == [SKY, CAR, PEDESTRIAN, ROAD]
    assert abs(maps.image(0).astype(int) - 33).max() <= 2


def test_pairs_of_facades_are_cut_and_colours_become_classes(tmp_path):
    grammar = named("facade")
    right = photo(0, (128, 128))
    right[:] = (0, 48, 255)
    right[20:60, 20:60] = (0, 128, 255)
    right[100:, :] = (0, 0, 222)
    pair = np.concatenate([photo(120, (128, 128)), right], axis=1)
    save(tmp_path / "f/1.jpg", pair, quality=80)
    maps = read_maps(tmp_path / "f", grammar)
    assert maps.kind == "facades" and abs(maps.image(0)[:, :112].astype(int) - 120).max() < 5
    seen = maps.class_map(0)
    wall = maps.classes - 1
    assert (seen[2:18].mean(), seen[40, 40], seen[120, 64]) == (
        wall, 1 + grammar.categories.index("window"), 0
    )  # fmt: skip
    # What JPEG blurs at an edge is one of the two classes that meet there, and no third.
    assert set(np.unique(seen)) == {0, wall, seen[40, 40]}


def test_our_own_datasets_are_read_by_their_class_pass(tmp_path, write_recipe):
    recipe = load(write_recipe(recipe='count = 3\npasses = ["class"]\n'))
    generate(recipe, tmp_path / "d")
    maps = read_maps(tmp_path / "d", recipe.world())
    assert maps.kind == "dataset" and len(maps) == 3 and maps.has_images
    assert {0, 1} == set(np.unique(maps.class_map(0)))
    files = sorted((tmp_path / "d/shards").glob("*/*[0-9].png"))
    for k, file in enumerate(files):
        assert np.array_equal(maps.image(k), np.asarray(Image.open(file)))


def test_a_dataset_without_the_pass_says_how_to_get_it(tmp_path, write_recipe):
    generate(load(write_recipe()), tmp_path / "d")
    with pytest.raises(InputError, match="no maps of classes; make it again with.*passes="):
        read_maps(tmp_path / "d", world())


# --------------------------------------------------------------------------------------- names


def test_another_name_of_the_same_thing_is_understood(tmp_path):
    own = folder_of_maps(tmp_path / "own", classes="-\nCAR\nperson\nSky\nlane\n")
    assert corners(read_maps(own, world()).class_map(0)) == [0, CAR, PEDESTRIAN, 0]


def test_names_that_the_world_lacks_are_told_with_their_share_of_the_pixels(tmp_path):
    folder = folder_of_maps(tmp_path / "own", classes="-\nCar\nmoon\nwell\nkite\n")
    save(folder / "maps/1.png", quarters(0, 1, 4, 4))
    maps = read_maps(folder, world())
    assert list(maps.ignored.items()) == [("kite", 3 / 8), ("moon", 1 / 8)]  # none shows a well
    assert read_maps(folder_of_maps(tmp_path / "known"), world()).ignored == {}


def test_a_photo_of_a_folder_of_label_maps_is_read_with_its_own_map_alone(tmp_path, write_recipe):
    folder_of_maps(tmp_path / "own", 3)
    for name in ("a", "b"):
        save(tmp_path / f"train/{name}.jpg", photo())
        save(tmp_path / f"trainannot/{name}.png", quarters(0, 8, 9, 11))
    recipe = load(write_recipe(recipe='count = 2\npasses = ["class"]\n'))
    generate(recipe, tmp_path / "d")
    shot = sorted(p for p in (tmp_path / "d/shards").rglob("*.png") if p.name.count(".") == 1)[1]
    for file, grammar, kind in (
        (tmp_path / "own/images/1.jpg", world(), "maps"),
        (tmp_path / "train/b.jpg", world(), "camvid"),
        (shot, recipe.world(), "dataset"),
    ):
        pair = read_pair(file, grammar)
        assert (pair.kind, len(pair)) == (kind, 1) and pair.source.items[0].image == file
        whole = read_maps(pair.folder, grammar)
        assert np.array_equal(pair.class_map(0), whole.class_map(1))
        assert np.array_equal(pair.image(0), whole.image(1))


def test_a_name_that_the_world_has_itself_comes_before_others_like_it(tmp_path):
    both = WORLD.replace('"pedestrian"', '"person"').replace('"sky"', '"pedestrian"')
    own = folder_of_maps(tmp_path / "own", classes="-\ncar\npedestrian\nsky\nroad\n")
    grammar = parse(both.format(40, 30))
    assert corners(read_maps(own, grammar).class_map(0)) == [0, CAR, 3, ROAD]


# ---------------------------------------------------------------------------------------- sizes


def test_items_are_brought_to_the_canvas_by_their_middle_and_never_stretched(tmp_path):
    wide = np.zeros((30, 60), np.uint8)
    wide[:, 10:50] = 1  # the middle of 4:3
    save(tmp_path / "own/maps/0.png", wide)
    save(tmp_path / "own/images/0.png", np.repeat(wide[..., None] * 200, 3, axis=2))
    (tmp_path / "own/classes.txt").write_text("-\ncar\n")
    maps = read_maps(tmp_path / "own", world(20, 15))
    assert maps.size == (20, 15) and (maps.class_map(0) == CAR).all()
    assert maps.image(0).shape == (15, 20, 3) and (maps.image(0) == 200).all()


def test_classes_are_never_mixed_where_a_map_shrinks_or_grows(tmp_path):
    rng = rng_for(0, 0, Stream.SCENE)
    for k, (width, height) in enumerate([(400, 300), (36, 27), (41, 31)]):
        values = rng.choice([0, 1, 4], (height, width)).astype(np.uint8)
        save(tmp_path / f"own/maps/{k}.png", values)
    (tmp_path / "own/classes.txt").write_text("-\ncar\nperson\nsky\nroad\n")
    maps = read_maps(tmp_path / "own", world())
    for k in range(3):
        assert set(np.unique(maps.class_map(k))) == {0, CAR, ROAD}


# -------------------------------------------------------------------------------------- digest


def test_the_digest_is_of_the_content_and_not_of_the_place(tmp_path):
    one = read_maps(folder_of_maps(tmp_path / "one"), world())
    assert read_maps(folder_of_maps(tmp_path / "two"), world()).digest == one.digest
    save(tmp_path / "two/images/1.jpg", photo(77))
    assert read_maps(tmp_path / "two", world()).digest != one.digest
    (tmp_path / "one/classes.txt").write_text("-\nsky\nperson\ncar\nroad\n")
    assert read_maps(tmp_path / "one", world()).digest != one.digest


# ----------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (quarters(0, 1, 2, 9), r"0.png: holds the class 9, but classes.txt names 5 \(0 to 4\)"),
        (quarters(0, 1, 2, 4, size=(20, 30)), "has 20 x 30 px, its picture 40 x 30; make them eq"),
        (quarters(0, 1, 2, 4, dtype=np.uint16), "has 16 bits a pixel; give maps of 8 bits"),
        (photo(), r"its pixels are colours \(RGB\); give maps of class numbers"),
        (quarters(0, 0, 0, 0), "show nothing, none of which the world small has; .* car, pedes"),
    ],
)
def test_a_map_that_cannot_be_meant_is_refused_with_one_line(tmp_path, values, words):
    own = folder_of_maps(tmp_path / "own", count=1)
    save(own / "maps/0.png", values)
    with pytest.raises(InputError, match=words) as caught:
        read_maps(own, world())
    assert "\n" not in str(caught.value)


def test_camvids_and_cityscapes_values_end_where_their_classes_do(tmp_path):
    save(tmp_path / "train/a.jpg", photo())
    save(tmp_path / "trainannot/a.png", quarters(0, 8, 9, 12))
    with pytest.raises(InputError, match="class 12, and those of camvid are 0 to 11"):
        read_maps(tmp_path / "train", world())
    save(tmp_path / "c/train_A/x.png", quarters(7, 255, 34, 7))
    save(tmp_path / "c/train_B/x.jpg", photo())
    with pytest.raises(InputError, match="class 34, and those of cityscapes are 0 to 33"):
        read_maps(tmp_path / "c", world())


def test_a_world_that_shares_no_class_is_refused_with_both_lists(tmp_path):
    own = folder_of_maps(tmp_path / "own", classes="-\ncat\ndog\nbird\nfish\n")
    with pytest.raises(InputError, match="show cat, dog, fish, none of .* pedestrian, sky, road"):
        read_maps(own, world())


def test_maps_without_pictures_are_read_until_a_picture_is_asked_for(tmp_path):
    maps = read_maps(folder_of_maps(tmp_path / "own", images=False), world())
    assert not maps.has_images and corners(maps.class_map(1)) == [0, CAR, PEDESTRIAN, ROAD]
    with pytest.raises(InputError, match="holds no pictures; put them into its folder `images`"):
        maps.image(0)


def test_a_few_files_that_cannot_be_used_are_told_and_many_are_refused(tmp_path):
    own = folder_of_maps(tmp_path / "own", count=12)
    (own / "images/3.jpg").unlink()
    maps = read_maps(own, world())
    assert len(maps) == 11
    assert maps.rejected == (("3.png", "no picture of images is named like it"),)
    (own / "images/4.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match="2 of 12 pictures cannot be used"):
        read_maps(own, world())


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("", "classes.txt:1: is an empty line; write the name of value 0"),
        ("car\n\nsky\n", "classes.txt:2: is an empty line; write the name of value 1"),
        ("x\n" * 257, "has 257 names; maps of 8 bits hold 256"),
    ],
)
def test_a_list_of_classes_with_a_hole_is_refused(tmp_path, lines, words):
    with pytest.raises(InputError, match=words):
        read_maps(folder_of_maps(tmp_path / "own", classes=lines), world())


def test_what_is_no_folder_of_label_maps_is_refused_with_what_can_be_read(tmp_path):
    save(tmp_path / "photos/a.jpg", photo())
    with pytest.raises(InputError, match=r"photos: no label maps .* CamVid.*classes.txt, maps"):
        read_maps(tmp_path / "photos", world())
    with pytest.raises(InputError, match="nowhere: is not there"):
        read_maps(tmp_path / "nowhere", world())
    with pytest.raises(InputError, match=r"a.jpg: is a file; give a folder of label maps"):
        read_maps(tmp_path / "photos/a.jpg", world())


# ----------------------------------------------------------------------------------- real data


@pytest.mark.parametrize(
    ("folder", "grammar", "count", "least"),
    [
        ("camvid/train", "street_2d", 367, {"road": 0.1, "building": 0.1, "car": 0.01}),
        ("cityscapes", "street_2d", 24, {"road": 0.3, "tree": 0.1, "sidewalk": 0.01}),
        ("facades", "facade", 80, {"wall": 0.3, "window": 0.1, "door": 0.005}),
    ],
)
def test_the_real_folders_are_what_they_are_called(shared_data, folder, grammar, count, least):
    maps = read_maps(shared_data / folder, named(grammar))
    assert len(maps) == count and not maps.rejected and maps.has_images
    chosen = range(0, count, count // 12)
    shares = np.mean(
        [np.bincount(maps.class_map(k).ravel(), minlength=maps.classes) for k in chosen], axis=0
    )
    shares /= shares.sum()
    names = ("", *maps.categories, *maps.stuff)
    for name, share in least.items():
        assert shares[names.index(name)] >= share, name
    assert maps.image(0).shape == (maps.size[1], maps.size[0], 3)
