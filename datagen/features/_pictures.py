"""Pictures through an extractor network, a few at a time."""

from collections.abc import Callable

import numpy as np
import torch

from datagen.errors import InputError
from datagen.models.trunks import Extractor

# Pictures at once: more fall out of the processor's cache, fewer cost a quarter of the speed. It
# divides the chunks in which `learn` shares out its pictures, so helpers change no bit.
CHUNK = 16


def on_pictures(net: Extractor, name: str, least: int) -> Callable[[np.ndarray], np.ndarray]:
    """uint8 [N, H, W, 3] -> float32 [N, dim]; refuses pictures with a side under `least` px."""

    def extract(images: np.ndarray) -> np.ndarray:
        height, width = images.shape[1:3]
        if min(net.shape(height, width)) < least:
            raise InputError(
                f"{name}: pictures of {width} x {height} px are too small for it; "
                f"it needs {least} px a side: take larger ones, or in a recipe its option `size`"
            )
        with torch.inference_mode():
            parts = [images[k : k + CHUNK] for k in range(0, max(1, len(images)), CHUNK)]
            rows = torch.cat([net(torch.tensor(p).permute(0, 3, 1, 2) / 255) for p in parts])
        if not rows.isfinite().all():
            raise InputError(f"{name}: a feature is not a finite number; are the weights damaged?")
        return rows.numpy()

    return extract
