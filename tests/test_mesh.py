import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from worlds import prior_scenes

from datagen import audit, labels
from datagen.audit.agreement import agreement, edges
from datagen.errors import InputError
from datagen.interfaces import LABELS
from datagen.language import named, parse
from datagen.rng import Stream, rng_for
from datagen.scene import Scene
from renderers import raycast
from renderers._camera import Camera
from renderers._sensor import Sensor
from renderers.mesh import Renderer

pytestmark = pytest.mark.opengl

WORLDS = ("street_urban", "street_suburban", "street_rural", "street_simple")
KITTI = Camera(horizon=0.461, focal=0.581, height=1.65)
LABELLED = frozenset((LABELS,))

ONE_CAR = """
world one
canvas 320 x 192
start Scene
Scene -> overcast land car
overcast { draw: sky  stuff: "sky" }
land { draw: land  stuff: "ground"  surface: asphalt }
car { category: "car"  draw: vehicle  x: 1 m  y: 9 m  yaw: 30 deg  speed: 10 }
"""


def drawn(grammar, scenes, renderer=None, passes=(), seed=0):
    renderer = renderer or Renderer(camera=KITTI, supersample=1)
    rngs = [rng_for(seed, k, Stream.RENDER) for k in range(len(scenes))]
    with renderer.open(grammar, frozenset((LABELS, *passes))) as render:
        return render(scenes, rngs)


def sampled(grammar, *numbers):
    return prior_scenes(grammar, numbers, 5)


def one_car(**options):
    """The frame of a car and what it stands on."""
    passes = options.pop("passes", ())
    grammar = parse(ONE_CAR)
    renderer = Renderer(camera=KITTI, **options)
    return drawn(grammar, sampled(grammar, 0), renderer, passes)[0]


@pytest.mark.parametrize("world", WORLDS)
def test_no_scene_of_the_streets_has_a_finding(world):
    grammar = named(world)
    for frame in drawn(grammar, sampled(grammar, *range(12))):
        assert audit.audit_frame(frame, labels.annotate(frame)) == []


@pytest.mark.parametrize("world", WORLDS)
def test_rays_see_what_opengl_draws(world):
    grammar = named(world)
    scenes = [replace(scene, canvas=(320, 96)) for scene in sampled(grammar, 3)]
    (frame,) = drawn(grammar, scenes)
    with raycast.Renderer(camera=KITTI).open(grammar, LABELLED) as render:
        (other,) = render(scenes, [rng_for(0, 0, Stream.RENDER)])
    found = agreement(frame, other)
    assert found.pixels > 10_000
    assert found.owners >= 0.999 and found.depth >= 0.999
    areas = {i.path: i.silhouette.area for i in other.instances}
    for instance in frame.instances:
        assert instance.silhouette.area == pytest.approx(areas[instance.path], rel=0.02, abs=4)


def test_every_pixel_of_a_street_has_a_class():
    grammar = named("street_urban")
    (frame,) = drawn(grammar, sampled(grammar, 0))
    assert frame.class_map.all() and np.isfinite(frame.depth).all()


def test_an_image_does_not_depend_on_what_was_drawn_before_it():
    grammar = named("street_urban")
    first, second = sampled(grammar, 1, 2)
    rng = rng_for(0, 0, Stream.RENDER)
    with Renderer(camera=KITTI).open(grammar, LABELLED) as render:
        alone = render([second], [rng])[0]
    with Renderer(camera=KITTI).open(grammar, LABELLED) as render:
        render([first], [rng])
        after = render([second], [rng])[0]
    assert np.array_equal(alone.image, after.image)
    assert np.array_equal(alone.instance_map, after.instance_map)
    assert np.array_equal(alone.depth, after.depth)


def test_a_thing_that_nothing_hides_is_wholly_visible():
    frame = one_car()
    (annotation,) = labels.annotate(frame)
    assert annotation.visible_fraction == pytest.approx(1.0, abs=0.002)
    assert annotation.truncation == 0


