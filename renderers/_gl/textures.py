"""The textures of all materials as layers of one array, and the table that the shader reads."""

import numpy as np
from OpenGL import GL as gl

from .._families.materials import FINISH, Material
from .._families.textures import texture

SIDE = 256  # texels


def names() -> list[str]:
    """Textures that some material needs; the place is the layer."""
    return list(dict.fromkeys(f.texture for f in FINISH.values() if f.texture is not None))


def finish_table() -> np.ndarray:
    """float32 [2 M, 4]: of material m, rows 2 m (layer, tint, gloss, glow) and 2 m + 1."""
    layers = {name: k for k, name in enumerate(names())}
    table = np.zeros((2 * len(Material), 4), np.float32)
    for material, look in FINISH.items():
        layer = -1 if look.texture is None else layers[look.texture]
        table[2 * material] = (layer, look.tint, look.gloss, look.glow)
        table[2 * material + 1] = (look.through, look.metres, 0, 0)
    return table


def load() -> int:
    """The array texture, with all its smaller levels."""
    layers = names()
    made = gl.glGenTextures(1)
    gl.glBindTexture(gl.GL_TEXTURE_2D_ARRAY, made)
    levels = SIDE.bit_length()
    gl.glTexStorage3D(gl.GL_TEXTURE_2D_ARRAY, levels, gl.GL_RGBA8, SIDE, SIDE, len(layers))
    for k, name in enumerate(layers):
        pixels = np.ascontiguousarray(texture(name)[::-1])  # v goes up
        gl.glTexSubImage3D(
            gl.GL_TEXTURE_2D_ARRAY, 0, 0, 0, k, SIDE, SIDE, 1,
            gl.GL_RGBA, gl.GL_UNSIGNED_BYTE, pixels,
        )  # fmt: skip
    gl.glGenerateMipmap(gl.GL_TEXTURE_2D_ARRAY)
    for key, value in (
        (gl.GL_TEXTURE_MIN_FILTER, gl.GL_LINEAR_MIPMAP_LINEAR),
        (gl.GL_TEXTURE_MAG_FILTER, gl.GL_LINEAR),
        (gl.GL_TEXTURE_WRAP_S, gl.GL_REPEAT),
        (gl.GL_TEXTURE_WRAP_T, gl.GL_REPEAT),
    ):
        gl.glTexParameteri(gl.GL_TEXTURE_2D_ARRAY, key, value)
    return made
