"""Tiles of facades: one bay of one storey each, with its window, door or shop front."""

from collections.abc import Callable
from functools import partial

import numpy as np

from .._textures import grain_rng
from .geometry import RGB
from .surfaces import SIZE, coloured, drift, masonry, plaster

WIDTH, HEIGHT = 3.2, 3.0  # m of a bay
_SEED = 6100
_FRAME: RGB = (220, 218, 212)
_STONE: RGB = (196, 190, 178)
_DARK: RGB = (44, 46, 48)
_LETTERS: RGB = (228, 226, 216)


class _Bay:
    """A tile under construction; x from the left and z up from the floor, in metres."""

    def __init__(self, wall: np.ndarray, tinted: bool, rng: np.random.Generator) -> None:
        self.pixels = np.dstack([wall, np.full((SIZE, SIZE), 255.0 * tinted)])
        self.rng = rng

    def _part(self, x: float, z: float, width: float, height: float) -> np.ndarray:
        left, right = round(x / WIDTH * SIZE), round((x + width) / WIDTH * SIZE)
        top, bottom = SIZE - round((z + height) / HEIGHT * SIZE), SIZE - round(z / HEIGHT * SIZE)
        return self.pixels[max(top, 0) : max(bottom, top + 1), max(left, 0) : max(right, left + 1)]

    def paint(self, x: float, z: float, width: float, height: float, rgb: RGB) -> None:
        """A colour that no tint changes."""
        self._part(x, z, width, height)[...] = (*rgb, 0)

    def tinted(self, x: float, z: float, width: float, height: float, light: int) -> None:
        self._part(x, z, width, height)[...] = (light, light, light, 255)

    def darken(self, x: float, z: float, width: float, height: float, factor: float) -> None:
        self._part(x, z, width, height)[..., :3] *= factor

    def glass(self, x: float, z: float, width: float, height: float, rgb: RGB) -> None:
        """A dim pane, paler towards its top where it mirrors the sky, in the wall's shadow."""
        self.paint(x, z, width, height, rgb)
        pane = self._part(x, z, width, height)
        pane[..., :3] *= np.linspace(1.35, 0.8, len(pane))[:, None, None]
        self.darken(x, z + height - 0.10, width, 0.10, 0.6)

    def curtains(self, x: float, z: float, width: float, height: float, share: float) -> None:
        """Folds at both sides of a pane, each over `share` of it."""
        for left in (x, x + (1 - share) * width):
            cloth = self._part(left, z, share * width, height)
            folds = 1 + 0.14 * np.sin(np.arange(cloth.shape[1]) * 1.3)
            cloth[..., :3] = 0.35 * cloth[..., :3] + 0.65 * 118 * folds[None, :, None]
        self.darken(x, z + height - 0.10, width, 0.10, 0.75)


def _bricks(rng: np.random.Generator) -> np.ndarray:
    return coloured(masonry(40, 14, rng), (255, 255, 255))


def _window_terrace(page: _Bay, drawn: bool) -> None:
    """A broad window of two lights under a stone lintel."""
    page.tinted(0.65, 2.45, 1.9, 0.22, 246)
    page.paint(0.62, 0.78, 1.96, 0.12, _STONE)
    page.darken(0.62, 0.72, 1.96, 0.06, 0.72)
    page.paint(0.75, 0.9, 1.7, 1.55, _FRAME)
    for x in (0.83, 1.64):
        page.glass(x, 0.98, 0.73, 1.05, (50, 55, 60))
        page.glass(x, 2.09, 0.73, 0.28, (62, 68, 74))
    page.curtains(0.83, 0.98, 1.54, 1.05, 0.46 if drawn else 0.22)
    page.paint(1.56, 0.9, 0.08, 1.55, _FRAME)


