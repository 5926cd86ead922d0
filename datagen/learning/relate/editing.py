"""Scenes of RELATE with edits: an object elsewhere, gone, or with another look.

Gamma is asked once, for the scene as it was, so that an edit of one object moves no other.
"""

from dataclasses import replace

import numpy as np
import torch

from datagen.edits import Edits
from datagen.errors import EditError
from datagen.models.relate import Generator, Latents, Scene


@torch.inference_mode()
def edited(
    net: Generator, latents: Latents, edits: Edits, rng: np.random.Generator
) -> tuple[Scene, list[int]]:
    """The one scene of `latents` with `edits`, and the numbers of the objects that are left.

    Objects that are there have the numbers 1, 2, ... in the order of their slots.
    """
    slots = dict(enumerate(torch.nonzero(latents.present[0])[:, 0].tolist(), 1))
    theta, looks = net.theta(latents).clone(), net.looks(latents.spots.shape[1])
    size = torch.tensor([net.sizes.width, net.sizes.height])
    for number in edits.moved.keys() & slots:
        theta[0, slots[number]] += 2 * torch.tensor(edits.moved[number]) / size
    appearance, present = latents.appearance.clone(), latents.present.clone()
    for number in sorted(edits.recoloured & slots.keys()):
        look = _another(net, appearance[0, slots[number]].shape[0], rng)
        if look is None:
            looks[slots[number]] = (looks[slots[number]] + 1) % net.sizes.constants
        else:
            appearance[0, slots[number]] = look
    for number in edits.dropped & slots.keys():
        present[0, slots[number]] = False
    changed = replace(latents, appearance=appearance, present=present)
    return net.lay(changed, theta, looks), [n for n in slots if n not in edits.dropped]


def _another(net: Generator, numbers: int, rng: np.random.Generator) -> torch.Tensor | None:
    """A new z_k; None where objects have none, and look as the constants of their slots do."""
    if numbers:
        return torch.from_numpy(rng.uniform(-1, 1, numbers).astype(np.float32))
    if net.sizes.constants == 1:
        raise EditError(
            "--recolour: the objects of this model all look alike (learn.relate.appearance = 0, "
            "distinct = false)"
        )
    return None
