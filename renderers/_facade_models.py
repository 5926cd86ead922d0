"""Pictures of facades: windows, doors and shop fronts on a wall whose colour comes later."""

from functools import cache

import cv2
import numpy as np

from ._colours import RGB, shade
from ._textures import Picture, grain_rng

STYLES = ("terrace", "shop", "office", "modern", "blank")
VARIANTS = 4  # of each style and number of storeys
LENGTH = 24.0  # m of wall in a picture; longer buildings repeat it
STOREY = 3.1  # m
TEXELS = 14  # a metre

_GLASS: tuple[RGB, ...] = ((48, 54, 60), (62, 70, 78), (36, 40, 44), (96, 106, 114))
_FASCIAS: tuple[RGB, ...] = (
    (36, 44, 76), (120, 30, 34), (30, 70, 52), (196, 188, 172), (44, 44, 46), (150, 96, 40),
    (52, 92, 128), (86, 34, 66),
)  # fmt: skip
_STONE: RGB = (196, 190, 176)
_FRAME: RGB = (214, 212, 204)


@cache
def facade(style: str, storeys: int, variant: int) -> Picture:
    """uint8 [h, w, 4]: red, green, blue of what is not wall, and the wall's light; the top first.

    The picture is LENGTH metres wide and `storeys` storeys high.
    """
    rng = grain_rng(2000 + 100 * STYLES.index(style) + 10 * storeys + variant)
    page = _Wall(round(LENGTH * TEXELS), round(storeys * STOREY * TEXELS), rng)
    _DRESS[style](page, storeys, rng)
    page.band(0, 0, LENGTH, 0.25, 0.6)
    return Picture(page.pixels())


