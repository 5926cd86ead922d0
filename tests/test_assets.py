"""Folders of models in a dataset: named, frozen, told with their licences, and refused when bad."""

import json
import shutil

import numpy as np
import pytest
import trimesh
from glb import write_glb
from PIL import Image

from datagen import freezing
from datagen.language import named
from renderers._families.procedural import Kinds
from renderers._families.table import families_of
from renderers._families.vehicles import KINDS

WORLD = """
    world lot
    canvas 96 x 64
    start Scene
    asset vehicles: models "procedural"
    Scene -> overcast land car van
    overcast { draw: sky  stuff: "sky" }
    land { draw: land  stuff: "ground"  surface: asphalt }
    car {
      category: "car"
      draw: vehicles("saloon*|sedan*")
      x: -1.5 m
      y: uniform(8, 12) m
      exemplar: uniform(0, 1)
      colour: teal
      second: white
    }
    van { category: "van"  draw: vehicles("van*")  x: 1.5 m  y: 9 m }
"""
pytestmark = pytest.mark.opengl

RECIPE = 'count = 2\nshard_size = 1\n[[renderers]]\nuse = "mesh"\nsupersample = 1\n'


@pytest.fixture
def folder(tmp_path):
    """Two models, a van missing, and their licence; what lies beside is out of bounds."""
    path = tmp_path / "models"
    path.mkdir()
    trimesh.creation.box((1.8, 1.4, 4.2)).export(path / "sedan.glb")
    trimesh.creation.box((1.8, 1.1, 4.4)).export(path / "sedan-sports.glb")
    (path / "License.txt").write_text("Lot Kit\nCC0\nhttps://example.org/zero/1.0/\n")
    return path


@pytest.fixture
def recipe(write_recipe):
    return write_recipe(WORLD, RECIPE)


def read(dataset, name="annotations.json"):
    return json.loads((dataset / name).read_text())


def generate(cli, recipe, out, *options):
    done = cli("generate", recipe, "--out", out, *options)
    assert done.code == 0, done.err
    return out


def one_line(done, *words):
    """Refused as bad input, in one line that says all of these."""
    done.refused(2, *words)
    assert len(done.err.strip().splitlines()) == 1, done.err


# ------------------------------------------------------------------------------ the shipped streets


@pytest.mark.parametrize(
    "world", ["street_urban", "street_suburban", "street_rural", "street_simple"]
)
def test_a_symbol_of_the_streets_is_one_of_our_kinds_until_models_are_given(world):
    grammar = named(world)
    families = families_of(grammar)
    drawn = {s.name: s.draw for s in grammar.symbols.values() if s.draw and s.draw.label}
    assert {"hatchback", "saloon", "estate", "offroad", "van"} <= drawn.keys() <= set(KINDS)
    assert {name: families[str(draw)] for name, draw in drawn.items()} == {
        name: Kinds((name,)) for name in drawn
    }


# ----------------------------------------------------------------------------------------- --assets


def test_assets_is_short_for_a_set_of_the_one_asset_of_models(cli, recipe, folder, tmp_path):
    short = generate(cli, recipe, tmp_path / "a", "--assets", folder)
    named = generate(cli, recipe, tmp_path / "b", "--assets", f"vehicles={folder}")
    whole = generate(cli, recipe, tmp_path / "c", "--set", f"assets.vehicles={folder}")
    for name in ("recipe.json", "annotations.json", "README.md"):
        assert (short / name).read_bytes() == (named / name).read_bytes()
        assert (short / name).read_bytes() == (whole / name).read_bytes()
    own = generate(cli, recipe, tmp_path / "d")
    assert read(own)["info"]["dataset"] != read(short)["info"]["dataset"]


