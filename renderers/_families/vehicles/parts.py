"""What vehicles have in common: coats, wheels, plates, and the darkness underneath."""

import numpy as np

from ..contact import LIFT
from ..geometry import Geometry
from ..materials import Material
from .skin import Coat, Skin, flat, grid, joined

# Even white paint swallows a quarter of the light.
PAINT = Coat(Material.PAINT, (218, 218, 219))
PAINT_2 = Coat(Material.PAINT_2, (218, 218, 219))
GLASS = Coat(Material.GLASS, (30, 36, 42))
TRIM = Coat(Material.PLAIN, (34, 34, 36))
BLACK = Coat(Material.PLAIN, (14, 14, 15))
HEADLIGHT = Coat(Material.GLASS, (134, 138, 142))
TAILLIGHT = Coat(Material.PLAIN, (110, 22, 22))
FRONT_PLATE = Coat(Material.PLAIN, (222, 222, 214))
REAR_PLATE = Coat(
    Material.PLAIN, (204, 190, 124)
)  # between Britain's yellow and the continent's white
TYRE = Coat(Material.RUBBER, (26, 26, 27))
RIM = Coat(Material.METAL, (150, 152, 155))
FAR_RIM = Coat(Material.METAL, (98, 99, 101))  # with its spokes
FAR_WHEEL = Coat(Material.RUBBER, (50, 50, 52))  # tyre and rim

_SPOKES = (1.0, 0.42)  # brightness of the hub by turns: six spokes on twelve segments


def wheel(y: float, radius: float, outside: float, width: float) -> Skin:
    """A wheel on the right side; its outer face is at x = `outside`, its lowest point at 0."""
    profile = ((radius, -width), (radius, -0.02), (0.66 * radius, 0.0), (0.60 * radius, -0.02),
               (0.0, -0.01))  # fmt: skip
    around = _around(12)
    points = np.array([r * around + (outside + x, y, radius) for r, x in profile])
    skin = grid(points, lambda row, _: TYRE if row < 2 else RIM)
    return _spoked(skin, 0.5 * radius, (y, radius))


def coarse_wheel(y: float, radius: float, side: float, arch: float, level: int) -> Skin:
    """One for far away: flat before a body's side at x = `side`, on the arch's darkness."""
    around = _around(8 if level == 1 else 6)

    def disc(r: float, out: float, coat: Coat) -> Skin:
        return flat((r * around + (side + out, y, radius))[:-1], coat)

    tread = np.array([radius * around + (side + x, y, radius) for x in (-0.2, 0.025)])
    parts = [grid(tread, lambda *_: TYRE), disc(radius, 0.025, TYRE if level == 1 else FAR_WHEEL)]
    if level == 1:
        above = [p for p in (arch * around + (side + 0.01, y, radius)) if p[2] > radius - 0.01]
        parts += [disc(0.64 * radius, 0.037, FAR_RIM), flat(above, BLACK)]
    return joined(parts)


def well(y: float, radius: float, arch: float, x: float, low: float) -> Skin:
    """The wall behind a wheel in its arch, without which the other side's daylight is seen."""
    top, near, far = radius + arch, y + arch, y - arch
    return flat([(x, far, low), (x, near, low), (x, near, top), (x, far, top)], BLACK)


def _around(segments: int) -> np.ndarray:
    """float [segments + 1, 3]: directions around x, the first down; a grid of them faces out."""
    turn = np.linspace(0.0, 2 * np.pi, segments + 1)
    return np.stack([0 * turn, np.sin(turn), -np.cos(turn)], axis=1)


def _spoked(skin: Skin, within: float, centre: tuple[float, float]) -> Skin:
    """The hub in darker and lighter sectors."""
    offset = skin.corners[..., 1:] - centre
    middle = offset.mean(axis=1)
    hub = np.linalg.norm(middle, axis=1) < within
    sector = np.floor(np.arctan2(middle[:, 0], -middle[:, 1]) / (np.pi / 6) + 1e-6).astype(int)
    light = np.where(hub, np.array(_SPOKES)[sector % 2], 1.0)
    return Skin(skin.corners, skin.materials, skin.colours * light[:, None, None])


def contact(size: tuple[float, float], fade: float, opacity: float) -> Geometry:
    """The darkness below a thing of `size`, gone `fade` outside of it; the thing scaled to 1."""
    half_x, half_y = size[0] / 2, size[1] / 2
    rings = ((-0.4 * fade, 0.0, opacity), (0.1 * fade, 0.3, 0.6 * opacity), (fade, 0.9, 0.0))
    points, shade = [(0.0, 0.0)], [opacity]
    for out, roundness, dark in rings:
        points += _rounded(half_x + out, half_y + out, roundness * fade)
        shade += [dark] * 16
    n = len(points)
    return Geometry(
        np.column_stack([np.array(points) / size, np.full(n, LIFT)]).astype(np.float32),
        np.tile(np.array([0, 0, 1], np.float32), (n, 1)),
        np.column_stack([shade, np.zeros(n)]).astype(np.float32),
        np.zeros((n, 3), np.uint8),
        np.full(n, Material.CONTACT, np.uint8),
        _web().astype(np.uint32),
    )


def _web() -> np.ndarray:
    """Faces int [F, 3] of a middle and three rings of 16 points around it."""
    k = np.arange(16)
    after = (k + 1) % 16
    faces = [np.stack([0 * k, 1 + k, 1 + after], 1)]
    for ring in (1, 17):
        a, b = ring + k, ring + after
        faces += [np.stack([a, a + 16, b + 16], 1), np.stack([a, b + 16, b], 1)]
    return np.concatenate(faces)


def _rounded(half_x: float, half_y: float, radius: float) -> list[tuple[float, float]]:
    """16 points on a rectangle with round corners, four on each."""
    turn = np.pi / 16 + np.arange(16) * np.pi / 8
    radius = min(radius, half_x, half_y)
    x = np.sign(np.cos(turn)) * (half_x - radius) + radius * np.cos(turn)
    y = np.sign(np.sin(turn)) * (half_y - radius) + radius * np.sin(turn)
    return list(zip(x.tolist(), y.tolist(), strict=True))
