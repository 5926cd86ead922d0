"""What holds for the pieces of every family."""

import math

import numpy as np

from datagen.rng import Stream, rng_for
from renderers._attributes import Colour, Name, Number
from renderers._families.materials import Material

COLOURS = ("beige", "forest", "#b08268", "#808080", "navy")


def is_contact(piece):
    return bool((piece.geometry.materials == Material.CONTACT).all())


def bodies(pieces):
    return [piece for piece in pieces if not is_contact(piece)]


def placed(piece):
    """float [V, 3]: its corners in the node's frame."""
    return piece.geometry.positions @ piece.matrix[:, :3].T + piece.matrix[:, 3]


def extent(pieces):
    """float [2, 3] of all but the darkness under a thing."""
    points = np.concatenate([placed(piece) for piece in bodies(pieces)])
    return np.stack([points.min(axis=0), points.max(axis=0)])


def faces(pieces):
    return sum(len(piece.geometry.faces) for piece in bodies(pieces))


def drawn(family, count=500, seed=0):
    """Pieces for random values of all attributes at random distances."""
    rng = rng_for(seed, 0, Stream.LEARN)
    for _ in range(count):
        values = {entry.name: _value(entry, rng) for entry in family.reads}
        yield values, family.pieces(values, rng.uniform(1, 150))


def _value(entry, rng):
    match entry:
        case Number(_, default, low, high):
            middle = min(high, max(3 * default, 1.0))
            top = middle if rng.random() < 0.7 else high
            return rng.uniform(low, top)
        case Name(_, _, known):
            return known[int(rng.integers(len(known)))]
        case Colour():
            return COLOURS[int(rng.integers(len(COLOURS)))]


def check_geometries(family, most=150):
    """Few different ones over 500 draws, each sound; matrices are finite and not flat."""
    seen = {}
    for values, pieces in drawn(family):
        assert pieces, values
        for piece in pieces:
            seen[id(piece.geometry)] = piece.geometry
            assert piece.matrix.shape == (3, 4) and np.isfinite(piece.matrix).all(), values
            assert np.linalg.det(piece.matrix[:, :3].astype(float)) > 0, values
    assert len(seen) < most
    for geometry in seen.values():
        check_sound(geometry)


def check_sound(geometry):
    n = len(geometry.positions)
    assert np.isfinite(geometry.positions).all()
    assert np.allclose(np.linalg.norm(geometry.normals, axis=1), 1, atol=1e-3)
    assert geometry.faces.max() < n and geometry.faces.dtype == np.uint32
    assert geometry.positions.dtype == geometry.normals.dtype == geometry.uv.dtype == np.float32
    assert geometry.colours.dtype == geometry.materials.dtype == np.uint8
    assert (geometry.materials[geometry.faces] == geometry.materials[geometry.faces][:, :1]).all()


def check_stands(pieces, slack=1e-4):
    assert math.isclose(extent(pieces)[0, 2], 0, abs_tol=slack)
