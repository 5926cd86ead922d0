"""A RELATE whose weights were set by hand to paint two dots; for tests only."""

from dataclasses import replace

import numpy as np
import torch

from datagen.learning.relate.training import sizes_of
from datagen.models.relate import Generator
from datagen.settings.relate import RelateLearning

SETTINGS = RelateLearning(channels=16, spread=0.6)
SIZE = 32  # px a side
BLACK = np.zeros((1, SIZE, SIZE, 3), np.uint8)  # a picture to learn from


def by_hand(**changes) -> Generator:
    """Paints object k of two as a dot of about 8 px at its pose, in the k-th of three colours."""
    net = Generator(replace(sizes_of(SETTINGS, SIZE, SIZE), **changes)).eval()
    weights = net.state_dict()
    for weight in weights.values():
        weight.zero_()
    for k in range(2):
        weights["before.constant"][k, k, 1:3, 1:3] = 1
        weights[f"before.convs.{k}.weight"][:, :, 1, 1] = torch.eye(16)
    smooth = torch.tensor([0.25, 0.75, 0.75, 0.25])
    for layer in net.renderer:
        if isinstance(layer, torch.nn.ConvTranspose2d):
            same = torch.eye(*layer.weight.shape[:2])[:, :, None, None]
            layer.weight.data.copy_(same * torch.outer(smooth, smooth))
    last = f"renderer.{len(net.renderer) - 1}"
    weights[f"{last}.weight"][:, :, 1, 1] = 2 * torch.eye(3, 8)
    weights[f"{last}.bias"] -= 1
    return net.requires_grad_(False)
