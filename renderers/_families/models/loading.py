"""Model files as geometry: each checked here, and read by a process that can be lost."""

import contextlib
import io
import json
import logging
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Timer
from typing import IO

import numpy as np

from datagen.errors import InputError

from ..geometry import Geometry
from ..materials import Material
from .checks import check
from .limits import CPU_SECONDS, MOST_TRIANGLES, SECONDS

log = logging.getLogger(__name__)

# A process that lives for a second has no use for more, and each would want its memory.
_ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")

_MOST_REPLY = 2**27  # bytes; a model's own triangles take less


@dataclass(frozen=True, eq=False)
class Model:
    """In a box of side 1 that stands on z = 0, about x = y = 0; the front is +y."""

    geometry: Geometry
    extents: tuple[float, float, float]  # of the file, in its own unit: x, y, z


def read_models(paths: Sequence[Path]) -> tuple[Model, ...]:
    """The models in the files; InputError with one line for the first that cannot be used."""
    try:
        return _read(tuple((str(path), path.stat().st_mtime_ns) for path in paths))
    except OSError as error:
        raise InputError(f"a model file cannot be read: {error}") from error


@lru_cache(maxsize=64)
def _read(stamped: tuple[tuple[str, int], ...]) -> tuple[Model, ...]:
    paths = [Path(name) for name, _ in stamped]
    verdicts = [check(path) for path in paths]
    work = [[str(path), verdict.textured] for path, verdict in zip(paths, verdicts, strict=True)]
    models = []
    with _reader(work) as replies:
        for path, verdict, reply in zip(paths, verdicts, replies, strict=True):
            model, warnings = _model(path, reply)
            models.append(model)
            for warning in (*verdict.warnings, *warnings):
                log.warning("%s: %s", path, warning)
    return tuple(models)


@contextlib.contextmanager
def _reader(work: list[list[str | bool]]) -> Iterator[Iterator[bytes]]:
    """One reply for each file, from a process that ends with this context."""
    command = [sys.executable, "-P", "-W", "ignore", "-m", f"{__package__}.reader"]
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    environment = {**os.environ, **_ONE_THREAD, "PYTHONPATH": path}
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as process,
    ):
        try:
            assert process.stdin is not None and process.stdout is not None
            with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
                stdin.write(json.dumps(work).encode())
            yield _replies(process, process.stdout, errors, [str(path) for path, _ in work])
        finally:
            process.kill()


def _replies(
    process: subprocess.Popen[bytes], stdout: IO[bytes], errors: IO[bytes], names: list[str]
) -> Iterator[bytes]:
    for name in names:
        timer = Timer(SECONDS, process.kill)
        timer.start()
        try:
            length = int.from_bytes(stdout.read(8), "little")
            reply = stdout.read(length) if length <= _MOST_REPLY else b""
        finally:
            timer.cancel()
        if not reply or len(reply) < length:
            raise InputError(f"{name}: {_why(_exit_code(process), errors)}")
        yield reply


def _exit_code(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _why(code: int, errors: IO[bytes]) -> str:
    """What ended the process that was reading a file."""
    errors.seek(0)
    lines = errors.read(2**20).decode("utf-8", "replace").strip().splitlines()
    if code < 0:
        return (
            f"reading it took more than {CPU_SECONDS} s of computing or {SECONDS} s, or broke the "
            "reader; export it again with fewer triangles"
        )
    if lines and lines[-1].startswith(("MemoryError", "numpy._core._exceptions._ArrayMemoryError")):
        return "reading it takes too much memory; export it with fewer triangles"
    what = lines[-1][:300] if lines else f"exit code {code}"
    return f"cannot be read ({what}); export it again"


def _model(path: Path, reply: bytes) -> tuple[Model, list[str]]:
    try:
        with np.load(io.BytesIO(reply), allow_pickle=False) as arrays:
            if "refused" in arrays:
                raise InputError(f"{path}: {arrays['refused']}")
            geometry = _geometry(arrays["positions"], arrays["normals"], arrays["colours"])
            x, y, z = map(float, arrays["extents"])
            return Model(geometry, (x, y, z)), list(map(str, arrays["warnings"]))
    except (ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: cannot be read ({error}); export it again") from error


def _geometry(positions: np.ndarray, normals: np.ndarray, colours: np.ndarray) -> Geometry:
    """Corners that are alike in all become one vertex."""
    if positions.shape[1:] != (3, 3) or not 0 < len(positions) <= MOST_TRIANGLES:
        raise ValueError(f"a reply of shape {positions.shape}")
    corners = np.column_stack([part.reshape(-1, 3) for part in (positions, normals, colours)])
    # Equal corners have equal bytes, but for -0.0, which this makes 0.0.
    rows = np.ascontiguousarray(corners.astype(np.float32) + 0.0)
    whole = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
    _, first, faces = np.unique(whole, return_index=True, return_inverse=True)
    vertices = rows[first]
    return Geometry(
        vertices[:, :3],
        vertices[:, 3:6],
        np.zeros((len(vertices), 2), np.float32),
        vertices[:, 6:].astype(np.uint8),
        np.full(len(vertices), Material.PLAIN, np.uint8),
        faces.reshape(-1, 3).astype(np.uint32),
    )
