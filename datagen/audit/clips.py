"""Videos and tracks of a COCO file: named as in TAO (Dave et al., 2020), each track one thing."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from datagen.audit.finding import Finding

Item = Mapping[str, Any]


def clip_faults(data: Item) -> Iterator[Finding]:
    """Findings about a file's videos; none in a file without."""
    if not listed(data, "videos"):
        return
    yield from _frames(data)
    yield from _tracks(data)


def listed(data: Item, name: str) -> list[Item]:
    """The objects of a list, which need not be there."""
    found = data.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _frames(data: Item) -> Iterator[Finding]:
    """Each image is a frame of a video of the file, and each frame is one image."""
    known = {str(one.get("id")) for one in listed(data, "videos")}
    places: Counter[tuple[str, str]] = Counter()
    for image in data["images"]:
        video = str(image.get("video_id"))
        if video not in known:
            text = f"image {image.get('id')}: its video {video} is not in the file"
            yield Finding("orphan-video", text, image=image.get("id"))
        places[video, str(image.get("frame_index"))] += 1
    for (video, frame), count in places.items():
        if count > 1:
            yield Finding("frame-index", f"{count} images are frame {frame} of video {video}")


def _tracks(data: Item) -> Iterator[Finding]:
    """A track is in one video, of one category, and at most once in an image."""
    videos = {str(image.get("id")): str(image.get("video_id")) for image in data["images"]}
    told = {
        str(one.get("id")): (str(one.get("video_id")), str(one.get("category_id")))
        for one in listed(data, "tracks")
    }
    known = frozenset(told)
    seen: set[tuple[str, str]] = set()
    for one in data["annotations"]:
        if "track_id" not in one:
            continue
        track, image = str(one["track_id"]), str(one.get("image_id"))
        where = f"image {image}, annotation {one.get('id')}"
        if known and track not in known:
            yield _at(one, "orphan-track", f"{where}: its track {track} is not in the file")
        meant = videos.get(image, ""), str(one.get("category_id"))
        if told.setdefault(track, meant) != meant:
            yield _at(one, "track", f"{where}: track {track} is of another video or category")
        if (track, image) in seen:
            yield _at(one, "track", f"{where}: track {track} is in this image already")
        seen.add((track, image))


def _at(annotation: Item, code: str, message: str) -> Finding:
    return Finding(code, message, annotation.get("image_id"), annotation.get("id"))