def test_the_box_in_space_is_where_the_pixels_are():
    frame = one_car()
    (instance,) = frame.instances
    box, mask = instance.box3d, frame.instance_map == 1
    assert box.size == pytest.approx((4.2, 1.75, 1.48), rel=0.03)
    assert box.centre[0] == pytest.approx(1.0, abs=0.05)
    assert box.centre[2] == pytest.approx(9.0, abs=0.05)
    assert box.rotation_y == pytest.approx(-np.pi / 2 - np.pi / 6)
    corners = frame.camera.project(box.corners())
    rows, columns = np.nonzero(mask)
    assert corners[:, 0].min() <= columns.min() and columns.max() <= corners[:, 0].max()
    assert corners[:, 1].min() <= rows.min() and rows.max() <= corners[:, 1].max()


def test_depth_is_metres_along_the_optical_axis():
    frame = one_car()
    camera = frame.camera
    rows = np.arange(150, 190)
    expected = KITTI.height * camera.fy / (rows - camera.cy)
    lowered = (KITTI.height + 0.02) * camera.fy / (rows - camera.cy)  # the land lies 2 cm deep
    column = frame.depth[rows, 5]
    assert np.all((column >= expected - 1e-3) & (column <= lowered + 1e-3))


def test_normals_of_the_ground_point_up():
    frame = one_car(passes={"normals"}, supersample=1)
    ground = frame.class_map == frame.categories.index("car") + 3
    assert ground.any()
    assert np.allclose(frame.normals[ground], (0, -1, 0), atol=0.02)


def test_flow_leads_to_where_a_point_is_next():
    frame = one_car(passes={"flow"}, supersample=1, interval=0.1)
    car = (frame.instance_map == 1) & ~edges(frame.instance_map)
    assert np.abs(frame.flow[frame.instance_map == 0]).max() < 1e-3
    rows, columns = np.nonzero(car)
    camera, z = frame.camera, frame.depth[car]
    points = np.stack(
        [(columns - camera.cx) * z / camera.fx, (rows - camera.cy) * z / camera.fy, z]
    )
    ahead = np.array([-np.sin(np.pi / 6), 0.0, np.cos(np.pi / 6)])  # 10 m/s for 0.1 s
    later = camera.project(points.T + ahead)
    expected = later - np.stack([columns, rows], axis=1)
    assert np.abs(frame.flow[car] - expected).max() < 0.05


def test_the_camera_moves_with_the_speed_of_the_root():
    text = ONE_CAR.replace("speed: 10", "") + "Scene { speed: 5 }"
    grammar = parse(text)
    (now,), (then,) = (
        drawn(grammar, sampled(grammar, 0), Renderer(camera=KITTI, time=t)) for t in (0.0, 0.4)
    )
    (before,), (after,) = now.instances, then.instances
    assert before.box3d.centre[2] - after.box3d.centre[2] == pytest.approx(2.0)


def test_light_changes_no_label():
    plain = one_car(textures=False, shadows=0)
    full = one_car(textures=True, shadows=512)
    assert not np.array_equal(plain.image, full.image)
    assert np.array_equal(plain.instance_map, full.instance_map)
    assert np.array_equal(plain.depth, full.depth)


@pytest.mark.parametrize("fine", [2, 3, 4])
def test_smoother_edges_change_no_label(fine):
    plain, smooth = one_car(supersample=1), one_car(supersample=fine)
    differ = np.count_nonzero(plain.instance_map != smooth.instance_map)
    assert differ <= 2  # pixels whose centre lies on an edge, to the last bit
    assert np.abs(plain.image.astype(int) - smooth.image).mean() < 4


def test_a_lens_bends_labels_as_it_bends_the_picture():
    lens = Sensor(distortion=(-0.3, 0.08))
    grammar = parse(ONE_CAR)
    scenes = sampled(grammar, 0)
    (frame,) = drawn(grammar, scenes, Renderer(camera=KITTI, supersample=1, sensor=lens))
    assert audit.audit_frame(frame, labels.annotate(frame)) == []
    with raycast.Renderer(camera=KITTI, sensor=lens).open(grammar, LABELLED) as render:
        (other,) = render(scenes, [rng_for(0, 0, Stream.RENDER)])
    assert agreement(frame, other).owners >= 0.999
    straight = one_car(supersample=1)
    assert not np.array_equal(frame.instance_map, straight.instance_map)


