"""Pictures -> detections, with a network as it stands."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby

import cv2
import numpy as np
import torch
from torch import Tensor
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN

from datagen import rle
from datagen.errors import DatagenError
from datagen.labelled import Detections

from ._examples import resized
from ._ignoring import Judges
from ._weights import Header

_NO_MEMORY = re.compile("out of memory|allocate memory|not enough memory", re.IGNORECASE)
_TOGETHER = 8  # pictures in one batch at most


def device() -> torch.device:
    """Where networks run here."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def reduced(header: Header, where: torch.device) -> torch.autocast:
    """The precision of convolutions and products."""
    is_reduced = header.precision == "bfloat16"
    return torch.autocast(where.type, torch.bfloat16, enabled=is_reduced)


@contextmanager
def memory_said(remedy: str) -> Iterator[None]:
    """Turn the several ways of running out of memory into an error that says what to lower."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:  # torch.OutOfMemoryError is a RuntimeError
        if isinstance(error, RuntimeError) and not _NO_MEMORY.search(str(error)):
            raise
        raise DatagenError(
            f"the memory of this machine does not suffice; lower {remedy}"
        ) from error


def find(
    net: GeneralizedRCNN,
    header: Header,
    images: Sequence[np.ndarray],
    side: int | None,
    *,
    masks: bool = True,
) -> list[Detections]:
    """What the network finds in uint8 [H, W, 3] pictures of any sizes.

    Without `masks` it takes a third of the time, and the boxes are the same.
    """
    found: list[Detections] = []
    where = next(net.parameters()).device
    net.eval()
    judges = net.get_submodule("roi_heads")
    assert isinstance(judges, Judges), judges
    judges.boxes_only = not masks
    # Only pictures of one size share a batch: padding would make what is found depend on others.
    for _, same in groupby(images, lambda image: image.shape):
        group = list(same)
        for k in range(0, len(group), _TOGETHER):
            part = group[k : k + _TOGETHER]
            small = [torch.from_numpy(np.ascontiguousarray(resized(i, side))) for i in part]
            with (
                memory_said("train.detector.options.side: pictures are made smaller by it"),
                torch.inference_mode(),
                reduced(header, where),
            ):
                results = net([one.to(where).permute(2, 0, 1) for one in small])
            found += [
                _detections({name: t.cpu() for name, t in one.items()}, image, tuple(seen.shape))
                for one, image, seen in zip(results, part, small, strict=True)
            ]
    return found


def _detections(result: dict[str, Tensor], image: np.ndarray, seen: tuple[int, ...]) -> Detections:
    """`seen` is the shape [H, W, 3] that the network saw the picture in."""
    height, width = image.shape[:2]
    scale = np.array([seen[1] / width, seen[0] / height] * 2, np.float32)
    boxes = result["boxes"].numpy()
    masks = None
    if "masks" in result:
        patches = result["masks"].numpy()[:, 0]
        masks = tuple(
            rle.encode(_pasted(patch, box, scale, height, width))
            for patch, box in zip(patches, boxes, strict=True)
        )
    corners = boxes / scale
    return Detections(
        np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], 1),
        result["scores"].numpy().astype(np.float32),
        (result["labels"].numpy() - 1).astype(np.int32),
        masks,
    )


def _pasted(
    patch: np.ndarray, box: np.ndarray, scale: np.ndarray, height: int, width: int
) -> np.ndarray:
    """bool [height, width]: the mask of one box, from its share per cell of the box's grid.

    torchvision reads the masks that it learns from half a pixel to the side (its RoIAlign is not
    "aligned"); so they are put back from there, or small masks would be shifted.
    """
    cells = len(patch)
    mask = np.zeros((height, width), bool)
    low = np.ceil(box[:2] / scale[:2] - 0.5).astype(int)  # pixels whose centre is in the box
    high = np.maximum(np.ceil(box[2:] / scale[:2] - 0.5).astype(int), low + 1)
    low, high = np.minimum(low, [width - 1, height - 1]), np.minimum(high, [width, height])
    turn = np.zeros((2, 3), np.float64)
    for axis in range(2):  # cell = turn * pixel of the window
        step = cells / max(1e-6, float(box[2 + axis] - box[axis]))
        first = (low[axis] + 0.5) * scale[axis] - 0.5 - box[axis]
        turn[axis, axis], turn[axis, 2] = step * scale[axis], step * first - 0.5
    window = cv2.warpAffine(
        patch.astype(np.float32),
        turn,
        (int(high[0] - low[0]), int(high[1] - low[1])),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    least = min(0.5, float(window.max()))  # never empty: the surest pixel at least
    mask[low[1] : high[1], low[0] : high[0]] = window >= least
    return mask
