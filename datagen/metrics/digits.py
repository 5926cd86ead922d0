"""A judge that reads single digits: a small network, trained on pictures of one digit each.

It looks at crops: the ink of a digit, its longer side brought to 15 px, in the middle of 20 x 20.
How well it reads is a ceiling of all that is measured by it: set the value of real pictures beside
every reading.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, avg_pool2d, cross_entropy, grid_sample

from datagen.errors import InputError
from datagen.metrics._fitting import fit, seeded

CROP, LONGEST = 20, 15  # px: of a crop, of the ink in it
INK = 0.3  # of white: what is brighter is ink
CLASSES = 10
_CHUNK = 512  # crops at once

Box = tuple[int, int, int, int]  # left, top, right, bottom in px; right and bottom not included


def grey(images: np.ndarray) -> np.ndarray:
    """uint8 [N, H, W] or [N, H, W, 3] -> float32 [N, H, W] in 0..1."""
    if images.dtype != np.uint8 or not (images.ndim == 3 or images.shape[3:] == (3,)):
        raise InputError(
            f"pictures are {images.dtype} {list(images.shape)}; "
            "give uint8 [N, H, W, 3] or [N, H, W]"
        )
    mean = images if images.ndim == 3 else images.mean(3, dtype=np.float32)
    return mean.astype(np.float32) / 255


def crop(picture: np.ndarray, box: Box) -> np.ndarray:
    """float32 [20, 20]: what a grey picture [H, W] has in a box, brought to size."""
    left, top, right, bottom = box
    scale = LONGEST / max(right - left, bottom - top)
    width, height = (max(1, round(side * scale)) for side in (right - left, bottom - top))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    ink = cv2.resize(picture[top:bottom, left:right], (width, height), interpolation=how)
    out = np.zeros((CROP, CROP), np.float32)
    y, x = (CROP - height) // 2, (CROP - width) // 2
    out[y : y + height, x : x + width] = ink
    return out


def crops_of(pictures: np.ndarray, boxes: Sequence[Box] | None = None) -> np.ndarray:
    """float32 [N, 20, 20] of pictures uint8 [N, H, W] or [N, H, W, 3] with one digit each.

    `boxes` say where it is; without them it is all ink of the picture. InputError where none is.
    """
    shown = grey(pictures)
    found = [ink_box(one > INK) for one in shown] if boxes is None else boxes
    if any(box is None for box in found):
        raise InputError(f"digits: picture {[*found].index(None)} has no ink; leave it out")
    return np.stack([crop(one, box) for one, box in zip(shown, found, strict=True) if box])


def ink_box(ink: np.ndarray) -> Box | None:
    """The tight box around what is true in bool [H, W]; None where nothing is."""
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    if len(rows) == 0:
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


class DigitNet(nn.Module):
    """Four convolutions: [N, 1, 20, 20] in 0..1 -> logits [N, 10]."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in ((1, 24), (24, 24), (24, 48), (48, 48)):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(outputs), nn.ReLU()]
            if inputs == outputs:
                layers.append(nn.MaxPool2d(2))
        layers += [nn.Flatten(), nn.Linear(48 * (CROP // 4) ** 2, 128), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(128, CLASSES))

    def forward(self, crops: Tensor) -> Tensor:
        return self.layers(crops)


@dataclass(frozen=True)
class DigitReader:
    """A trained network, ready to read. Its weights are `net.state_dict()`."""

    net: DigitNet

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """Crops float32 [N, 20, 20] -> probabilities float32 [N, 10]."""
        if len(crops) == 0:
            return np.zeros((0, CLASSES), np.float32)
        with torch.inference_mode():
            parts = torch.tensor(crops)[:, None].split(_CHUNK)
            return torch.cat([self.net(part).softmax(1) for part in parts]).numpy()


def teach_reader(
    crops: np.ndarray,
    digits: np.ndarray,
    rng: np.random.Generator,
    *,
    steps: int = 1500,
    batch: int = 128,
) -> DigitReader:
    """A reader for crops float32 [N, 20, 20] of digits int [N], 0 to 9.

    Crops are turned, stretched, moved, blurred and dimmed, so that a learned generator's digits,
    which are softer than real ones, are read as people would.
    """
    if len(crops) != len(digits) or crops.shape[1:] != (CROP, CROP) or len(crops) == 0:
        raise InputError(
            f"crops {list(crops.shape)} of {len(digits)} digits; give [N, 20, 20], [N]"
        )
    with seeded(rng):
        net = DigitNet()
    shown, truth = torch.tensor(crops)[:, None], torch.tensor(digits).long()

    def loss(_: int) -> Tensor:
        chosen = torch.from_numpy(rng.integers(len(crops), size=batch))
        return cross_entropy(net(_varied(shown[chosen], rng)), truth[chosen])

    fit(net, loss, steps, 2e-3)
    return DigitReader(net)


def _varied(crops: Tensor, rng: np.random.Generator) -> Tensor:
    """Crops [B, 1, 20, 20] by other hands and through other lenses."""
    count = len(crops)
    angle, shear = rng.normal(0, 0.15, count), rng.normal(0, 0.1, count)
    across, along = np.exp(rng.normal(0, 0.1, (2, count)))
    c, s = np.cos(angle), np.sin(angle)
    moved = rng.normal(0, 0.08, (2, count))  # 1: half a crop
    rows = [[across * c, across * (shear * c - s), moved[0]], [along * s, along * c, moved[1]]]
    theta = torch.tensor(np.array(rows).transpose(2, 0, 1), dtype=torch.float32)
    grid = affine_grid(theta, list(crops.shape), align_corners=False)
    turned = grid_sample(crops, grid, align_corners=False)
    soft = avg_pool2d(turned, 3, 1, 1)
    blur, light = torch.tensor(rng.random((2, count, 1, 1, 1)), dtype=torch.float32)
    return ((1 - 0.7 * blur) * turned + 0.7 * blur * soft) * (0.6 + 0.5 * light)
