"""Read a folder of photos, all of one size or one by one, or a video; say what was left out.

The rules, in the order in which they apply to a file of a folder:

- The content decides, never the extension: PNG, JPEG, WebP and BMP are read, nothing else.
- Of a dataset folder of `datagen generate` its images are read, not its passes.
- The header is judged before a pixel is decoded: at most 40 Mpx, at least 8 px on each side.
- EXIF rotation is applied. Of an animation or a multi-picture file the first picture is taken.
- 16 bits become 8 by keeping the high byte. Palette, greyscale and CMYK become RGB.
  Transparency is laid over black.
- The largest centred part with the wanted proportions is cut out, then resized (by area when it
  shrinks, bilinear when it grows). Nothing is ever stretched. One by one they stay as they are.

A video is its frames: every one, or every n-th where there are very many. The last rule is theirs,
too.
"""

import hashlib
import io
import json
import os
import stat
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from datagen.dataset import videos
from datagen.dataset.folders import images_of_dataset, is_dataset, refuse_run
from datagen.dataset.headers import MAX_FILE_BYTES, UnusableError, opened
from datagen.errors import InputError
from datagen.files import sha256_of, write_atomic

MAX_ARRAY_BYTES = 4 << 30
MAX_FRAMES = 10_000  # of a video
MIN_IMAGES = 2
_ORIENTATION = 0x0112  # EXIF tag


@dataclass(frozen=True)
class Targets:
    """Photos of the target place, all of one size."""

    images: np.ndarray  # uint8 [N, H, W, 3], RGB
    names: tuple[str, ...]  # [N], in the folder or in the video, always valid Unicode
    rejected: tuple[tuple[str, str], ...]  # (name, reason)
    digest: str  # sha256 over the names and bytes of the files used


def load_targets(
    target: Path, size: tuple[int, int], limit: int | None = None, fewest: int = MIN_IMAGES
) -> Targets:
    """Photos under the folder `target` at `size` (width, height), in the order of their names.

    With `limit`, at most so many, spread evenly over the folder (the first frames of a video
    look alike); a file that cannot be used is replaced by another one. Fewer than `fewest` that
    can be used are refused.

    Or the frames of the video `target`, in their order: every one, or every n-th, so that there
    are at most `limit`, and `MAX_FRAMES`.
    """
    if target.is_file():
        return _of_video(target, size, limit, fewest)
    return _of_folder(target, size, limit, fewest)


def _of_folder(folder: Path, size: tuple[int, int], limit: int | None, fewest: int) -> Targets:
    rejected: list[tuple[bytes, str]] = []
    files = _files(folder, rejected)
    wanted = len(files) if limit is None else min(limit, len(files))
    _check_request(size, limit)
    _check_folder(folder, len(files), size, wanted, fewest)
    images: dict[bytes, np.ndarray] = {}
    digests: dict[bytes, bytes] = {}
    with _unwarned():
        for name in _spread(files, wanted):
            if len(images) == wanted:
                break
            try:
                data = _read(folder, name)
                images[name] = fitted(_decode(data), size)
                digests[name] = hashlib.sha256(data).digest()
            except UnusableError as error:
                rejected.append((name, str(error)))
    shown = tuple((display_name(name), reason) for name, reason in sorted(rejected))
    _check_enough(folder, len(images), shown, fewest)
    names = sorted(images)
    return Targets(
        images=np.stack([images[name] for name in names]),
        names=tuple(display_name(name) for name in names),
        rejected=shown,
        digest=_digest([(name, digests[name]) for name in names]),
    )