def test_a_lens_that_folds_the_picture_is_refused():
    with pytest.raises(InputError, match="take less distortion or a longer `camera.focal`"):
        one_car(sensor=Sensor(distortion=(-0.3, 0.0)))


def test_the_sensor_changes_the_image_alone():
    clean = one_car()
    worn = one_car(sensor=Sensor(exposure=0.5, contrast=0.4, blur=1.0, noise=6.0, jpeg=60))
    assert not np.array_equal(clean.image, worn.image)
    assert np.array_equal(clean.instance_map, worn.instance_map)


def test_a_thing_behind_the_camera_is_no_instance():
    grammar = parse(ONE_CAR.replace("y: 9 m", "y: -9 m"))
    (frame,) = drawn(grammar, sampled(grammar, 0))
    assert frame.instances == () and not frame.instance_map.any()


def test_a_thing_that_reaches_behind_the_camera_is_truncated():
    grammar = parse(ONE_CAR.replace("x: 1 m  y: 9 m  yaw: 30 deg", "x: 2 m  y: 1 m"))
    (frame,) = drawn(grammar, sampled(grammar, 0))
    annotations = labels.annotate(frame)
    assert audit.audit_frame(frame, annotations) == []
    assert annotations[0].truncation > 0


@pytest.mark.parametrize("canvas", [(8, 8), (9, 700), (4096, 1024)])
def test_a_canvas_of_any_size_is_drawn_and_so_are_things_at_the_lens(canvas):
    """What passes through the near plane has a silhouette of up to twice the canvas."""
    cars = 'S -> overcast land car * choice(12 1)  overcast { draw: sky  stuff: "sky" }'
    car = 'car { category: "car"  draw: vehicle  x: uniform(-2, 2) m  y: 1 m }'
    land = 'land { draw: land  stuff: "ground" }'
    grammar = parse(f"world w canvas 64 x 64 start S {cars} {land} {car}")
    scenes = [replace(sampled(grammar, 0)[0], canvas=canvas)]
    (frame,) = drawn(grammar, scenes)
    assert audit.audit_frame(frame, labels.annotate(frame)) == []
    assert len(frame.instances) > 0
    width, height = canvas
    for instance in frame.instances:
        rows, columns = instance.silhouette.mask.shape
        assert columns <= 2 * width + 2 and rows <= 2 * height + 2


def test_a_silhouette_does_not_depend_on_how_many_sheets_all_of_them_take(monkeypatch):
    grammar = named("street_urban")
    scenes = sampled(grammar, 1)
    (one,) = drawn(grammar, scenes)
    monkeypatch.setattr("renderers._gl.tiles._MOST_HEIGHT", 64)
    (other,) = drawn(grammar, scenes)
    assert len(one.instances) == len(other.instances) > 5
    for a, b in zip(one.instances, other.instances, strict=True):
        assert (a.silhouette.x, a.silhouette.y) == (b.silhouette.x, b.silhouette.y)
        assert np.count_nonzero(a.silhouette.mask != b.silhouette.mask) <= 2  # on an edge


def test_a_canvas_beyond_the_device_is_refused_with_the_remedy():
    scenes = [replace(sampled(parse(ONE_CAR), 0)[0], canvas=(8192, 8))]
    with pytest.raises(InputError, match="take a smaller canvas, less `supersample`"):
        drawn(parse(ONE_CAR), scenes, Renderer(supersample=4))


def test_a_renderer_that_is_closed_gives_back_what_it_held():
    one_car(passes={"normals", "flow"})
    from OpenGL import GL as gl  # only a context says which of its platforms

    assert not any(gl.glIsTexture(name) for name in range(1, 200))
    assert not any(gl.glIsBuffer(name) for name in range(1, 200))


