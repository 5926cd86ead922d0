"""Square tiles of what the ground and walls are made of; each joins itself on all sides."""

from collections.abc import Callable

import cv2
import numpy as np

from .._textures import grain_rng
from .geometry import RGB

SIZE = 256  # texels, of a tile's side
_SEED = 6000  # of the grains that belong to these tiles


def drift(cells: int, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise float32 [SIZE, SIZE] in `cells` x `cells` blobs (a power of 2) that wraps."""
    coarse = rng.standard_normal((cells, cells)).astype(np.float32)
    step = SIZE // cells
    if step == 1:
        return coarse
    around = np.pad(coarse, 2, mode="wrap")
    full = cv2.resize(around, None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC)
    return full[2 * step : 2 * step + SIZE, 2 * step : 2 * step + SIZE]


def coloured(light: np.ndarray, rgb: RGB) -> np.ndarray:
    """float32 [SIZE, SIZE, 3]: a colour in a light around 1."""
    return light[..., None].astype(np.float32) * np.array(rgb, np.float32)


def asphalt(rng: np.random.Generator) -> np.ndarray:
    """Aggregate in bitumen, one faint patch and hair cracks."""
    light = 1 + 0.07 * drift(256, rng) + 0.035 * drift(128, rng) + 0.012 * drift(8, rng)
    light += 0.16 * (drift(256, rng) > 2.4)  # pale stones
    light[150:222, 30:78] -= 0.035
    for _ in range(3):
        _crack(light, rng)
    return coloured(light, (95, 95, 98))


def _crack(light: np.ndarray, rng: np.random.Generator) -> None:
    """A dark line that wanders, about 2 m long."""
    x, y = rng.uniform(0, SIZE, 2).tolist()
    angle = rng.uniform(0, 2 * np.pi)
    for _ in range(90):
        angle += rng.normal(0, 0.25)
        x, y = x + np.cos(angle), y + np.sin(angle)
        light[int(y) % SIZE, int(x) % SIZE] -= 0.10


def paving(rng: np.random.Generator) -> np.ndarray:
    """Slabs of half a metre, each a little different."""
    slab = SIZE // 8
    each = np.kron(rng.standard_normal((8, 8)), np.ones((slab, slab)))
    light = 1 + 0.022 * each + 0.03 * drift(256, rng) + 0.025 * drift(64, rng)
    light += 0.02 * drift(4, rng)
    at = np.arange(SIZE) % slab
    light[at == 0] *= 0.80
    light[:, at == 0] *= 0.80
    light[at == 1] *= 0.94
    light[:, at == 1] *= 0.94
    return coloured(light, (139, 135, 128))


def grass(rng: np.random.Generator) -> np.ndarray:
    """Tufts, paler where they are dry."""
    dry = np.clip(0.5 + 0.22 * drift(8, rng) + 0.20 * drift(32, rng), 0, 1)
    light = 1 + 0.13 * drift(256, rng) + 0.09 * drift(128, rng) + 0.05 * drift(64, rng)
    return coloured(light * (1 - dry), (76, 92, 46)) + coloured(light * dry, (112, 116, 68))


def earth(rng: np.random.Generator) -> np.ndarray:
    """Bare soil with pebbles."""
    light = 1 + 0.08 * drift(256, rng) + 0.07 * drift(64, rng) + 0.06 * drift(16, rng)
    light += 0.25 * (drift(256, rng) > 2.5)
    return coloured(light, (122, 106, 86))


def concrete(rng: np.random.Generator) -> np.ndarray:
    """Cast concrete: pores and water stains."""
    light = 1 + 0.03 * drift(256, rng) + 0.03 * drift(32, rng) + 0.03 * drift(8, rng)
    light -= 0.15 * (drift(256, rng) > 2.6)
    return coloured(light, (158, 156, 150))


def marking(rng: np.random.Generator) -> np.ndarray:
    """Road paint, worn through in places."""
    worn = np.clip(0.6 * drift(128, rng) + 0.5 * drift(32, rng) - 0.9, 0, 1)
    light = 1 + 0.03 * drift(256, rng) - 0.35 * worn
    return coloured(light, (217, 216, 210))


def brick(rng: np.random.Generator) -> np.ndarray:
    """Courses of bricks in light mortar, neutral: 26 courses of 9 bricks."""
    return coloured(masonry(26, 9, rng), (255, 255, 255))


def masonry(courses: int, bricks: int, rng: np.random.Generator) -> np.ndarray:
    """Light float [SIZE, SIZE] on a bonded wall; an even number of courses joins itself."""
    v = np.arange(SIZE) * courses / SIZE
    row = v.astype(int)
    u = np.arange(SIZE)[None] * bricks / SIZE + 0.5 * (row[:, None] % 2)
    column = u.astype(int) % bricks
    each = rng.standard_normal((courses, bricks))[row[:, None], column]
    light = 0.85 + 0.042 * each + 0.02 * drift(256, rng) + 0.015 * drift(8, rng)
    joint = ((v % 1) < 0.13)[:, None] | ((u % 1) < 0.05)
    return np.where(joint, 0.93 + 0.02 * drift(128, rng), light)


def plaster(rng: np.random.Generator) -> np.ndarray:
    """Render with faint stains that run down."""
    runs = cv2.blur(np.tile(drift(64, rng), (1, 3)), (1, 31))[:, SIZE : 2 * SIZE]
    light = 0.93 + 0.012 * drift(256, rng) + 0.014 * drift(8, rng) + 0.008 * runs
    return coloured(light, (255, 255, 253))


def roof(rng: np.random.Generator) -> np.ndarray:
    """Ten courses of tiles; each course throws a shadow on the one below."""
    v = np.arange(SIZE) * 10 / SIZE
    row = v.astype(int)
    u = np.arange(SIZE)[None] * 12 / SIZE + 0.5 * (row[:, None] % 2)
    each = rng.standard_normal((10, 12))[row[:, None], u.astype(int) % 12]
    light = 0.86 + 0.05 * each + 0.02 * drift(256, rng) + 0.03 * drift(16, rng)
    light = light * np.where(v % 1 < 0.14, 0.66, 1.0)[:, None]
    return coloured(np.where(u % 1 < 0.06, 0.84 * light, light), (255, 255, 255))


def foliage(rng: np.random.Generator) -> np.ndarray:
    """Small leaves over each other in all lights, neutral, some of them yellowish."""
    light = np.full((SIZE, SIZE, 3), 0.5, np.float32)
    for _ in range(1500):
        x, y = rng.integers(0, SIZE, 2).tolist()
        shade = rng.uniform(0.55, 1.0)
        colour = shade * np.array([1.0, 1.0, 0.9]) * (1 + rng.normal(0, 0.04, 3))
        axes = (int(rng.integers(4, 9)), int(rng.integers(2, 5)))
        turn = rng.uniform(0, 180)
        for dx in (-SIZE, 0, SIZE):
            for dy in (-SIZE, 0, SIZE):
                place = (x + dx, y + dy)
                cv2.ellipse(light, place, axes, turn, 0, 360, colour.tolist(), -1)
    return 255 * light


SURFACES: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "asphalt": asphalt,
    "paving": paving,
    "grass": grass,
    "earth": earth,
    "concrete": concrete,
    "marking": marking,
    "brick": brick,
    "plaster": plaster,
    "roof": roof,
    "foliage": foliage,
}


def tile(name: str) -> np.ndarray:
    """float32 [SIZE, SIZE, 3], 0 to 255."""
    return SURFACES[name](grain_rng(_SEED + tuple(SURFACES).index(name)))
