"""The names of YOLO's classes: `names` of a YAML file, or a text file with one a line.

Of YAML only what such files hold is read: a list or a map of plain or quoted strings. Nothing of
it is ever run, and whatever is more than that is refused.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from datagen.decoding import read_text
from datagen.errors import InputError

HEADS = (".yaml", ".yml")
USUAL = ("data.yaml", "data.yml")
LISTS = ("classes.txt", "obj.names")
MAX_BYTES = 1 << 18
_ENTRY = re.compile(r"\s+(?:(?P<number>\d{1,6})\s*:|-)\s+(?P<name>\S.*)|-\s+(?P<flush>\S.*)")
# Escapes are not undone: who needs them can write the names into a text file.
_DOUBLE = re.compile(r"\"([^\"\\]*)\"\s*(?:#.*)?")
_SINGLE = re.compile(r"'((?:[^']|'')*)'\s*(?:#.*)?")
_REMEDY = "write the names into `classes.txt` beside it, one a line, and move this file away"


def names_beside(places: Sequence[Path]) -> tuple[Path, dict[int, str]]:
    """The first file of names in these folders, and number -> name."""
    for place in places:
        others = sorted(path for path in place.glob("*") if path.suffix in HEADS)
        usual = [place / name for name in (*USUAL, *LISTS) if (place / name).is_file()]
        if not usual and len(others) > 1:
            listed = ", ".join(path.name for path in others)
            raise InputError(f"{place}: which of {listed} has the names? call it data.yaml")
        for path in (*usual, *others):
            return path, names_of(path)
    raise InputError(
        f"{places[0]}: no names of the classes are found in {' or '.join(map(str, places))}; "
        "write `classes.txt`, one name a line"
    )


def names_of(path: Path) -> dict[int, str]:
    """Number -> name, by number, of a file whose ending says what it is."""
    names = _of_yaml(path) if path.suffix in HEADS else _of_list(path)
    if not names:
        raise InputError(f"{path}: has no names of classes; write one a line into `classes.txt`")
    if len(set(names.values())) < len(names):
        raise InputError(f"{path}: two classes have one name; rename one of them")
    return dict(sorted(names.items()))


def _of_list(path: Path) -> dict[int, str]:
    lines = [line.strip() for line in read_text(path, MAX_BYTES).splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    if not all(lines):
        raise InputError(f"{path}:{lines.index('') + 1}: is an empty line; write a name there")
    return dict(enumerate(lines))


def _of_yaml(path: Path) -> dict[int, str]:
    lines = read_text(path, MAX_BYTES).splitlines()
    starts = [k for k, line in enumerate(lines) if re.match(r"names\s*:", line)]
    if len(starts) != 1:
        raise InputError(f"{path}: has {len(starts)} keys `names`, not one; {_REMEDY}")
    head = _bare(lines[starts[0]].partition(":")[2])
    rest = starts[0] + 1
    while head.startswith("[") and not head.endswith("]") and rest < len(lines):
        head, rest = f"{head} {_bare(lines[rest])}", rest + 1
    return _of_flow(path, head) if head else _of_block(path, lines, rest)


def _of_block(path: Path, lines: Sequence[str], start: int) -> dict[int, str]:
    """A name a line, from the line `start` on, until the next key."""
    names: dict[int, str] = {}
    for number, line in enumerate(lines[start:], start + 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        entry = _ENTRY.fullmatch(line)
        if entry is None:
            if line[0].isspace() or line[0] == "-":
                raise InputError(f"{path}:{number}: no name is found here; {_REMEDY}")
            break
        key = int(entry["number"]) if entry["number"] else len(names)
        if key in names:
            raise InputError(f"{path}:{number}: class {key} has two names; keep one")
        names[key] = _string(path, entry["name"] or entry["flush"])
    return names


def _of_flow(path: Path, text: str) -> dict[int, str]:
    """`[a, "b"]`, from its bracket on; maps of that form are rare, and refused."""
    if not (text.startswith("[") and text.endswith("]")):
        raise InputError(f"{path}: `names` is neither a list nor a map of names; {_REMEDY}")
    parts, start, quote = [], 1, ""
    for k, character in enumerate(text[:-1]):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'" and not text[start:k].strip():
            quote = character
        elif character == ",":
            parts.append(text[start:k])
            start = k + 1
    last = text[start:-1]
    parts += [last] if last.strip() else []  # a comma may stand at the end
    return dict(enumerate(_string(path, part) for part in parts))


def _string(path: Path, text: str) -> str:
    """A plain or quoted string of one line."""
    text = text.strip()
    for quote, form in (('"', _DOUBLE), ("'", _SINGLE)):
        if text.startswith(quote):
            found = form.fullmatch(text)
            if found is None:
                raise InputError(f"{path}: {text[:60]} is no plain string; {_REMEDY}")
            return found[1].replace("''", "'") if quote == "'" else found[1]
    text = _bare(text)
    if not text or text[0] in "!&*|>%@`" or set(text) & set("[]{}") or ": " in text:
        raise InputError(f"{path}: {text[:60]!r} is no plain name; {_REMEDY}")
    return text


def _bare(text: str) -> str:
    """Without a comment and blanks around."""
    return re.sub(r"(^|\s)#.*", "", text).strip()
