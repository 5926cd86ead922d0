"""Textures of the mesh renderer's materials."""

import numpy as np
import pytest

from renderers._families.materials import FINISH
from renderers._families.textures import NAMES, texture

GROUND = ("asphalt", "paving", "grass", "earth", "concrete", "marking")
TINTED = ("brick", "plaster", "roof", "foliage")
BAYS = [name for name in NAMES if name not in (*GROUND, *TINTED)]


def brightness(name):
    return texture(name)[..., :3].astype(float).mean(axis=2)


def test_every_texture_that_a_material_names_exists():
    assert {look.texture for look in FINISH.values() if look.texture} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_texture_has_the_shape_that_the_renderer_loads(name):
    pixels = texture(name)
    assert pixels.shape == (256, 256, 4) and pixels.dtype == np.uint8


@pytest.mark.parametrize("name", NAMES)
def test_the_same_texture_is_made_once(name):
    assert texture(name) is texture(name)


@pytest.mark.parametrize("name", [*GROUND, *TINTED])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_surface_goes_on_beyond_its_border(name, axis):
    light = np.moveaxis(brightness(name), axis, 0)
    steps = np.abs(np.diff(light, axis=0)).mean(axis=1)
    seam = np.abs(light[0] - light[-1]).mean()
    assert seam <= steps.max() * 1.15


@pytest.mark.parametrize("name", BAYS)
def test_neighbouring_bays_meet_without_a_gap_between_them(name):
    light = brightness(name)
    steps = np.abs(np.diff(light, axis=1)).mean(axis=0)
    assert np.abs(light[:, 0] - light[:, -1]).mean() <= max(steps.max(), 12.0)


@pytest.mark.parametrize("name", TINTED)
def test_a_wall_takes_its_tint_everywhere_and_is_neutral(name):
    pixels = texture(name).astype(int)
    assert (pixels[..., 3] == 255).all()
    mean = pixels[..., :3].mean(axis=(0, 1))
    assert np.ptp(mean) < 18 and mean.mean() > 150


@pytest.mark.parametrize("name", BAYS)
def test_alpha_of_a_bay_is_all_or_nothing_and_both_occur(name):
    assert set(np.unique(texture(name)[..., 3])) == {0, 255}


@pytest.mark.parametrize("name", [name for name in BAYS if name.startswith("window")])
def test_a_window_is_dark_and_not_tinted(name):
    middle = texture(name)[128:150, 96:120]  # left of the middle, above the sill
    assert (middle[..., 3] == 0).all()
    assert middle[..., :3].mean() < 130


@pytest.mark.parametrize("name", ["shop_a", "shop_b", "shop_c"])
def test_a_shops_fascia_is_tinted_and_its_glass_is_not(name):
    alpha = texture(name)[..., 3]
    assert alpha[20:50].mean() > 120
    assert (alpha[130:220, 60:120] == 0).all()


def test_asphalt_is_a_middle_grey_and_paint_is_almost_white():
    assert 88 < brightness("asphalt").mean() < 102
    assert 205 < brightness("marking").mean() < 225


def test_grass_is_green_but_muted():
    red, green, blue = texture("grass")[..., :3].mean(axis=(0, 1))
    assert green > red > blue and green < 1.5 * blue + 40
