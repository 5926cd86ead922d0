"""Compiled shader programs, and the few calls that set what they read."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from OpenGL import GL as gl

from . import shaders


class Program:
    """A linked program; its uniforms are found by name."""

    def __init__(self, vertex: str, fragment: str, defines: Sequence[str] = ()) -> None:
        head = "".join(f"#define {name}\n" for name in defines)
        self._id = gl.glCreateProgram()
        for kind, text in ((gl.GL_VERTEX_SHADER, vertex), (gl.GL_FRAGMENT_SHADER, fragment)):
            shader = _compiled(kind, text.replace("//DEFINES\n", head))
            gl.glAttachShader(self._id, shader)
            gl.glDeleteShader(shader)  # goes with the program
        gl.glLinkProgram(self._id)
        if not gl.glGetProgramiv(self._id, gl.GL_LINK_STATUS):
            raise RuntimeError(f"a shader does not link: {gl.glGetProgramInfoLog(self._id)}")
        self._places: dict[str, int] = {}

    def use(self) -> None:
        gl.glUseProgram(self._id)

    def set(self, values: Mapping[str, np.ndarray | float | int]) -> None:
        """Set uniforms of the program in use; those that it does not read are passed over."""
        for name, value in values.items():
            place = self._place(name)
            if place >= 0:
                _set(place, value)

    def delete(self) -> None:
        gl.glDeleteProgram(self._id)

    def _place(self, name: str) -> int:
        if name not in self._places:
            self._places[name] = gl.glGetUniformLocation(self._id, name)
        return self._places[name]


class Programs:
    """The programs of the passes; those of the scene are compiled as they are first needed."""

    def __init__(self) -> None:
        self._scenes: dict[tuple[str, ...], Program] = {}
        self.contact = Program(shaders.CONTACT_VERTEX, shaders.CONTACT_FRAGMENT)
        self.shadow = Program(shaders.SHADOW_VERTEX, shaders.SHADOW_FRAGMENT)
        self.silhouette = Program(shaders.SILHOUETTE_VERTEX, shaders.SILHOUETTE_FRAGMENT)

    def scene(self, *defines: str) -> Program:
        """Of TEXTURED, SHADOWED, NORMALS and FLOW, what is wanted."""
        if defines not in self._scenes:
            self._scenes[defines] = Program(shaders.SCENE_VERTEX, shaders.SCENE_FRAGMENT, defines)
        return self._scenes[defines]

    def delete(self) -> None:
        for program in (*self._scenes.values(), self.contact, self.shadow, self.silhouette):
            program.delete()


def _compiled(kind: int, text: str) -> int:
    shader: Any = gl.glCreateShader(kind)
    gl.glShaderSource(shader, text)
    gl.glCompileShader(shader)
    if not gl.glGetShaderiv(shader, gl.GL_COMPILE_STATUS):
        raise RuntimeError(f"a shader does not compile: {gl.glGetShaderInfoLog(shader)}")
    return shader


def _set(place: int, value: np.ndarray | float | int) -> None:
    if isinstance(value, int):
        gl.glUniform1i(place, value)
        return
    array = np.ascontiguousarray(value, np.float32)
    match array.shape:
        case (4, 4):
            gl.glUniformMatrix4fv(place, 1, gl.GL_TRUE, array)
        case (3, 3):
            gl.glUniformMatrix3fv(place, 1, gl.GL_TRUE, array)
        case (n, 4):
            gl.glUniform4fv(place, n, array)
        case (4,):
            gl.glUniform4fv(place, 1, array)
        case (3,):
            gl.glUniform3fv(place, 1, array)
        case (2,):
            gl.glUniform2fv(place, 1, array)
        case ():
            gl.glUniform1f(place, float(array))
        case shape:
            raise ValueError(f"no uniform has the shape {shape}")
