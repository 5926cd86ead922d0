"""Small frames painted by hand, for the tests of labels, audit, COCO files and exports."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from datagen import labels
from datagen.dataset import coco
from datagen.frame import Instance, Layout, Silhouette

CATEGORIES = ("car", "house", "tree")


def rectangle(x: int, y: int, width: int, height: int) -> Silhouette:
    return Silhouette(x, y, np.ones((height, width), bool))


def ellipse(x: int, y: int, width: int, height: int) -> Silhouette:
    across = (np.arange(width) * 2 + 1 - width) / width
    down = (np.arange(height) * 2 + 1 - height) / height
    return Silhouette(x, y, down[:, None] ** 2 + across[None] ** 2 <= 1)


def ring(x: int, y: int, side: int, hole: int) -> Silhouette:
    """A square of `side` with a square `hole` in its middle."""
    mask = np.ones((side, side), bool)
    start = (side - hole) // 2
    mask[start : start + hole, start : start + hole] = False
    return Silhouette(x, y, mask)


def paint(width: int, height: int, things: Sequence[tuple[int, Silhouette]]) -> Layout:
    """Things (category, silhouette) painted in order, so that the last one lies on top."""
    ids = np.zeros((height, width), np.int32)
    classes = np.zeros((height, width), np.uint8)
    depth = np.full((height, width), len(things), np.float32)
    instances = []
    for number, (category, silhouette) in enumerate(things, start=1):
        inside = silhouette.inside(height, width)
        ids[inside], classes[inside], depth[inside] = number, category, len(things) - number
        instances.append(Instance(number, category, f"0.{number}", silhouette))
    return Layout(classes, ids, depth, tuple(instances), CATEGORIES)


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    """Random rectangles and ellipses, also across the border and outside of the image."""
    width, height = draw(st.integers(8, 48)), draw(st.integers(8, 48))
    things = []
    for _ in range(draw(st.integers(0, 9))):
        shape = draw(st.sampled_from([rectangle, ellipse]))
        x, y = draw(st.integers(-12, width + 4)), draw(st.integers(-12, height + 4))
        w, h = draw(st.integers(1, 24)), draw(st.integers(1, 24))
        things.append((draw(st.integers(1, len(CATEGORIES))), shape(x, y, w, h)))
    return paint(width, height, things)


def records(frames: Sequence[Layout], name: str = "shards/{:08d}.png") -> Iterator[dict]:
    """Records as the store writes them."""
    for index, frame in enumerate(frames):
        image = {"width": frame.width, "height": frame.height, "file_name": name.format(index)}
        things = [thing.to_json() for thing in labels.annotate(frame)]
        yield {"index": index, "image": image, "annotations": things}


def write_dataset(folder: Path, frames: Sequence[Layout]) -> Path:
    """A dataset folder with images and annotations.json."""
    (folder / "shards").mkdir(parents=True)
    for record, frame in zip(records(frames), frames, strict=True):
        grey = (frame.instance_map * 20).astype(np.uint8)
        Image.fromarray(grey).convert("RGB").save(folder / record["image"]["file_name"])
    head = coco.Head("test", CATEGORIES)
    coco.write(folder / "annotations.json", lambda: records(frames), head)
    return folder
