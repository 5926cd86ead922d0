"""What is drawn into, and how it is read back."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from OpenGL import GL as gl

from datagen.errors import InputError

FIRST = int(gl.GL_COLOR_ATTACHMENT0)


@dataclass(frozen=True)
class Kind:
    """A texture format and how its pixels come back."""

    internal: int
    layout: int
    element: int
    dtype: str
    channels: int


COLOUR = Kind(gl.GL_RGBA8, gl.GL_RGBA, gl.GL_UNSIGNED_BYTE, "u1", 4)
OWNER = Kind(gl.GL_R32UI, gl.GL_RED_INTEGER, gl.GL_UNSIGNED_INT, "<u4", 1)
NORMAL = Kind(gl.GL_RGBA16F, gl.GL_RGBA, gl.GL_FLOAT, "<f4", 4)
FLOW = Kind(gl.GL_RG32F, gl.GL_RG, gl.GL_FLOAT, "<f4", 2)
COVER = Kind(gl.GL_R8, gl.GL_RED, gl.GL_UNSIGNED_BYTE, "u1", 1)
DEPTH = Kind(gl.GL_DEPTH_COMPONENT32F, gl.GL_DEPTH_COMPONENT, gl.GL_FLOAT, "<f4", 1)


class Target:
    """A frame buffer of some size with one texture for each kind, and perhaps a depth buffer."""

    def __init__(
        self, width: int, height: int, kinds: Sequence[Kind | None], *, depth: bool = True
    ) -> None:
        most = int(gl.glGetIntegerv(gl.GL_MAX_TEXTURE_SIZE))
        if max(width, height) > most:
            raise InputError(
                f"this device draws at most {most} pixels a side, not {width} x {height}; "
                "take a smaller canvas, less `supersample` or less distortion"
            )
        self.width, self.height = width, height
        self._kinds = kinds
        self._id = gl.glGenFramebuffers(1)
        gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, self._id)
        self._textures = []
        for k, kind in enumerate(kinds):
            if kind is not None:
                self._attach(FIRST + k, kind)
        gl.glDrawBuffers(
            len(kinds),
            [gl.GL_NONE if k is None else FIRST + i for i, k in enumerate(kinds)],
        )
        self.depth = self._attach(int(gl.GL_DEPTH_ATTACHMENT), DEPTH) if depth else None
        if gl.glCheckFramebufferStatus(gl.GL_FRAMEBUFFER) != gl.GL_FRAMEBUFFER_COMPLETE:
            raise RuntimeError(f"this device cannot draw into {width} x {height} pixels")

    def _attach(self, where: int, kind: Kind) -> int:
        texture = gl.glGenTextures(1)
        self._textures.append(texture)
        gl.glBindTexture(gl.GL_TEXTURE_2D, texture)
        gl.glTexStorage2D(gl.GL_TEXTURE_2D, 1, kind.internal, self.width, self.height)
        gl.glFramebufferTexture2D(gl.GL_FRAMEBUFFER, where, gl.GL_TEXTURE_2D, texture, 0)
        return texture

    def bind(self) -> None:
        gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, self._id)
        gl.glViewport(0, 0, self.width, self.height)

    def read(self, number: int, rows: int | None = None) -> np.ndarray:
        """The pixels of texture `number`, [rows, W, channels] or [rows, W]."""
        kind = self._kinds[number]
        assert kind is not None
        gl.glReadBuffer(FIRST + number)
        return self._read(kind, self.height if rows is None else rows)

    def read_depth(self) -> np.ndarray:
        """float32 [H, W], as in the depth buffer."""
        return self._read(DEPTH, self.height)

    def _read(self, kind: Kind, rows: int) -> np.ndarray:
        shape = (rows, self.width) if kind.channels == 1 else (rows, self.width, kind.channels)
        pixels = np.zeros(shape, kind.dtype)
        gl.glPixelStorei(gl.GL_PACK_ALIGNMENT, 1)
        gl.glReadPixels(0, 0, self.width, rows, kind.layout, kind.element, pixels)
        return pixels

    def delete(self) -> None:
        gl.glDeleteTextures(len(self._textures), self._textures)
        gl.glDeleteFramebuffers(1, [self._id])