def _window_sash(page: _Bay, drawn: bool) -> None:
    """A tall sash window in a stone surround."""
    page.paint(0.92, 0.55, 1.36, 2.2, _STONE)
    page.paint(0.85, 0.47, 1.5, 0.12, (206, 201, 190))
    page.darken(0.85, 0.41, 1.5, 0.06, 0.72)
    page.darken(1.02, 0.65, 1.16, 2.0, 0.7)
    page.paint(1.06, 0.65, 1.08, 1.96, _FRAME)
    for z in (0.72, 1.66):
        page.glass(1.13, z, 0.94, 0.87, (48, 53, 58))
    page.curtains(1.13, 0.72, 0.94, 1.81, 0.26 if drawn else 0.12)
    page.paint(1.06, 1.59, 1.08, 0.07, _FRAME)
    page.paint(1.58, 0.65, 0.04, 1.96, _FRAME)
    if drawn:
        page.paint(1.13, 2.05, 0.94, 0.48, (150, 146, 134))  # a blind
        page.darken(1.13, 2.43, 0.94, 0.10, 0.7)


def _window_office(page: _Bay, drawn: bool) -> None:
    """A band of glass between bands of wall."""
    page.darken(0, 0.86, WIDTH, 0.05, 0.7)
    page.paint(0, 0.9, WIDTH, 1.65, (150, 152, 154))
    for k in range(3):
        x = (k + 0.04) * WIDTH / 3
        page.glass(x, 0.97, 0.98, 1.5, (48, 56, 62) if k != 1 else (42, 49, 55))
        if drawn and k != 2:
            page.paint(x, 1.75 if k else 1.4, 0.98, 0.72 if k else 1.07, (122, 122, 116))
    page.darken(0, 2.40, WIDTH, 0.07, 0.6)
    page.darken(0, 2.95, WIDTH, 0.03, 0.8)


def _window_modern(page: _Bay, drawn: bool) -> None:
    """Two tall panes in a dark frame, a rail before the lower part."""
    page.paint(0.45, 0.12, 2.3, 2.42, (62, 64, 66))
    for x in (0.53, 1.64):
        page.glass(x, 0.2, 1.03, 2.26, (50, 57, 63))
    page.curtains(0.53, 0.2, 2.14, 2.26, 0.34 if drawn else 0.10)
    page.paint(1.57, 0.12, 0.07, 2.42, (62, 64, 66))
    for z in (0.4, 0.6, 0.8, 1.05):
        page.paint(0.45, z, 2.3, 0.03, (96, 98, 100))
    page.tinted(0.40, 0.0, 2.4, 0.10, 235)
    page.darken(0.45, 2.46, 2.3, 0.08, 0.6)


def _door(page: _Bay, wood: RGB) -> None:
    """A panelled front door in a stone surround, a light above it."""
    page.paint(0.95, 0.0, 1.3, 2.75, _STONE)
    page.darken(0.95, 2.68, 1.3, 0.03, 0.8)
    page.paint(1.1, 0.0, 1.0, 2.6, tuple(round(c * 0.5) for c in wood))  # type: ignore[arg-type]
    page.glass(1.16, 2.2, 0.88, 0.34, (60, 66, 72))
    page.paint(1.14, 0.12, 0.92, 2.0, wood)
    for x in (1.22, 1.64):
        for z, height in ((0.25, 0.6), (1.0, 0.95)):
            page.darken(x, z, 0.34, height, 0.78)
    page.paint(1.94, 1.0, 0.06, 0.10, (186, 170, 120))
    page.paint(0.95, 0.0, 1.3, 0.12, (150, 147, 140))


def _letter(page: _Bay, x: float) -> float:
    """A stem with some strokes of nobody's alphabet; its width, m."""
    width = page.rng.uniform(0.09, 0.15)
    page.paint(x, 2.53, 0.035, 0.22, _LETTERS)
    for z in (2.53, 2.62, 2.72):
        if page.rng.random() < 0.6:
            page.paint(x, z, width, 0.03, _LETTERS)
    if page.rng.random() < 0.4:
        page.paint(x + width - 0.03, 2.53, 0.03, 0.22, _LETTERS)
    return width


