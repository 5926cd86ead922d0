"""Model files: what a folder of them becomes, and what is refused before anything is drawn."""

import json
import logging
import math
import struct
import time
import zlib

import numpy as np
import pytest
import trimesh
from glb import write_glb
from PIL import Image
from trimesh.visual.material import PBRMaterial
from trimesh.visual.texture import TextureVisuals

from datagen.dataset.licences import licences
from datagen.errors import InputError
from datagen.grammar import Asset
from renderers._families.files import load_models
from renderers._families.models import loading
from renderers._families.models.limits import MOST_BYTES, MOST_TRIANGLES
from renderers._families.procedural import kinds_of
from renderers._families.vehicles import KINDS, Vehicle

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


@pytest.fixture
def folder(tmp_path):
    """The asset's folder; what lies beside it is out of bounds."""
    path = tmp_path / "assets"
    path.mkdir()
    return path


@pytest.fixture
def car_kit(shared_data):
    kit = shared_data / "models3d" / "kenney_car_kit"
    if not kit.is_dir():
        pytest.skip(f"{kit} is not there")
    return kit


def load(folder):
    return load_models(Asset("cars", "models", str(folder)))


def family(folder, label="*"):
    return load(folder).family(label, "car")


def procedural(label):
    return load_models(Asset("cars", "models", "procedural")).family(label, "car")


def only(folder):
    """The single model of a folder."""
    (model,) = family(folder).models
    return model


def refused(folder, *words, label="*"):
    """Refused with one line that says all of these."""
    with pytest.raises(InputError) as caught:
        family(folder, label)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message


