"""An OpenGL context without a window: EGL on a GPU or on Mesa's llvmpipe, else OSMesa.

A context belongs to the process that made it and does not survive a fork, so it is made when a
renderer opens, and a process has one for its whole life: to end an EGL display and to begin it
anew fails on some drivers (pyrender issues 148 and 223).
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import util
from pathlib import Path
from typing import Any

from datagen.errors import MissingError

PLATFORMS = ("egl", "osmesa")
LEAST_VERSION = (4, 3)  # indirect drawing
_REMEDY = (
    "apt install libegl1 libgl1-mesa-dri, look at `datagen doctor`, or render in 2D with "
    'use = "raster"'
)


@dataclass(frozen=True)
class Device:
    """What draws: its pixels are the same only on the same device and driver."""

    platform: str  # egl or osmesa
    renderer: str  # such as "llvmpipe (LLVM 15.0.6, 256 bits)"
    version: str  # such as "4.5 (Core Profile) Mesa 22.3.6"


@dataclass(frozen=True)
class _Context:
    pid: int
    platform: Any  # pyrender's Platform
    device: Device


@contextmanager
def opened() -> Iterator[Device]:
    """This process's context, current; MissingError (exit code 5) where there is no OpenGL."""
    context = _context()
    if context.pid != os.getpid():
        raise MissingError(
            "an OpenGL context does not survive a fork; start workers with the method `spawn`"
        )
    context.platform.make_current()
    yield context.device


@cache
def _context() -> _Context:
    wanted = os.environ.get("PYOPENGL_PLATFORM")
    if wanted and wanted not in PLATFORMS:
        raise MissingError(
            f"PYOPENGL_PLATFORM={wanted[:40]} is none of {', '.join(PLATFORMS)}; unset it"
        )
    _one_rasterizer_thread()
    _triton_first()
    failures = []
    for name in (wanted,) if wanted else PLATFORMS:
        try:
            return _made(name)
        except Exception as error:  # noqa: BLE001 - drivers fail in every way there is
            failures.append(f"{name}: {type(error).__name__} {str(error).splitlines()[:1]}")
    raise MissingError(f"no OpenGL here ({'; '.join(failures)[:300]}); {_REMEDY}")


def _one_rasterizer_thread() -> None:
    """Llvmpipe takes all cores for one process unless told; processes are our way to use them.

    Measured in docs/results-streets.md. A person's own setting stands.
    """
    os.environ.setdefault("LP_NUM_THREADS", "1")


def _triton_first() -> None:
    """Triton, which torch loads when it likes, and Mesa hold an LLVM each.

    Loaded after Mesa's, Triton calls into that one and the process dies (Triton 3.9, Mesa 22.3);
    the other way round both work. Only its library is loaded: that takes some 20 ms.
    """
    spec = util.find_spec("triton")
    if spec is not None and spec.origin is not None:
        for library in Path(spec.origin).parent.glob("_C/libtriton*.so"):
            ctypes.CDLL(str(library))


def _made(name: str) -> _Context:
    os.environ["PYOPENGL_PLATFORM"] = name
    if name == "egl":
        from pyrender.platforms import egl

        device = egl.get_device_by_index(int(os.environ.get("EGL_DEVICE_ID", "0")))
        platform: Any = egl.EGLPlatform(16, 16, device=device)
    else:
        from pyrender.platforms import osmesa

        platform = osmesa.OSMesaPlatform(16, 16)
    platform.init_context()
    platform.make_current()
    device = _device(name)
    _check_version(device)
    return _Context(os.getpid(), platform, device)


def _device(platform: str) -> Device:
    from OpenGL.GL import GL_RENDERER, GL_VERSION, glGetString

    renderer, version = (glGetString(what) for what in (GL_RENDERER, GL_VERSION))
    if not renderer or not version:
        raise RuntimeError("the context names no device")
    return Device(platform, renderer.decode(), version.decode())


def _check_version(device: Device) -> None:
    number = device.version.split()[0].split(".")
    if (int(number[0]), int(number[1])) < LEAST_VERSION:
        least = ".".join(map(str, LEAST_VERSION))
        raise RuntimeError(f"OpenGL {device.version} of {device.renderer} is below {least}")