class _Wall:
    """A facade under construction; x and z in metres, z up from the pavement."""

    def __init__(self, width: int, height: int, rng: np.random.Generator) -> None:
        self.detail = np.zeros((height, width, 3), np.uint8)
        courses = 1 + 0.05 * rng.standard_normal((height // 3 + 1, width // 3 + 1))
        stains = 1 + 0.06 * rng.standard_normal((height // 40 + 2, width // 40 + 2))
        rough = cv2.resize(courses, (width, height), interpolation=cv2.INTER_NEAREST)
        rough *= cv2.resize(stains, (width, height), interpolation=cv2.INTER_CUBIC)
        drip = np.linspace(1.03, 0.93, height)[:, None]
        self.wall = np.clip(205 * rough * drip, 0, 255).astype(np.uint8)

    def box(self, x: float, z: float, width: float, height: float, rgb: RGB) -> None:
        """Something that is not wall."""
        self._fill(self.detail, x, z, width, height, rgb)
        self._fill(self.wall, x, z, width, height, (0,))

    def band(self, x: float, z: float, width: float, height: float, light: float) -> None:
        """Wall in another light: a cornice, a recess."""
        self._fill(self.detail, x, z, width, height, (0, 0, 0))
        self._fill(self.wall, x, z, width, height, (min(255, 205 * light),))

    def _fill(
        self,
        page: np.ndarray,
        x: float,
        z: float,
        width: float,
        height: float,
        ink: tuple[float, ...],
    ) -> None:
        left, bottom = round(x * TEXELS), page.shape[0] - round(z * TEXELS)
        right, top = left + max(1, round(width * TEXELS)), bottom - max(1, round(height * TEXELS))
        if right > 0 and bottom > 0:
            page[max(top, 0) : bottom, max(left, 0) : right] = ink

    def pixels(self) -> np.ndarray:
        return np.dstack([self.detail, self.wall])


def _window(wall: _Wall, x: float, z: float, width: float, height: float, glass: RGB) -> None:
    """A sash window with its sill, frame and glazing bar."""
    wall.band(x - 0.12, z - 0.16, width + 0.24, 0.16, 1.15)
    wall.box(x, z, width, height, _FRAME)
    wall.box(x + 0.08, z + 0.08, width - 0.16, height - 0.16, glass)
    wall.box(x, z + height / 2 - 0.04, width, 0.08, _FRAME)
    wall.box(x + 0.08, z + height - 0.28, width - 0.16, 0.20, shade(glass, 0.6))


def _terrace(wall: _Wall, storeys: int, rng: np.random.Generator) -> None:
    """Narrow houses: a door and a window each below, two windows on every floor above."""
    house = rng.uniform(4.6, 6.2)
    tall = rng.uniform(1.4, 1.9)
    for k in range(int(LENGTH / house) + 1):
        x = k * house
        wall.band(x - 0.03, 0, 0.10, storeys * STOREY, 0.82)
        door = shade(_FASCIAS[int(rng.integers(len(_FASCIAS)))], 0.8)
        wall.box(x + 0.5, 0, 1.0, 2.2, door)
        wall.box(x + 0.5, 2.25, 1.0, 0.35, _GLASS[1])
        _window(wall, x + 2.2, 0.8, 1.8, tall, _glass(rng))
        for floor in range(1, storeys):
            for shift in (0.6, 2.7):
                _window(wall, x + shift, floor * STOREY + 0.7, 1.1, tall, _glass(rng))
    _cornice(wall, storeys)


def _shop(wall: _Wall, storeys: int, rng: np.random.Generator) -> None:
    """Shop fronts with their names above them; windows of dwellings above."""
    shop = rng.uniform(5.0, 7.5)
    pitch = rng.uniform(2.2, 3.0)
    for k in range(int(LENGTH / shop) + 1):
        x, sign = k * shop, _FASCIAS[int(rng.integers(len(_FASCIAS)))]
        wall.box(x, 0, shop, 3.4, shade(sign, 0.7))
        wall.box(x + 0.3, 0.55, shop - 2.0, 2.0, _glass(rng, 0.75))
        for _ in range(5):  # what stands in the window
            goods = tuple(int(c) for c in rng.integers(60, 190, 3))
            spot = x + 0.4 + (shop - 2.6) * rng.random()
            wall.box(
                spot, 0.6, 0.5, rng.uniform(0.4, 1.4), shade((goods[0], goods[1], goods[2]), 0.8)
            )
        wall.box(x + shop - 1.5, 0.05, 1.0, 2.4, _glass(rng, 0.6))
        wall.box(x + 0.1, 2.65, shop - 0.2, 0.7, sign)
        letters = shade(_STONE, 1.1) if sum(sign) < 380 else (60, 50, 44)
        for spot in np.arange(x + 0.25 * shop, x + 0.75 * shop, 0.42).tolist():
            wall.box(spot, 2.85, 0.26, 0.30, letters)
    for floor in range(1, storeys):
        for x in np.arange(0.8, LENGTH, pitch).tolist():
            _window(wall, x, floor * STOREY + 0.9, 1.1, 1.6, _glass(rng))
    _cornice(wall, storeys)


def _office(wall: _Wall, storeys: int, rng: np.random.Generator) -> None:
    """Bands of windows between bands of wall."""
    pitch = rng.uniform(1.3, 2.4)
    for floor in range(storeys):
        z = floor * STOREY
        for x in np.arange(0.2, LENGTH, pitch).tolist():
            wall.box(x, z + 0.95, pitch - 0.18, 1.55, _glass(rng))
        wall.band(0, z + 2.85, LENGTH, 0.25, 1.10)
    wall.box(LENGTH * rng.random(), 0, 2.4, 2.5, _GLASS[2])


def _modern(wall: _Wall, storeys: int, rng: np.random.Generator) -> None:
    """Large panes in piers over a recessed ground floor."""
    pitch = rng.uniform(3.0, 4.5)
    for x in np.arange(0.5, LENGTH, pitch).tolist():
        for floor in range(1, storeys):
            z = floor * STOREY + 0.5
            wall.box(x, z, pitch - 1.0, 2.1, _FRAME)
            wall.box(x + 0.08, z + 0.08, (pitch - 1.2) / 2, 1.94, _glass(rng))
            wall.box(x + 0.1 + (pitch - 1.1) / 2, z + 0.08, (pitch - 1.2) / 2, 1.94, _glass(rng))
        wall.box(x, 0.1, pitch - 0.7, 2.6, _glass(rng, 0.7))
    wall.band(0, storeys * STOREY - 0.4, LENGTH, 0.4, 1.15)


def _blank(wall: _Wall, storeys: int, rng: np.random.Generator) -> None:
    """The end of a row: few windows, a downpipe."""
    for floor in range(1, storeys):
        for x in np.arange(rng.uniform(1.5, 3.5), LENGTH, rng.uniform(3.5, 6.0)).tolist():
            if rng.random() < 0.6:
                _window(wall, x, floor * STOREY + 0.9, 1.0, 1.5, _glass(rng))
    wall.band(rng.uniform(4, 9), 0, 0.12, storeys * STOREY, 0.6)


def _cornice(wall: _Wall, storeys: int) -> None:
    top = storeys * STOREY
    wall.band(0, top - 0.35, LENGTH, 0.35, 1.18)
    wall.band(0, top - 0.45, LENGTH, 0.10, 0.70)


def _glass(rng: np.random.Generator, factor: float = 1.0) -> RGB:
    pane = _GLASS[int(rng.integers(len(_GLASS)))]
    return shade(pane, factor * rng.uniform(0.8, 1.2))


_DRESS = {"terrace": _terrace, "shop": _shop, "office": _office, "modern": _modern, "blank": _blank}