def write_box(folder, name="box.glb", extents=(2.0, 1.0, 4.0), **how):
    """glTF axes: 2 across, 1 high, 4 long."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    trimesh.creation.box(extents, **how).export(path)
    return path


def triangle(points=((0, 0, 0), (1, 0, 0), (0, 1, 1)), indices=(0, 1, 2), **more):
    """Head and binary of a GLB with some triangles."""
    positions = np.array(points, "<f4").tobytes()
    binary = positions + np.array(indices, "<u4").tobytes()
    head = {
        "buffers": [{"byteLength": len(binary)}],
        "bufferViews": [
            {"buffer": 0, "byteLength": len(positions)},
            {"buffer": 0, "byteOffset": len(positions), "byteLength": 4 * len(indices)},
        ],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": len(points), "type": "VEC3"},
            {"bufferView": 1, "componentType": 5125, "count": len(indices), "type": "SCALAR"},
        ],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "nodes": [{"mesh": 0}],
        "scenes": [{"nodes": [0]}],
        "scene": 0,
        **more,
    }
    return head, binary


def colours_of(model):
    return {tuple(map(int, colour)) for colour in model.geometry.colours}


def write_palette(path, colours, side=8):
    """One row of square swatches."""
    pixels = np.repeat(np.repeat(np.array([colours], np.uint8), side, axis=0), side, axis=1)
    image = Image.fromarray(pixels)
    image.save(path)
    return image


# ------------------------------------------------------------------------------- folders and labels


def test_a_label_is_a_name_or_patterns(folder):
    for name in ("sedan", "sedan-sports", "taxi", "truck"):
        write_box(folder, f"{name}.glb")
    assert list(load(folder).files) == ["sedan", "sedan-sports", "taxi", "truck"]
    sizes = {label: len(family(folder, label).models) for label in ("sedan", "sedan*|taxi", "*")}
    assert sizes == {"sedan": 1, "sedan*|taxi": 3, "*": 4}


def test_exemplars_are_spread_over_the_files_in_order(folder):
    for k, name in enumerate("abc"):
        write_box(folder, f"{name}.glb", (1 + k, 1, 1))
    cars = family(folder)
    shown = [cars.pieces({"exemplar": e}, 10.0)[0].geometry for e in (0.0, 0.4, 0.99, 1.0)]
    assert shown == [cars.models[k].geometry for k in (0, 1, 2, 2)]


def test_an_unknown_label_is_refused_with_what_there_is(folder):
    write_box(folder, "sedan.glb")
    refused(folder, "symbol `car`", 'no "sedna"', '"sedan"', label="sedna")


def test_where_a_folder_has_no_such_model_our_own_stands_in_with_one_warning(folder, caplog):
    write_box(folder, "sedan.glb")
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            stand_in = family(folder, "bus*|coach*")
    assert stand_in == kinds_of("bus")
    (record,) = caplog.records
    assert "bus*|coach*" in record.message and str(folder) in record.message


def test_a_model_of_the_folder_comes_before_our_own(folder, caplog):
    write_box(folder, "van.glb")
    assert family(folder, "van*").models == (only(folder),)
    assert not caplog.records


@pytest.mark.parametrize(
    ("label", "names"),
    [("bus", ["bus"]), ("sal*|est*", ["estate", "saloon"]), ("*", sorted(KINDS))],
)
def test_a_label_of_procedural_models_picks_our_kinds_by_name(label, names):
    found = procedural(label)
    assert list(found.names) == names
    for k, name in enumerate(names):
        values = {"exemplar": (k + 0.5) / len(names), "colour": "teal", "height": 5.0}
        mine, other = found.pieces(values, 9.0), Vehicle().pieces({**values, "kind": name}, 9.0)
        for a, b in zip(mine, other, strict=True):
            assert a.geometry is b.geometry and a.first == b.first
            assert np.array_equal(a.matrix, b.matrix)


def test_a_label_that_means_none_of_our_kinds_is_refused():
    with pytest.raises(InputError, match='symbol `car`: asset `cars` .*no "tank"; it has "bus"'):
        procedural("tank")


@pytest.mark.parametrize("source", ["folder", "procedural"])
def test_files_and_our_own_read_the_same_attributes(folder, source):
    write_box(folder)
    found = family(folder) if source == "folder" else procedural("*")
    names = {"width", "height", "tall", "exemplar", "turn", "colour", "second"}
    assert {entry.name for entry in found.reads} == names


@pytest.mark.parametrize("content", [None, "file", "empty", "other"])
def test_a_folder_without_models_is_refused(tmp_path, content):
    path = tmp_path / "models"
    if content == "file":
        path.write_text("")
    elif content is not None:
        path.mkdir()
    if content == "other":
        (path / "scene.dae").write_text("<COLLADA/>")
    with pytest.raises(InputError, match="asset `cars`.*GLB, OBJ, PLY, STL"):
        load(path)


def test_of_one_model_in_several_formats_one_is_taken(folder):
    for name in ("GLB/house.glb", "OBJ/house.obj", "OBJ/tree.obj"):
        write_box(folder, name)
    files = load(folder).files
    assert {name: path.suffix for name, path in files.items()} == {"house": ".glb", "tree": ".obj"}


def test_names_that_repeat_are_told_apart_by_their_folders(folder):
    write_box(folder, "old/house.glb")
    write_box(folder, "new/house.glb")
    assert list(load(folder).files) == ["new/house", "old/house"]


def test_the_same_files_are_read_once(folder):
    write_box(folder)
    assert only(folder) is only(folder)


# ----------------------------------------------------------------------------------- normalisation


@pytest.mark.parametrize("suffix", ["glb", "obj", "ply", "stl"])
def test_a_model_fills_the_unit_box_on_the_ground(folder, suffix):
    write_box(folder, f"box.{suffix}")
    model = only(folder)
    assert model.geometry.bounds == pytest.approx(np.array([[-0.5, -0.5, 0], [0.5, 0.5, 1]]))
    assert model.extents == pytest.approx((2.0, 4.0, 1.0))
    assert len(model.geometry.faces) == 12


def test_the_front_of_gltf_is_ahead_and_its_left_stays_left(folder):
    # A long triangle: a nose at +z (front), another corner at +x (left in glTF), one up.
    write_glb(folder / "a.glb", *triangle([(0, 0, 0), (0, 0, 3), (2, 0, 0), (0, 1, 0)],
              [0, 1, 2, 0, 1, 3]))  # fmt: skip
    geometry = only(folder).geometry
    nose = geometry.positions[geometry.positions[:, 1].argmax()]
    left = geometry.positions[geometry.positions[:, 0].argmin()]
    top = geometry.positions[geometry.positions[:, 2].argmax()]
    assert nose == pytest.approx([0.5, 0.5, 0.0])
    assert left == pytest.approx([-0.5, -0.5, 0.0])
    assert top == pytest.approx([0.5, -0.5, 1.0])


def test_the_nodes_place_their_meshes(folder):
    box = trimesh.creation.box((1, 1, 1))
    scene = trimesh.Scene()
    scene.add_geometry(box, transform=trimesh.transformations.translation_matrix((0, 0, 0)))
    scene.add_geometry(box, transform=trimesh.transformations.translation_matrix((0, 0, 9)))
    scene.export(folder / "two.glb")
    model = only(folder)
    assert model.extents == pytest.approx((1.0, 10.0, 1.0))
    assert len(model.geometry.faces) == 24


def test_faces_look_outward_also_under_a_mirror(folder):
    trimesh.creation.icosphere(1).export(folder / "plain.glb")
    ball = trimesh.Scene()
    ball.add_geometry(trimesh.creation.icosphere(1), transform=np.diag([-1.0, 1, 1, 1]))
    ball.export(folder / "mirrored.glb")
    for model in family(folder).models:
        geometry = model.geometry
        a, b, c = (geometry.positions[geometry.faces[:, k]] for k in range(3))
        outward = np.einsum("ij,ij->i", np.cross(b - a, c - a), a - (0, 0, 0.5))
        assert (outward > 0).all()
        assert (np.einsum("ij,ij->i", geometry.normals, geometry.positions - (0, 0, 0.5)) > 0).all()


def test_normals_have_unit_length_and_are_flat_where_the_file_has_none(folder):
    write_box(folder, "box.stl", (2, 1, 4))
    normals = only(folder).geometry.normals
    assert np.abs(normals).max(axis=1) == pytest.approx(1.0)
    assert np.linalg.norm(normals, axis=1) == pytest.approx(1.0)


def size_of(piece):
    corners = piece.geometry.bounds @ piece.matrix[:, :3].T + piece.matrix[:, 3]
    return tuple(np.abs(corners[1] - corners[0]).tolist())


def test_a_node_says_how_large_a_model_is(folder):
    write_box(folder)
    cars = family(folder)
    sizes = {"width": 1.8, "height": 5.0, "tall": 1.6}
    assert size_of(cars.pieces(sizes, 10.0)[0]) == pytest.approx((1.8, 5.0, 1.6))
    assert size_of(cars.pieces({}, 10.0)[0]) == pytest.approx((1.75, 4.2, 1.48))


@pytest.mark.parametrize(
    ("values", "size"),
    [
        ({"height": 8.0}, (4.0, 8.0, 2.0)),
        ({"width": 3.0, "height": 8.0, "tall": 0.0}, (3.0, 8.0, 2.0)),
        ({"tall": 3.0}, (6.0, 12.0, 3.0)),
        ({"height": 8.0, "turn": math.pi / 2}, (16.0, 8.0, 4.0)),
    ],
)
def test_sizes_left_out_follow_the_proportions_of_the_file(folder, values, size):
    write_box(folder)
    assert size_of(family(folder).pieces(values, 10.0)[0]) == pytest.approx(size)


def test_a_turn_moves_the_front(folder):
    write_box(folder)
    piece, *_ = family(folder).pieces({"turn": math.pi / 2, "height": 4.0, "width": 2.0}, 10.0)
    ahead = piece.matrix[:, :3] @ (0, 0.5, 0)
    assert ahead == pytest.approx([-1.0, 0, 0], abs=1e-6)
    with pytest.raises(ValueError, match="45 deg"):
        family(folder).pieces({"turn": math.pi / 4}, 10.0)


def test_a_flat_model_keeps_an_inverse(folder):
    write_glb(folder / "flat.glb", *triangle([(0, 0, 0), (1, 0, 0), (0, 0, 1)]))
    piece, *_ = family(folder).pieces({"height": 4.0}, 10.0)
    assert np.linalg.det(piece.matrix[:, :3]) > 0
    assert size_of(piece) == pytest.approx((4.0, 4.0, 0.0))


def test_what_stands_is_dark_where_it_meets_the_ground(folder):
    """A table on one leg: the darkness is about the leg."""
    table = trimesh.Scene([trimesh.creation.box((4, 0.2, 4))])
    leg = trimesh.creation.box((0.4, 2, 0.4))
    table.add_geometry(leg, transform=trimesh.transformations.translation_matrix((1, -1, 0)))
    table.export(folder / "table.glb")
    _, ground = family(folder).pieces({"width": 2.0}, 10.0)
    assert ground.geometry.is_contact
    low, high = ground.geometry.bounds @ ground.matrix[:, :3].T
    assert (low[:2] + high[:2]) / 2 == pytest.approx([-0.5, 0.0], abs=1e-4)
    assert (high - low)[:2] == pytest.approx([0.232, 0.232], abs=0.01)
    assert 0.01 < low[2] == high[2] < 0.02


def test_what_lies_flat_has_no_darkness_under_it(folder):
    write_box(folder, extents=(2, 0.1, 2))
    assert len(family(folder).pieces({"width": 2.0}, 10.0)) == 1


def test_a_size_of_nothing_is_refused(folder):
    write_box(folder)
    with pytest.raises(ValueError, match="above 0"):
        family(folder).pieces({"height": 0.0}, 10.0)


# ----------------------------------------------------------------------------- colours and textures


def textured_square(image, u):
    mesh = trimesh.Trimesh(
        [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)], [(0, 1, 2), (0, 2, 3)], process=False
    )
    uv = [(u, 0.2), (u, 0.2), (u, 0.8), (u, 0.8)]
    mesh.visual = TextureVisuals(uv=uv, material=PBRMaterial(baseColorTexture=image))
    return mesh


def test_colours_are_the_texels_that_the_corners_name(folder, tmp_path):
    palette = write_palette(tmp_path / "p.png", [RED, GREEN, BLUE])
    for name, u in (("a", 0.1), ("b", 0.5), ("c", 0.9), ("d", 1.5)):
        textured_square(palette, u).export(folder / f"{name}.glb")
    found = [colours_of(model) for model in family(folder).models]
    assert found == [{RED}, {GREEN}, {BLUE}, {GREEN}]


def test_a_texture_beside_a_glb_is_read(folder):
    (folder / "Textures").mkdir()
    palette = write_palette(folder / "Textures" / "p.png", [GREEN])
    textured_square(palette, 0.5).export(folder / "a.glb")
    data = (folder / "a.glb").read_bytes()
    length = struct.unpack("<I", data[12:16])[0]
    head = json.loads(data[20 : 20 + length])
    head["images"] = [{"uri": "Textures/p.png"}]
    write_glb(folder / "a.glb", head, data[28 + length :])
    assert colours_of(only(folder)) == {GREEN}


def test_a_colour_factor_of_gltf_is_linear(folder):
    mesh = trimesh.creation.box()
    mesh.visual = TextureVisuals(material=PBRMaterial(baseColorFactor=[55, 55, 55, 255]))
    mesh.export(folder / "a.glb")
    ((r, g, b),) = colours_of(only(folder))
    assert r == g == b == pytest.approx(128, abs=1)


def test_the_materials_of_an_obj_file_colour_it(folder):
    write_palette(folder / "p.png", [BLUE])
    (folder / "a.mtl").write_text("newmtl m\nKd 0 1 0\nnewmtl t\nKd 0 0 0\nmap_Kd p.png\n")
    (folder / "a.obj").write_text(
        "mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 1\nvt 0.5 0.5\n"
        "usemtl m\nf 1 2 3\nusemtl t\nf 1/1 3/1 2/1\n"
    )
    assert colours_of(only(folder)) == {GREEN, BLUE}


def test_vertex_colours_are_kept(folder):
    mesh = trimesh.creation.box()
    mesh.visual.vertex_colors = np.tile((*RED, 255), (8, 1))
    mesh.export(folder / "a.ply")
    assert colours_of(only(folder)) == {RED}


def test_what_has_no_colour_is_grey(folder):
    (folder / "a.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 1\nf 1 2 3\n")
    write_box(folder, "b.stl")
    assert [colours_of(model) for model in family(folder).models] == [{(204, 204, 204)}] * 2


def test_too_many_triangles_are_made_fewer_with_a_warning(folder, caplog):
    trimesh.creation.icosphere(6).export(folder / "ball.ply")
    with caplog.at_level(logging.WARNING):
        model = only(folder)
    assert "81920 triangles made" in caplog.text
    assert MOST_TRIANGLES / 4 < len(model.geometry.faces) <= MOST_TRIANGLES
    radius = np.linalg.norm(model.geometry.positions - (0, 0, 0.5), axis=1)
    assert radius == pytest.approx(0.5, abs=0.01)


# --------------------------------------------------------------------------------------- licences


def test_licences_beside_the_models_are_told(folder):
    write_box(folder, "kit/car.glb")
    write_box(folder, "own/tree.glb")
    (folder / "License.txt").write_text("\n\tCar Kit\n\nsee http://example.org/cc0/1.0/.\n")
    (folder / "own" / "tree.glb.license").write_text("# Tree by A\n")
    assert licences([folder]) == (
        {"id": 1, "name": "Car Kit", "url": "http://example.org/cc0/1.0/"},
        {"id": 2, "name": "Tree by A", "url": ""},
    )


def test_a_licence_is_told_with_who_holds_the_rights_and_which_commons_it_is(folder):
    (folder / "LICENSE").write_text("MIT License\n\nCopyright (c) 2025 A\n\nPermission ...")
    (folder / "License.txt").write_text("City\nLicense: Creative Commons, CC BY-SA 4.0\n")
    names = [licence["name"] for licence in licences([folder])]
    assert names == ["MIT License, Copyright (c) 2025 A", "City, CC BY-SA 4.0"]


def test_the_same_licence_in_several_places_is_one(folder):
    for place in ("a", "b"):
        (folder / place).mkdir()
        (folder / place / "COPYING").write_text("Own terms")
    assert [licence["name"] for licence in licences([folder / "a", folder / "b"])] == ["Own terms"]


def test_a_licence_outside_of_the_asset_folder_is_not_its_licence(folder):
    (folder.parent / "LICENSE").write_text("not ours")
    (folder / "LICENSE").symlink_to(folder.parent / "LICENSE")
    assert licences([folder]) == ()


# ---------------------------------------------------------------------- bad input 18: other places


@pytest.mark.parametrize("key", ["buffers", "images"])
@pytest.mark.parametrize(
    "uri",
    [
        "../canary.bin",
        "sub/../../canary.bin",
        "%2e%2e/canary.bin",
        "..\\canary.bin",
        "{outside}/canary.bin",
        "file://{outside}/canary.bin",
        "http://192.0.2.1/canary.bin",
        "//192.0.2.1/canary.bin",
        "~/canary.bin",
        "link.bin",
    ],
)
def test_a_glb_that_names_a_file_elsewhere_is_refused(folder, key, uri):
    canary = folder.parent / "canary.bin"
    canary.write_bytes(b"secret" * 100)
    (folder / "link.bin").symlink_to(canary)
    head, binary = triangle()
    named = {"uri": uri.format(outside=folder.parent), "byteLength": 36}
    head[key] = [*head.get(key, []), named]
    write_glb(folder / "bad.glb", head, binary)
    start = time.monotonic()
    refused(folder, "bad.glb", f"{key}[", "only files in the model's own folder are read")
    assert time.monotonic() - start < 5  # nothing waited for an address that no one has


def test_a_glb_whose_texture_is_not_there_is_refused(folder):
    write_glb(folder / "bad.glb", triangle()[0] | {"images": [{"uri": "p.png"}]}, triangle()[1])
    refused(folder, "`p.png`, which is not there")


# ------------------------------------------------------------------------------- bad input 19: OBJ


OBJ = "v 0 0 0\nv 1 0 0\nv 0 1 1\nvt 0.5 0.5\nusemtl m\nf 1/1 2/1 3/1\n"


@pytest.mark.parametrize("name", ["{outside}/a.mtl", "../a.mtl", "C:\\a.mtl", "link.mtl"])
def test_an_obj_with_materials_elsewhere_is_drawn_in_grey_with_a_warning(folder, caplog, name):
    (folder.parent / "a.mtl").write_text("newmtl m\nKd 1 0 0\n")
    (folder / "a.mtl").write_text("newmtl m\nKd 1 0 0\n")  # where a careless reader would look
    (folder / "link.mtl").symlink_to(folder.parent / "a.mtl")
    (folder / "a.obj").write_text(f"mtllib {name.format(outside=folder.parent)}\n{OBJ}")
    assert colours_of(only(folder)) == {(204, 204, 204)}
    assert "outside its folder" in caplog.text


@pytest.mark.parametrize("name", ["{outside}/p.png", "../p.png", "-s 1 1 1 ../p.png"])
def test_an_obj_with_a_texture_elsewhere_is_drawn_in_grey_with_a_warning(folder, caplog, name):
    for place in (folder, folder.parent):
        write_palette(place / "p.png", [RED])
    (folder / "a.mtl").write_text(f"newmtl m\nmap_Kd {name.format(outside=folder.parent)}\n")
    (folder / "a.obj").write_text(f"mtllib a.mtl\n{OBJ}")
    assert colours_of(only(folder)) == {(204, 204, 204)}
    assert "outside its folder" in caplog.text


def test_an_obj_without_its_materials_is_drawn_with_a_warning(folder, caplog):
    (folder / "a.obj").write_text(f"mtllib a.mtl\n{OBJ}")
    assert colours_of(only(folder)) == {(204, 204, 204)}
    assert "`a.mtl` are not there" in caplog.text


# --------------------------------------------------------------------------- bad input 20: geometry


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e30])
def test_vertices_that_are_nowhere_are_refused(folder, value):
    write_glb(folder / "bad.glb", *triangle([(0, 0, 0), (1, 0, 0), (0, value, 1)]))
    refused(folder, "bad.glb", "some of its vertices")


def test_a_file_without_faces_is_refused(folder):
    (folder / "bad.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 1\n")
    refused(folder, "bad.obj", "no faces")


def test_faces_without_area_are_left_out_with_a_warning(folder, caplog):
    points = [(0, 0, 0), (1, 0, 0), (0, 1, 1)]
    write_glb(folder / "a.glb", *triangle(points, [0, 1, 2, 0, 1, 1]))
    assert len(only(folder).geometry.faces) == 1
    assert "1 faces that are points or lines are left out" in caplog.text


def test_a_file_with_only_faces_without_area_is_refused(folder):
    write_glb(folder / "bad.glb", *triangle([(0, 0, 0), (1, 0, 0), (2, 0, 0)]))
    refused(folder, "bad.glb", "points or lines")


def test_a_face_that_names_a_vertex_that_is_not_there_is_refused(folder):
    write_glb(folder / "bad.glb", *triangle(indices=(0, 1, 7)))
    refused(folder, "bad.glb", "vertices that are not there")


def test_an_obj_face_that_names_a_vertex_that_is_not_there_is_refused(folder):
    (folder / "bad.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 1\nf 1 2 9\n")
    refused(folder, "bad.obj")


def test_the_file_that_breaks_the_reader_is_named(folder):
    write_box(folder, "a.glb")
    head, binary = triangle()
    head["bufferViews"][1]["byteOffset"] = 10**6
    write_glb(folder / "b.glb", head, binary)
    write_box(folder, "c.glb")
    refused(folder, "b.glb", "cannot be read")


def test_a_file_that_takes_too_long_is_refused(folder, monkeypatch):
    write_box(folder, "slow.glb")
    monkeypatch.setattr(loading, "SECONDS", 0.01)
    refused(folder, "slow.glb", "took more than")


def test_a_file_that_takes_too_much_memory_is_refused(folder):
    head, binary = triangle()
    empty = {"componentType": 5126, "count": 10**7, "type": "MAT4"}  # zeros, says glTF
    head["accessors"] += [empty] * 10
    write_glb(folder / "bad.glb", head, binary)
    refused(folder, "bad.glb", "too much memory")


# --------------------------------------------------------------------- bad input 21: sizes that lie


def test_a_file_over_the_cap_is_refused_unread(folder):
    with (folder / "big.glb").open("wb") as stream:
        stream.truncate(MOST_BYTES + 1)
    refused(folder, "big.glb", "64 MB")


def test_a_name_longer_than_names_can_be_is_refused(folder):
    write_glb(folder / "bad.glb", *triangle(images=[{"uri": "x" * 5000}]))
    refused(folder, "cannot be read")


def test_an_empty_file_is_refused(folder):
    (folder / "empty.glb").touch()
    refused(folder, "empty.glb", "0 bytes")


@pytest.mark.parametrize("form", ["ascii", "binary_little_endian"])
def test_a_ply_header_that_promises_more_than_the_file_has_is_refused(folder, form):
    (folder / "bad.ply").write_text(
        f"ply\nformat {form} 1.0\nelement vertex 170000000\nproperty float x\nproperty float y\n"
        "property float z\nelement face 1\nproperty list uchar int vertex_indices\nend_header\n"
        "0 0 0\n"
    )
    refused(folder, "bad.ply", "promises at least")


def test_a_stl_header_that_promises_more_than_the_file_has_is_refused(folder):
    (folder / "bad.stl").write_bytes(b"\0" * 80 + struct.pack("<I", 100_000_000) + b"\0" * 50)
    refused(folder, "bad.stl", "promises 100000000 triangles")


def test_a_glb_with_too_many_faces_is_refused(folder):
    head, binary = triangle()
    head["accessors"][1]["count"] = 300_000_000
    write_glb(folder / "bad.glb", head, binary)
    refused(folder, "bad.glb", "100000000 faces")


def test_a_glb_that_shows_a_mesh_too_often_is_refused(folder):
    head, binary = triangle(np.zeros((30_000, 3)), np.zeros(30_000, int))
    head["nodes"] = [{"mesh": 0}] * 1000
    head["scenes"] = [{"nodes": list(range(1000))}]
    write_glb(folder / "bad.glb", head, binary)
    refused(folder, "bad.glb", "30000000 vertices")


@pytest.mark.parametrize("cut", [10, 30, 200, -5])
def test_a_glb_that_is_cut_short_is_refused(folder, cut):
    path = write_box(folder, "bad.glb")
    path.write_bytes(path.read_bytes()[:cut])
    refused(folder, "bad.glb")


@pytest.mark.parametrize(
    ("nodes", "word"),
    [
        ([{"children": [1], "mesh": 0}, {"children": [0]}], "circle"),
        ([{"children": [1, 1]}, {"mesh": 0}], "no tree"),
        ([{"children": [2]}, {"children": [2]}, {"mesh": 0}], "no tree"),
        ([{"children": [7], "mesh": 0}], "no tree"),
        ([*({"children": [k + 1]} for k in range(70)), {"mesh": 0}], "71 deep"),
        (7, "not as glTF describes it"),
        ([{"children": "x"}], "not as glTF describes it"),
    ],
)
def test_nodes_that_are_no_proper_tree_are_refused(folder, nodes, word):
    write_glb(folder / "bad.glb", *triangle(nodes=nodes))
    refused(folder, "bad.glb", word)


@pytest.mark.parametrize("text", [b"{" * 10**5, b"[" * 10**5, b"\xff\xfe", b"[]"])
def test_a_glb_with_other_json_is_refused(folder, text):
    text += b" " * (-len(text) % 4)
    (folder / "bad.glb").write_bytes(
        b"glTF" + struct.pack("<4I", 2, 20 + len(text), len(text), 0x4E4F534A) + text
    )
    refused(folder, "bad.glb", "JSON")


def test_a_compressed_glb_is_refused_by_the_name_of_what_it_needs(folder):
    needs = ["KHR_draco_mesh_compression"]
    write_glb(folder / "bad.glb", *triangle(extensionsRequired=needs))
    refused(folder, "KHR_draco_mesh_compression", "without compression")


# ------------------------------------------------------------------------ bad input 22: textures


def test_a_large_texture_is_made_smaller_with_a_warning(folder, caplog):
    Image.new("L", (5000, 10), 200).save(folder / "p.png")
    (folder / "a.mtl").write_text("newmtl m\nmap_Kd p.png\n")
    (folder / "a.obj").write_text(f"mtllib a.mtl\n{OBJ}")
    assert colours_of(only(folder)) == {(200, 200, 200)}
    assert "a texture of 5000 x 10 px made 4096 x 8" in caplog.text


def test_a_giant_texture_is_refused_undecoded(folder):
    def chunk(name, data):
        crc = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", crc)

    head = struct.pack(">2I5B", 30_000, 30_000, 8, 2, 0, 0, 0)
    (folder / "p.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    )
    (folder / "a.mtl").write_text("newmtl m\nmap_Kd p.png\n")
    (folder / "a.obj").write_text(f"mtllib a.mtl\n{OBJ}")
    refused(folder, "a.obj", "30000 x 30000 px")


# ----------------------------------------------------------------------------------- real files


def test_a_real_car_has_its_colours_and_stands_on_its_wheels(car_kit):
    cars = family(car_kit, "sedan")
    piece, *_ = cars.pieces({"height": 4.2}, 10.0)
    geometry = piece.geometry
    assert geometry.bounds == pytest.approx(np.array([[-0.5, -0.5, 0], [0.5, 0.5, 1]]), abs=1e-5)
    palette = np.asarray(Image.open(car_kit / "glb" / "Textures" / "colormap.png").convert("RGB"))
    assert colours_of(cars.models[0]) <= set(map(tuple, palette.reshape(-1, 3).tolist()))
    assert len(colours_of(cars.models[0])) > 5


def test_a_real_pack_brings_its_licence(car_kit):
    (licence,) = licences([car_kit])
    assert licence["name"] == "Car Kit (3.1), CC0"
    assert "creativecommons.org/publicdomain/zero" in licence["url"]


@pytest.mark.parametrize("pack", ["kenney_car_kit", "kenney_city"])
def test_every_real_model_can_be_used(car_kit, pack):
    models = load(car_kit.parent / pack)
    read = models.family("*", "thing").models
    assert len(read) == len(models.files)
    assert all(np.isfinite(model.geometry.positions).all() for model in read)
