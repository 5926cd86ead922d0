"""Pictures of layouts in a style: its own, a numbered one, one between two, or a picture's."""

import numpy as np
import torch
from torch import Tensor

from datagen.learning.appearance.distance import Distance
from datagen.learning.appearance.selection import candidate_distances, noise_from
from datagen.learning.appearance.weights import Appearance
from datagen.models.imle import Noise
from datagen.rng import Stream, rng_for


def own_style(model: Appearance, rng: np.random.Generator) -> Tensor:
    """float [style]: of those that photos chose, or else as in learning."""
    if len(model.bank):
        return model.bank[int(rng.integers(len(model.bank)))]
    return torch.from_numpy(rng.standard_normal(model.header.style, dtype=np.float32))


def numbered_style(model: Appearance, code: int) -> Tensor:
    """float [style]: the same for all pictures; codes go round the styles that there are."""
    if len(model.bank):
        return model.bank[code % len(model.bank)]
    return own_style(model, rng_for(code, 0, Stream.STYLE))


def coded_style(model: Appearance, code: int | tuple[int, int, float]) -> Tensor:
    """float [style]: of a number, or (from, to, share) on the way between two."""
    if isinstance(code, int):
        return numbered_style(model, code)
    first, last, share = code
    return style_between(numbered_style(model, first), numbered_style(model, last), share)


def style_between(a: Tensor, b: Tensor, share: float) -> Tensor:
    """float [style]: from `a` at 0 to `b` at 1, along a great circle, where normal noise lies."""
    lengths = a.norm(), b.norm()
    cosine = float((a @ b) / (lengths[0] * lengths[1]).clamp_min(1e-9))
    angle = float(np.arccos(np.clip(cosine, -1, 1)))
    if angle < 1e-3 or angle > np.pi - 1e-3:  # no circle, or no single one
        return torch.lerp(a, b, share)
    first, second = np.sin((1 - share) * angle), np.sin(share * angle)
    direction = (first * a / lengths[0] + second * b / lengths[1]) / np.sin(angle)
    return direction * torch.lerp(lengths[0], lengths[1], share)


def draw(
    model: Appearance, class_map: np.ndarray, style: Tensor, rng: np.random.Generator
) -> np.ndarray:
    """uint8 [H, W, 3] of a class map uint8 [H, W]; `rng` makes its grain.

    One at a time: convolutions of a batch may round otherwise than those of one picture.
    """
    layout = torch.from_numpy(model.header.table[class_map])[None]
    noise = Noise(style[None], noise_from([rng], model.header.sizes).grain)
    with torch.inference_mode(), _cast(model):
        picture = model.net(layout, noise)[0]
    scaled = (picture.clamp(0, 1) * 255).round().to(torch.uint8)
    return np.ascontiguousarray(scaled.permute(1, 2, 0).numpy())


def fitting_code(
    model: Appearance, distance: Distance, class_map: np.ndarray, picture: np.ndarray
) -> int:
    """The number of the style in which the layout looks most like `picture` uint8 [H, W, 3].

    The choice that learning makes for a photo, among all the styles that there are.
    """
    distance.unit = model.unit
    layout = torch.from_numpy(model.header.table[class_map])[None]
    photo = torch.from_numpy(picture.astype(np.float32) / 255).permute(2, 0, 1)[None]
    grain = noise_from([rng_for(0, 1, Stream.STYLE)], model.header.sizes).grain
    best, least = 0, float("inf")
    with torch.inference_mode(), _cast(model):
        views = distance.views(photo)
        for codes in torch.arange(len(model.bank)).split(32):
            noise = Noise(model.bank[codes], grain.expand(len(codes), -1, -1, -1))
            found, _ = candidate_distances(model.net, distance, layout, views, noise)
            if float(found.min()) < least:
                least, best = float(found.min()), int(codes[found[0].argmin()])
    return best


def _cast(model: Appearance) -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16, enabled=model.header.precision == "bfloat16")