def test_what_no_family_draws_is_refused_with_the_list_of_families():
    grammar = parse(ONE_CAR.replace("draw: vehicle", "draw: car"))
    with pytest.raises(InputError, match="nothing draws `car` in 3D; families: sky, "):
        drawn(grammar, sampled(parse(ONE_CAR), 0))


def test_an_empty_scene_is_drawn():
    grammar = parse("world w canvas 64 x 64 start S S -> car * choice(0 1, 1 0) "
                    'car { category: "car" draw: vehicle }')  # fmt: skip
    scene = Scene(sampled(grammar, 0)[0].root, (64, 64), "", ())
    (frame,) = drawn(grammar, [scene])
    assert not frame.instance_map.any() and np.isinf(frame.depth).all()


def opened_with(**environment):
    """Exit code and last line of a command that draws in 3D."""
    command = [sys.executable, "-m", "datagen", "preview", "street_simple", "-n", "1"]
    done = subprocess.run(
        [*command, "-o", os.devnull + ".png"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stderr.strip().splitlines()


def test_an_unknown_platform_is_refused_in_one_line():
    code, lines = opened_with(PYOPENGL_PLATFORM="foo")
    assert code == 5 and len(lines) == 1
    assert "PYOPENGL_PLATFORM=foo is none of egl, osmesa" in lines[0]


def test_without_opengl_the_line_to_install_is_told_and_2d_is_offered():
    code, lines = opened_with(__EGL_VENDOR_LIBRARY_DIRS="/nonexistent", EGL_DEVICE_ID="77")
    assert code == 5 and len(lines) == 1
    assert "apt install libegl1 libgl1-mesa-dri" in lines[0] and 'use = "raster"' in lines[0]


def test_torch_can_be_loaded_after_opengl():
    code = "from renderers._gl import context\nwith context.opened():\n    import torch._dynamo\n"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()[-500:]


def test_a_dataset_says_what_drew_it_and_is_not_resumed_on_another_device(cli, tmp_path):
    out = tmp_path / "d"
    flat = ("--set", "canvas=[64,32]", "--count", 3, "--set", "shard_size=2")
    assert cli("generate", "street_simple", "--out", out, *flat).code == 0
    versions = json.loads((out / "versions.json").read_text())
    assert "Mesa" in versions["opengl"] or "NVIDIA" in versions["opengl"]
    (out / "_COMPLETE").unlink()
    (out / "versions.json").write_text(json.dumps(versions | {"opengl": "another"}))
    done = cli("generate", "street_simple", "--out", out, *flat, "--resume")
    done.refused(2, "opengl another -> ")


def test_verify_casts_rays_at_a_share_of_the_images(cli, tmp_path):
    out = tmp_path / "d"
    assert cli("generate", "street_simple", "--out", out, "--count", 2,
               "--set", "canvas=[160,48]").code == 0  # fmt: skip
    done = cli("verify", out, "--raycast", 0.5)
    assert done.code == 0 and "sound" in done.out


def test_verify_casts_no_rays_at_flat_worlds(cli, tmp_path):
    assert cli("generate", "colored_shapes", "--out", tmp_path / "d", "--count", 1).code == 0
    cli("verify", tmp_path / "d", "--raycast", 1).refused(
        2, "rays judge what `mesh` draws, and `raster` drew this"
    )


def test_depth_never_leaves_the_thing_it_is_of():
    """Seen from its edge, a wall's depth changes by metres within a fraction of a pixel."""
    text = """
    world wall
    canvas 320 x 192
    start Scene
    Scene -> block * 12
    block {
      category: "building"  draw: building  x: uniform(-14, 14) m  y: uniform(40, 90) m
      yaw: normal(0, 12) deg
    }
    """
    grammar = parse(text)
    for frame in drawn(grammar, sampled(grammar, *range(8))):
        for thing in frame.instances:
            depths = frame.depth[frame.instance_map == thing.id]
            corners = thing.box3d.corners()[:, 2]
            if depths.size:
                assert corners.min() - 0.01 <= depths.min()
                assert depths.max() <= corners.max() + 0.01