def _front(page: _Bay) -> None:
    """What all shops share: piers, a fascia in the tint with a name, a cornice above it."""
    page.paint(0, 0, WIDTH, 0.5, _DARK)
    page.paint(0, 0.5, WIDTH, 1.9, (74, 76, 78))
    for x in (0.0, WIDTH - 0.16):
        page.paint(x, 0, 0.16, 2.95, _STONE)
    page.tinted(0, 2.38, WIDTH, 0.52, 235)
    page.darken(0, 2.38, WIDTH, 0.05, 0.75)
    x = 0.75
    while x < WIDTH - 0.85:
        x += _letter(page, x) + 0.07
    page.paint(0, 2.88, WIDTH, 0.12, (206, 201, 190))


def _display(page: _Bay, x: float, z: float, width: float, height: float) -> None:
    """A shop window: a dim room with lit goods."""
    page.glass(x, z, width, height, (62, 62, 60))
    left = x + 0.05
    while left < x + width - 0.25:
        size = page.rng.uniform(0.12, 0.30)
        tall = page.rng.uniform(0.2, 0.6) * height
        r, g, b = (page.rng.uniform(0.5, 1.0, 3) * 128).astype(int).tolist()
        page.paint(left, z, size, tall, (r, g, b))
        page.darken(left, z, size, 0.4 * tall, 0.7)
        left += size + page.rng.uniform(0.05, 0.25)
    for k in range(3):
        page.paint(x + (0.2 + 0.3 * k) * width, z + height - 0.22, 0.09, 0.05, (216, 208, 188))


def _shop_a(page: _Bay) -> None:
    _front(page)
    _display(page, 0.26, 0.5, 1.27, 1.8)
    _display(page, 1.67, 0.5, 1.27, 1.8)


def _shop_b(page: _Bay) -> None:
    _front(page)
    _display(page, 0.26, 0.5, 1.55, 1.8)
    page.glass(2.05, 0.3, 0.85, 1.95, (46, 47, 48))
    page.paint(2.12, 1.0, 0.04, 0.4, (190, 188, 180))


def _shop_c(page: _Bay) -> None:
    """An awning over the window."""
    _front(page)
    _display(page, 0.26, 0.35, 2.68, 1.6)
    page.darken(0.16, 1.55, 2.88, 0.4, 0.6)
    page.tinted(0.10, 1.90, 3.0, 0.52, 225)
    page.darken(0.10, 1.90, 3.0, 0.10, 0.8)


Drawn = Callable[[_Bay], None]
BAYS: dict[str, tuple[Callable[[np.random.Generator], np.ndarray], bool, Drawn]] = {
    "window_terrace": (_bricks, True, partial(_window_terrace, drawn=False)),
    "window_terrace_b": (_bricks, True, partial(_window_terrace, drawn=True)),
    "window_sash": (_bricks, True, partial(_window_sash, drawn=False)),
    "window_sash_b": (_bricks, True, partial(_window_sash, drawn=True)),
    "window_office": (plaster, True, partial(_window_office, drawn=False)),
    "window_office_b": (plaster, True, partial(_window_office, drawn=True)),
    "window_modern": (plaster, True, partial(_window_modern, drawn=False)),
    "window_modern_b": (plaster, True, partial(_window_modern, drawn=True)),
    "shop_a": (plaster, False, _shop_a),
    "shop_b": (plaster, False, _shop_b),
    "shop_c": (plaster, False, _shop_c),
    "door": (_bricks, True, partial(_door, wood=(44, 62, 54))),
    "door_b": (_bricks, True, partial(_door, wood=(96, 38, 36))),
}


def bay(name: str) -> np.ndarray:
    """float [SIZE, SIZE, 4], 0 to 255; alpha is 255 where a tint applies, else 0."""
    wall, tinted, draw = BAYS[name]
    rng = grain_rng(_SEED + tuple(BAYS).index(name))
    page = _Bay(wall(rng), tinted, rng)
    draw(page)
    page.pixels[..., :3] *= 1 + 0.02 * drift(256, rng)[..., None]
    return page.pixels
