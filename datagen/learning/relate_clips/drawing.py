"""Clips of a learned RELATE, frame by frame."""

from collections.abc import Iterator

import numpy as np
import torch

from datagen.learning.relate_clips.training import first_noise, rolled_out
from datagen.models.relate import Generator, Latents, Scene
from datagen.models.relate_motion import Motion


@torch.inference_mode()
def laid(
    net: Generator, motion: Motion, latents: Latents, frames: int, rng: np.random.Generator
) -> Iterator[Scene]:
    """The scenes of one clip, of latents of one picture; one at a time, as pictures are."""
    noise = torch.from_numpy(first_noise(rng, latents))
    poses = rolled_out(net, motion, latents, noise, frames)
    for k in range(frames):
        yield net.lay(latents, poses[:, k])
