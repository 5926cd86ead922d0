"""Where the sun's shadows fall: the orthographic view from the sun over the street ahead."""

import numpy as np

_REACH = (-30.0, 30.0, 2.0, 62.0)  # of the map that has shadows: left, right, near, far, m
_HIGHEST = 20.0  # m; what is higher casts no shadow


def sun_view(direction: np.ndarray) -> np.ndarray:
    """float64 [4, 4]: the scene's frame, m -> the shadow map's clip space.

    `direction`: float [3], towards the sun.
    """
    z = -direction / np.linalg.norm(direction)
    x = np.cross(z, [0.0, 0.0, 1.0])
    x = x / np.linalg.norm(x) if np.linalg.norm(x) > 1e-6 else np.array([1.0, 0.0, 0.0])
    turn = np.stack([x, np.cross(z, x), z])
    left, right, near, far = _REACH
    corners = np.array(
        [[a, b, c] for a in (left, right) for b in (near, far) for c in (0.0, _HIGHEST)]
    )
    seen = corners @ turn.T
    low, high = seen.min(axis=0), seen.max(axis=0)
    scale = 2 / (high - low)
    matrix = np.eye(4)
    matrix[:3, :3] = turn * scale[:, None]
    matrix[:3, 3] = -(high + low) / (high - low)
    return matrix


def casts(matrix: np.ndarray, spheres: np.ndarray) -> np.ndarray:
    """bool [N]: which spheres float [N, 4] stand between the sun and what has shadows."""
    seen = spheres[:, :3] @ matrix[:2, :3].T + matrix[:2, 3]
    reach = spheres[:, 3:] * np.linalg.norm(matrix[:2, :3], axis=1)
    return (np.abs(seen) <= 1 + reach).all(axis=1)
