"""Frames of a video file, one after the other: no more of it is held than is kept.

What a file is, its first bytes say. FFmpeg, which decodes it, would take a text for a film, and a
playlist for an order to read other files.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from datagen.dataset.headers import UnusableError, check_size

HEAD = 512  # bytes that tell
FORMATS = "MP4, MOV, MKV, WebM, AVI, MPEG or TS"
_PHOTOS = (b"heic", b"heix", b"mif1", b"msf1", b"avif")  # a phone's, in the container of MP4
_QUIET = ("OPENCV_FFMPEG_LOGLEVEL", "-8")  # FFmpeg tells of each damaged block, on stderr


def is_video(head: bytes) -> bool:
    """Do the first `HEAD` bytes of a file begin a video of one of `FORMATS`?"""
    return (
        (head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide") and head[8:12] not in _PHOTOS)
        or head.startswith(b"\x1aE\xdf\xa3")
        or (head.startswith(b"RIFF") and head[8:12] == b"AVI ")
        or head.startswith((b"\0\0\1\xba", b"\0\0\1\xb3"))
        or head[:377:188] == b"GGG"
        or head[4:389:192] == b"GGG"
    )


def every_nth(
    file: Path, most: int, kept: Callable[[np.ndarray], np.ndarray]
) -> dict[int, np.ndarray]:
    """Number -> `kept` of a frame, uint8 [h, w, 3] RGB, of every n-th one from number 0 on.

    n is the least of 1, 2, 4 and so on that leaves at most `most`: how many frames there are is
    only known at the end. UnusableError for what is no video, or has a size that is not read.
    """
    frames: dict[int, np.ndarray] = {}
    step, number = 1, 0
    with _opened(file) as video:
        while video.grab():
            if number % step == 0:
                frames[number] = kept(_grabbed(video))
            if len(frames) > most:
                step *= 2
                frames = {k: frame for k, frame in frames.items() if k % step == 0}
            number += 1
    return frames


def first_frame(file: Path) -> np.ndarray:
    """uint8 [h, w, 3] RGB; UnusableError as of `every_nth`, and where there is none."""
    with _opened(file) as video:
        if not video.grab():
            raise UnusableError("no frame of it can be decoded")
        return _grabbed(video)


def count_frames(file: Path) -> int:
    """Those that can be decoded; what a header says of their number is a guess."""
    with _opened(file) as video:
        count = 0
        while video.grab():
            count += 1
        return count


@contextmanager
def _opened(file: Path) -> Iterator[cv2.VideoCapture]:
    try:
        with open(file, "rb") as stream:
            head = stream.read(HEAD)
    except OSError as error:
        raise UnusableError(f"cannot be read: {error.strerror}") from error
    if not is_video(head):
        raise UnusableError(f"is no {FORMATS} video")
    video = _captured(file)
    try:
        if not video.isOpened():
            raise UnusableError("cannot be decoded: it may be cut off")
        wide, high = cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT
        check_size((int(video.get(wide)), int(video.get(high))))
        yield video
    finally:
        video.release()


def _captured(file: Path) -> cv2.VideoCapture:
    name = str(file.resolve())  # with a slash before it, no name is a protocol's
    try:
        name.encode()
    except UnicodeEncodeError as error:  # OpenCV 5.0 crashes on it
        raise UnusableError("its path is not valid Unicode") from error
    os.environ.setdefault(*_QUIET)  # it is asked for once, with the first video
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        return cv2.VideoCapture(name, cv2.CAP_FFMPEG)
    finally:
        cv2.utils.logging.setLogLevel(level)


def _grabbed(video: cv2.VideoCapture) -> np.ndarray:
    return cv2.cvtColor(video.retrieve()[1], cv2.COLOR_BGR2RGB)