def test_assets_counts_from_where_one_stands(cli, recipe, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = cli("preview", recipe, "-n", 1, "-o", tmp_path / "sheet.png", "--assets", "models")
    assert done.code == 0, done.err


@pytest.mark.parametrize("verb", ["generate", "preview", "learn"])
def test_assets_without_such_a_folder_is_refused(cli, recipe, tmp_path, verb):
    given = {
        "generate": ["--out", tmp_path / "o"],
        "preview": ["-o", tmp_path / "o"],
        "learn": ["--target", tmp_path, "--out", tmp_path / "o"],
    }[verb]
    one_line(cli(verb, recipe, *given, "--assets", "no/where"), "no folder no/where")
    assert not (tmp_path / "o").exists()


def test_assets_for_a_grammar_without_models_is_refused(cli, write_recipe, folder, tmp_path):
    done = cli("generate", write_recipe(), "--out", tmp_path / "o", "--assets", folder)
    one_line(done, "no asset of kind models", 'asset vehicles: models "procedural"')


def test_assets_for_several_assets_needs_a_name(cli, write_recipe, folder, tmp_path):
    world = WORLD.replace(
        'asset vehicles: models "procedural"',
        'asset vehicles: models "procedural"\n    asset vans: models "procedural"',
    ).replace('vehicles("van*")', 'vans("van*")')
    recipe = write_recipe(world, RECIPE)
    out = ("--out", tmp_path / "o")
    one_line(cli("generate", recipe, *out, "--assets", folder), "vehicles, vans", "NAME=DIR")
    done = cli("generate", recipe, *out, "--assets", f"cars={folder}")
    one_line(done, "assets.cars", "no such asset")
    generate(cli, recipe, tmp_path / "o", "--assets", f"vehicles={folder}")


def test_a_name_that_is_no_folder_and_not_built_in_is_refused(cli, recipe, tmp_path):
    done = cli("generate", recipe, "--out", tmp_path / "o", "--set", "assets.vehicles=ours")
    one_line(done, "asset `vehicles`", "ours is not there", "`procedural`")


# ----------------------------------------------------------------------------------------- freezing


def test_models_may_move_but_not_change(cli, recipe, folder, tmp_path):
    data = generate(cli, recipe, tmp_path / "d", "--assets", folder)
    moved = folder.rename(tmp_path / "moved")
    again = ("regen", data, 1, "-o", tmp_path / "again.png")
    one_line(cli(*again), "is gone", "--set assets.vehicles=PATH")
    done = cli(*again, "--set", f"assets.vehicles={moved}")
    assert done.code == 0, done.err
    (image,) = (data / "shards").glob("*/00000001.png")
    pictures = [np.asarray(Image.open(path)) for path in (image, tmp_path / "again.png")]
    assert (pictures[0] == pictures[1]).all()
    (moved / "License.txt").write_text("other terms")
    one_line(cli(*again, "--set", f"assets.vehicles={moved}"), "is not what this recipe")


def test_a_recipe_names_a_folder_of_models_from_its_own(cli, write_recipe, folder, tmp_path):
    recipe = write_recipe(WORLD, RECIPE + '[assets]\nvehicles = "cars"\n')
    shutil.copytree(folder, recipe.parent / "cars")
    data = generate(cli, recipe, tmp_path / "d")
    assert len(read(data, "recipe.json")["assets"]["vehicles"]["sha256"]) == 64


def test_a_folder_of_far_too_much_is_refused_before_it_is_read(
    cli, recipe, folder, tmp_path, monkeypatch
):
    given = ("generate", recipe, "--out", tmp_path / "o", "--assets", folder)
    with (folder / "film.mov").open("wb") as stream:
        stream.truncate(65 * 2**30)
    one_line(cli(*given), "assets.vehicles", "more than 64 GB", "name the folder of the assets")
    monkeypatch.setattr(freezing, "MOST_FILES", 2)
    one_line(cli(*given), "assets.vehicles", "more than 2 files")


# ----------------------------------------------------------------------------------------- licences


def test_the_licences_of_the_models_are_told(cli, recipe, folder, tmp_path):
    data = generate(cli, recipe, tmp_path / "d", "--assets", folder)
    told = [{"id": 1, "name": "Lot Kit, CC0", "url": "https://example.org/zero/1.0/"}]
    assert read(data)["licenses"] == told
    assert read(data, "manifest.json")["licenses"] == told
    card = (data / "README.md").read_text()
    assert "## Licences of the models\n\n- Lot Kit, CC0 https://example.org/zero/1.0/\n" in card
    done = cli("verify", data, "--rerender", 1)
    assert done.code == 0, done.err


def test_without_models_nothing_is_told_of_licences(cli, recipe, tmp_path):
    data = generate(cli, recipe, tmp_path / "d")
    assert read(data)["licenses"] == []
    assert "licenses" not in read(data, "manifest.json")
    assert "Licences" not in (data / "README.md").read_text()


def test_a_run_that_goes_on_ends_with_the_same_bytes(cli, recipe, folder, tmp_path):
    data = generate(cli, recipe, tmp_path / "d", "--assets", folder)
    names = ("annotations.json", "README.md", "manifest.json")
    before = {name: (data / name).read_bytes() for name in names}
    (data / "_COMPLETE").unlink()
    (data / "annotations.json").unlink()
    shutil.rmtree(sorted((data / "shards").iterdir())[1])
    generate(cli, recipe, data, "--assets", folder, "--resume")
    assert {name: (data / name).read_bytes() for name in names} == before


def test_an_export_keeps_the_licences(cli, recipe, folder, tmp_path):
    data = generate(cli, recipe, tmp_path / "d", "--assets", folder)
    done = cli("export", data, "--format", "coco", "--out", tmp_path / "e")
    assert done.code == 0, done.err
    assert read(tmp_path / "e")["licenses"] == read(data)["licenses"] != []


def test_a_licence_text_is_text_in_the_card_and_no_markup(cli, recipe, folder, tmp_path):
    (folder / "License.txt").write_text("<script>x</script> [a](http://b)\x07\x1b[31m\n")
    data = generate(cli, recipe, tmp_path / "d", "--assets", folder)
    card = (data / "README.md").read_text()
    assert r"- &lt;script&gt;x&lt;/script&gt; \[a\](http://b) \[31m" in card


def test_models_without_a_licence_text_are_told_of(cli, recipe, folder, tmp_path, caplog):
    (folder / "License.txt").rename(tmp_path / "License.txt")
    data = generate(cli, recipe, tmp_path / "d", "--assets", folder)
    assert read(data)["licenses"] == []
    assert "holds no licence text" in caplog.text
    assert "name the folder above, which has License.txt" in caplog.text


def test_real_models_make_a_street_under_their_licence(cli, shared_data, tmp_path):
    kit = shared_data / "models3d" / "kenney_car_kit"
    if not kit.is_dir():
        pytest.skip(f"{kit} is not there")
    small = ("--set", "renderers.0.supersample=1", "--set", "renderers.0.shadows=256")
    data = generate(
        cli, "street_simple", tmp_path / "d", "--count", 2, "--assets", kit, "--seed", 3, *small
    )
    (licence,) = read(data)["licenses"]
    assert "CC0" in licence["name"] and "publicdomain/zero/1.0" in licence["url"]
    assert read(data, "audit.json")["findings"] == 0
    assert len(read(data)["annotations"]) > 0
    assert cli("verify", data).code == 0


# ------------------------------------------------------------------- bad inputs 18 to 22, by number


@pytest.fixture
def generated(cli, recipe, folder, tmp_path):
    """What the command says with a folder that has one model, as a dataset is asked for."""

    def run():
        for path in folder.glob("sedan*.glb"):
            path.unlink()
        return cli("generate", recipe, "--out", tmp_path / "o", "--assets", folder)

    return run


@pytest.mark.parametrize(
    "uri", ["../../../../etc/passwd", "/etc/passwd", "file:///etc/passwd", "http://192.0.2.1/a.bin"]
)
def test_18_a_model_that_names_a_file_elsewhere_is_refused(generated, folder, tmp_path, uri):
    write_glb(folder / "saloon.glb", {"buffers": [{"uri": uri, "byteLength": 36}]})
    one_line(generated(), "saloon.glb", uri, "only files in the model's own folder")
    assert not (tmp_path / "o" / "_COMPLETE").exists()


def test_19_a_model_with_materials_elsewhere_is_drawn_in_grey_with_a_warning(
    generated, folder, caplog
):
    (folder / "saloon.obj").write_text(
        "mtllib /etc/passwd\nv 0 0 0\nv 1 0 0\nv 0 1 1\nusemtl root\nf 1 2 3\n"
    )
    done = generated()
    assert done.code == 0, done.err
    assert "`/etc/passwd` are outside its folder" in caplog.text
    assert "root:" not in done.err + caplog.text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("v 0 0 0\nv 1 0 0\nv 0 nan 1\nf 1 2 3\n", "not finite"),
        ("v 0 0 0\nv 1 0 0\nv 0 1 1\n", "no faces"),
        ("v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n", "points or lines"),
        ("v 0 0 0\nv 1 0 0\nv 0 1 1\nf 1 2 9\n", "export it again"),
    ],
    ids=["nan", "no faces", "degenerate", "index"],
)
def test_20_a_model_without_a_shape_is_refused_before_anything_is_drawn(
    generated, folder, tmp_path, text, words
):
    (folder / "saloon.obj").write_text(text)
    one_line(generated(), "saloon.obj", words)
    assert not list((tmp_path / "o").glob("shards/*/*.png"))


def test_21_a_model_whose_header_lies_is_refused_unread(generated, folder):
    (folder / "saloon.ply").write_text(
        "ply\nformat binary_little_endian 1.0\nelement vertex 170000000\nproperty float x\n"
        "property float y\nproperty float z\nelement face 1\n"
        "property list uchar int vertex_indices\nend_header\n"
    )
    one_line(generated(), "saloon.ply", "its header promises")


def test_22_a_texture_too_large_to_decode_is_refused(generated, folder):
    Image.new("1", (30_000, 30_000)).save(folder / "p.png")
    (folder / "saloon.mtl").write_text("newmtl m\nmap_Kd p.png\n")
    (folder / "saloon.obj").write_text(
        "mtllib saloon.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 1\nvt 0.5 0.5\nusemtl m\nf 1/1 2/1 3/1\n"
    )
    one_line(generated(), "saloon.obj", "30000 x 30000 px", "make it smaller")
