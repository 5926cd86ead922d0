"""What a model file says of itself, judged before anything is loaded by it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from datagen.errors import InputError

from . import glb
from .limits import MOST_BYTES, MOST_FACES, MOST_VERTICES
from .places import inside

_NAMED_FILES = re.compile(rb"(?im)^[ \t]*(?:map_\w+|bump|disp|decal|refl|norm)[ \t]+(.+)$")
_MOST_MTL = 2**20  # bytes

# Bytes of one number in a PLY file.
_PLY_BYTES = {
    **dict.fromkeys(("char", "uchar", "int8", "uint8"), 1),
    **dict.fromkeys(("short", "ushort", "int16", "uint16"), 2),
    **dict.fromkeys(("int", "uint", "int32", "uint32", "float", "float32"), 4),
    **dict.fromkeys(("double", "float64", "int64", "uint64"), 8),
}


@dataclass(frozen=True)
class Verdict:
    """A file that may be loaded; `textured` is False where its materials may not."""

    textured: bool = True
    warnings: tuple[str, ...] = ()


def check(path: Path) -> Verdict:
    """InputError when the file is too large, damaged at its head, or reaches for other places."""
    size = path.stat().st_size
    if not 0 < size <= MOST_BYTES:
        raise InputError(
            f"{path}: {size} bytes; a model file has from 1 to {MOST_BYTES // 2**20} MB; "
            "export it with fewer triangles or smaller textures"
        )
    return _CHECKS[path.suffix.lower().removeprefix(".")](path)


def _check_glb(path: Path) -> Verdict:
    return Verdict(warnings=glb.check(path))


def _check_obj(path: Path) -> Verdict:
    data = path.read_bytes()
    _check_counts(path, data.count(b"\nv "), data.count(b"\nf "))
    warnings = [
        note
        for match in re.findall(rb"mtllib([^\r\n]*)", data)
        for note in _mtl_notes(path.parent, _text(match))
    ]
    strays = [note for stray, note in warnings if stray]
    return Verdict(not strays, tuple(dict.fromkeys(note for _, note in warnings)))


def _mtl_notes(folder: Path, name: str) -> list[tuple[bool, str]]:
    """(leaves the folder, what is wrong) of a material file and of the textures that it names."""
    library = inside(folder, name)
    if library is None:
        return [(True, f"its materials `{name}` are outside its folder; it is drawn in grey")]
    if not library.is_file():
        return [(False, f"its materials `{name}` are not there; it is drawn in grey")]
    if library.stat().st_size > _MOST_MTL:
        return [(True, f"its materials `{name}` have more than {_MOST_MTL} bytes; drawn in grey")]
    notes = []
    for match in _NAMED_FILES.findall(library.read_bytes()):
        texture = _text(match)
        options_aside = texture.split()[-1]
        if inside(folder, texture) is None or inside(folder, options_aside) is None:
            notes.append((True, f"texture `{texture}` is outside its folder; it is drawn in grey"))
        elif not (folder / texture).is_file() and not (folder / options_aside).is_file():
            notes.append((False, f"texture `{texture}` is not there"))
    return notes


def _text(name: bytes) -> str:
    return name.decode("utf-8", "replace").strip()


def _check_ply(path: Path) -> Verdict:
    with path.open("rb") as stream:
        head, found, _ = stream.read(2**16).partition(b"end_header")
    if not head.startswith(b"ply") or not found:
        raise InputError(f"{path}: not a PLY file, or its header has no end; export it again")
    counts, least = _ply_elements(path, head.decode("ascii", "replace").splitlines())
    room = path.stat().st_size - len(head)
    if least > room:
        raise InputError(
            f"{path}: its header promises at least {least} bytes, but {room} follow; "
            "it is cut short or its header lies; export it again"
        )
    _check_counts(path, counts.get("vertex", 0), counts.get("face", 0))
    for match in re.findall(rb"(?i)texturefile([^\r\n]*)", head):
        if inside(path.parent, _text(match)) is None:
            note = f"texture `{_text(match)}` is outside its folder; it is drawn in grey"
            return Verdict(False, (note,))
    return Verdict()


def _ply_elements(path: Path, lines: list[str]) -> tuple[dict[str, int], int]:
    """How many there are of each element, and the bytes that they take at least."""
    counts: dict[str, int] = {}
    least, ascii_numbers, count = 0, False, 0
    for line in lines:
        match line.split():
            case ["format", kind, *_]:
                ascii_numbers = kind == "ascii"
            case ["element", name, number]:
                if not re.fullmatch(r"\d{1,18}", number):
                    raise InputError(f"{path}: `{line[:80]}` is no count; export it again")
                count = counts[name] = int(number)
            case ["property", "list", kind, *_]:  # it may be empty, but has a length
                least += count * (2 if ascii_numbers else _PLY_BYTES.get(kind, 1))
            case ["property", kind, *_]:
                least += count * (2 if ascii_numbers else _PLY_BYTES.get(kind, 1))
    return counts, max(least - 1, 0)  # the last line of an ASCII file may lack its end


def _check_stl(path: Path) -> Verdict:
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(84)
    count = int.from_bytes(head[80:84], "little")
    if head.lstrip().startswith(b"solid") and size != 84 + 50 * count:
        return Verdict()  # ASCII: what it holds is bounded by its size
    if len(head) < 84 or 84 + 50 * count > size:
        raise InputError(
            f"{path}: its header promises {count} triangles, but the file has {size} bytes; "
            "it is cut short or its header lies; export it again"
        )
    _check_counts(path, 0, count)
    return Verdict()


def _check_counts(path: Path, vertices: int, faces: int) -> None:
    if vertices > MOST_VERTICES or faces > MOST_FACES:
        raise InputError(
            f"{path}: {vertices} vertices and {faces} faces; the most are {MOST_VERTICES} and "
            f"{MOST_FACES}; export it with fewer triangles"
        )


_CHECKS: dict[str, Callable[[Path], Verdict]] = {
    "glb": _check_glb,
    "obj": _check_obj,
    "ply": _check_ply,
    "stl": _check_stl,
}