def _of_video(file: Path, size: tuple[int, int], limit: int | None, fewest: int) -> Targets:
    _check_request(size, limit)
    most = min(limit or MAX_FRAMES, MAX_FRAMES, max(MIN_IMAGES, MAX_ARRAY_BYTES // _bytes(size)))
    with _named(file):
        frames = videos.every_nth(file, most, lambda frame: fitted(frame, size))
    _check_enough(file, len(frames), (), fewest)
    names = [f"frame_{number:08d}" for number in frames]
    content = bytes.fromhex(sha256_of(file))
    return Targets(
        images=np.stack(list(frames.values())),
        names=tuple(names),
        rejected=(),
        digest=_digest([(name.encode(), content) for name in names]),
    )


@contextmanager
def _named(video: Path) -> Iterator[None]:
    """What is wrong with a video is an InputError that names it."""
    try:
        yield
    except UnusableError as error:
        where = repr(display_name(os.fsencode(video)))
        raise InputError(
            f"target {where}: {error}; give another video, or a folder of photos"
        ) from error


def first_size(target: Path) -> tuple[int, int]:
    """(width, height), upright, of the first picture in `target` that can be used."""
    if target.is_file():
        with _named(target):
            height, width = videos.first_frame(target).shape[:2]
        return width, height
    rejected: list[tuple[bytes, str]] = []
    for name in _files(target, rejected):
        try:
            height, width = _decode(_read(target, name)).shape[:2]
        except UnusableError as error:
            rejected.append((name, str(error)))
            continue
        return width, height
    shown = [(display_name(name), reason) for name, reason in rejected]
    _check_enough(target, 0, shown, 1)
    raise AssertionError("no image is too few")


def count_pictures(target: Path) -> int:
    """Files under `target` whose headers are those of pictures, or the frames of a video."""
    if target.is_file():
        with _named(target):
            return videos.count_frames(target)
    with _unwarned():
        return sum(_fault(target, name) is None for name in _files(target, []))


@dataclass(frozen=True)
class Photos:
    """Files of a folder that are pictures by their headers; each keeps its own size."""

    folder: Path
    names: tuple[str, ...]  # relative to the folder
    rejected: tuple[tuple[str, str], ...]  # (name, reason)

    def load(self, name: str) -> np.ndarray:
        """uint8 [H, W, 3] RGB, upright; UnusableError for what its header did not tell."""
        with _unwarned():
            return _decode(_read(self.folder, os.fsencode(name)))


def find_photos(folder: Path) -> Photos:
    """The photos under `folder`, in the order of their names; InputError where there is none."""
    rejected: list[tuple[bytes, str]] = []
    names: list[str] = []
    with _unwarned():
        for name in _files(folder, rejected):
            fault = _fault(folder, name) or _odd(name)
            if fault is None:
                names.append(os.fsdecode(name))
            else:
                rejected.append((name, fault))
    shown = tuple((display_name(name), reason) for name, reason in sorted(rejected))
    if not names:
        why = "; ".join(f"{name!r}: {reason}" for name, reason in shown[:3])
        raise InputError(
            f"{display_name(os.fsencode(folder))!r} holds no photo{f' ({why})' if why else ''}; "
            "give a folder of PNG, JPEG, WebP or BMP files"
        )
    return Photos(folder, tuple(names), shown)


def write_rejected(path: Path, rejected: Sequence[tuple[str, str]]) -> None:
    """One JSON object {"name", "reason"} a line, published by one rename."""
    lines = (json.dumps({"name": name, "reason": reason}) + "\n" for name, reason in rejected)
    write_atomic(path, "".join(lines))


def display_name(name: bytes | str) -> str:
    """A file name as valid Unicode: bytes that are not UTF-8 are written as \\xNN."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _files(folder: Path, rejected: list[tuple[bytes, str]]) -> list[bytes]:
    """Sorted names relative to `folder`; what is not a readable file is added to `rejected`.

    Names that begin with a dot are passed over: they are the litter of desktops, not photos.
    """
    root = os.fsencode(folder)
    if not os.path.isdir(root):
        what = "is a file" if os.path.exists(root) else "is not there"
        raise InputError(f"{display_name(root)!r} {what}; give a folder that holds photos")
    if is_dataset(folder):
        return sorted(map(os.fsencode, images_of_dataset(folder)))
    refuse_run(folder)
    names: list[bytes] = []
    for name, entry in _walk(root, b"", rejected):
        if entry.is_file():
            names.append(name)
        elif entry.is_dir():
            rejected.append((name, "a link to a folder; links to folders are not followed"))
        else:
            rejected.append((name, "not a regular file, or a broken link"))
    return sorted(names)


def _walk(
    root: bytes, below: bytes, rejected: list[tuple[bytes, str]]
) -> Iterator[tuple[bytes, "os.DirEntry[bytes]"]]:
    """Everything under `root` that is not a folder, with its name relative to `root`."""
    pending = [below]
    while pending:
        place = pending.pop()
        try:
            entries = list(os.scandir(os.path.join(root, place)))
        except OSError as error:
            if not place:
                raise InputError(
                    f"folder {display_name(root)!r} cannot be read: {error.strerror}"
                ) from error
            rejected.append((place, f"the folder cannot be read: {error.strerror}"))
            continue
        for entry in entries:
            name = os.path.join(place, entry.name)
            if entry.name.startswith(b"."):
                continue
            if entry.is_dir(follow_symlinks=False):
                pending.append(name)
            else:
                yield name, entry


def _check_request(size: tuple[int, int], limit: int | None) -> None:
    if min(size) < 1:
        raise InputError(f"size of the target images is {size[0]} x {size[1]}; give 1 px or more")
    if limit is not None and limit < MIN_IMAGES:
        raise InputError(f"limit of target images is {limit}; give {MIN_IMAGES} or more")


def _check_folder(
    folder: Path, found: int, size: tuple[int, int], wanted: int, fewest: int
) -> None:
    where = repr(display_name(os.fsencode(folder)))
    if found == 0:
        raise InputError(f"target folder {where} has no files; need at least {fewest} images")
    need = wanted * _bytes(size)
    if need > MAX_ARRAY_BYTES:
        raise InputError(
            f"{wanted} target images of {size[0]} x {size[1]} px need {need / 2**30:.1f} GiB of "
            f"memory; limit them to {MAX_ARRAY_BYTES // _bytes(size)}"
        )


def _bytes(size: tuple[int, int]) -> int:
    """Of one picture."""
    return size[0] * size[1] * 3


def _check_enough(
    folder: Path, usable: int, rejected: Sequence[tuple[str, str]], fewest: int
) -> None:
    where = repr(display_name(os.fsencode(folder)))
    reasons = "; ".join(f"{name!r}: {reason}" for name, reason in rejected[:3])
    if usable < fewest:
        tail = f" (left out: {reasons})" if reasons else ""
        raise InputError(f"need at least {fewest} images; found {usable} in {where}{tail}")
    if usable < len(rejected):
        tried = usable + len(rejected)
        raise InputError(
            f"only {usable} of {tried} files in {where} are usable images ({reasons}); "
            "keep nothing but photos in the target folder"
        )


def _spread(names: list[bytes], count: int) -> list[bytes]:
    """`count` names evenly over the list first, then the others."""
    first = [i * len(names) // count for i in range(count)]
    chosen = set(first)
    return [names[i] for i in first] + [n for i, n in enumerate(names) if i not in chosen]


def _read(folder: Path, name: bytes) -> bytes:
    try:
        with open(os.path.join(os.fsencode(folder), name), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UnusableError("not a regular file")
            if videos.is_video(file.read(videos.HEAD)):
                raise UnusableError("a video; it is read when it is given by itself")
            if status.st_size > MAX_FILE_BYTES:
                raise UnusableError(f"larger than {MAX_FILE_BYTES >> 20} MiB")
            file.seek(0)
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UnusableError(f"cannot be read: {error.strerror}") from error
    if not data:
        raise UnusableError("the file is empty")
    return data


def _fault(folder: Path, name: bytes) -> str | None:
    """What is wrong with a file by its header; no pixel is decoded."""
    try:
        with opened(os.path.join(os.fsencode(folder), name)):
            return None
    except UnusableError as error:
        return str(error)


def _odd(name: bytes) -> str | None:
    """A label has to name its picture, in a file of plain text."""
    readable = display_name(name)
    if readable.isprintable() and os.fsencode(readable) == name:
        return None
    return "its name is no plain text; rename it"


@contextmanager
def _unwarned() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns about odd metadata; we judge the pixels
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _decode(data: bytes) -> np.ndarray:
    """uint8 [h, w, 3] RGB of one file."""
    with opened(io.BytesIO(data)) as picture:
        return rgb(_upright(picture))


def _upright(picture: Image.Image) -> Image.Image:
    # Asking for the tag is cheap; exif_transpose copies the picture even when nothing turns.
    if picture.getexif().get(_ORIENTATION, 1) == 1:
        return picture
    return ImageOps.exif_transpose(picture)


def rgb(picture: Image.Image) -> np.ndarray:
    """uint8 [H, W, 3]; transparency is laid over black, 16 bits keep the high byte."""
    if picture.mode.startswith("I"):  # 16-bit greyscale
        high = (np.asarray(picture) >> 8).clip(0, 255).astype(np.uint8)
        return np.repeat(high[:, :, None], 3, axis=2)
    if picture.has_transparency_data:
        over = picture.convert("RGBA")
        picture = Image.new("RGB", over.size)
        picture.paste(over, mask=over.getchannel("A"))
    return np.asarray(picture.convert("RGB"))


def fitted(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The middle of `image` at `size`, in memory of its own."""
    part = middle(image, size)
    return part.copy() if part.shape[1::-1] == size else resized(part, size)


def middle(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The largest centred part of an [H, W, ...] array with the proportions of `size`."""
    left, top, width, height = window(image.shape[1], image.shape[0], size)
    return image[top : top + height, left : left + width]


def window(width: int, height: int, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Where `middle` lies in a picture: left, top, width, height, px."""
    w = max(1, min(width, round(height * size[0] / size[1])))
    h = max(1, min(height, round(width * size[1] / size[0])))
    return (width - w) // 2, (height - h) // 2, w, h


def resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """uint8 [H, W, 3] at `size` (width, height): by area when it shrinks, else bilinear."""
    shrinks = image.shape[1] >= size[0] and image.shape[0] >= size[1]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _digest(files: Sequence[tuple[bytes, bytes]]) -> str:
    total = hashlib.sha256()
    for name, content in files:
        total.update(len(name).to_bytes(8, "big") + name + content)
    return total.hexdigest()
