"""How RELATE learns to move its objects: first single frames, then clips, for learning.loop."""

import copy
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from datagen.errors import InputError
from datagen.learning.duel import Duel
from datagen.learning.relate.training import RelateTrainee
from datagen.models.relate import ABSENT, Generator, Latents, draw_latents
from datagen.models.relate_judge import Discriminator, deceiving_loss, judging_loss
from datagen.models.relate_motion import Fate, Motion, judge_of_clips
from datagen.relate_clips_settings import RelateClipsLearning
from datagen.relate_settings import RelateLearning
from datagen.rng import Stream, rng_for

_BETAS = (0.5, 0.999)


class RelateClipsTrainee:
    """`pictures`: uint8 [N, H, W, 3]; `windows`: int [M, T], rows of frames that follow each other.

    What objects look like, and where they may be, is learned from single pictures and then stays;
    a motion of them is learned against a judge of whole clips.
    """

    def __init__(
        self,
        pictures: np.ndarray,
        windows: np.ndarray,
        motion: RelateClipsLearning,
        settings: RelateLearning,
        seed: int,
        device: str = "cpu",
    ) -> None:
        if motion.rollout < motion.frames:
            raise InputError(
                f"learn.relate_clips.rollout: {motion.rollout} frames, fewer than the "
                f"{motion.frames} of learn.relate_clips.frames that the judge sees"
            )
        self.motion = motion
        self.still = RelateTrainee(pictures, settings, seed, device)
        self.moving = MotionTrainee(self.still, windows, motion, seed)

    @property
    def steps(self) -> int:
        return self.still.steps + self.motion.steps

    def begin(self, step: int) -> None:
        self.still.begin(step)

    def step(self, k: int) -> Mapping[str, float]:
        if k < self.still.steps:
            return self.still.step(k)
        return self.moving.step(k - self.still.steps)

    def samplers(self) -> tuple[Generator, Motion]:
        """The averages, on the CPU."""
        return self.still.sampler(), copy.deepcopy(self.moving.average).cpu().eval()

    def tensors(self) -> dict[str, Tensor]:
        parts = {"still": self.still.tensors(), "moving": self.moving.tensors()}
        return {f"{a}.{b}": value for a, part in parts.items() for b, value in part.items()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        for name, part in (("still", self.still), ("moving", self.moving)):
            head = f"{name}."
            part.load({k.removeprefix(head): v for k, v in tensors.items() if k.startswith(head)})


class MotionTrainee(Duel[Motion, Discriminator]):
    """A motion of the objects of `still`, which paints the frames and does not learn meanwhile."""

    def __init__(
        self, still: RelateTrainee, windows: np.ndarray, settings: RelateClipsLearning, seed: int
    ) -> None:
        self.still, self.settings, self.seed = still, settings, seed
        self.windows = windows
        sizes = still.sizes
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            motion = Motion(sizes.background, sizes.appearance)
            judge = judge_of_clips(
                sizes.width, sizes.height, still.settings.judge_width, settings.frames
            )
        super().__init__(motion, judge, str(still.device), settings.learning_rate, _BETAS)

    def step(self, k: int) -> Mapping[str, float]:
        s = self.settings
        rng = rng_for(self.seed, k, Stream.RELATE_CLIPS)
        real = self._real(rng.integers(len(self.windows), size=s.batch))
        made = self._made(rng)
        self.discriminator.tighten()
        opinion = self.discriminator(torch.cat([real, made.detach()])).real
        loss = judging_loss(opinion[: len(real)], opinion[len(real) :])
        self.judge.zero_grad()
        loss.backward()
        self.judge.step()
        self.discriminator.requires_grad_(False)
        deceiving = deceiving_loss(self.discriminator(made).real)
        self.builder.zero_grad()
        deceiving.backward()
        self.builder.step()
        self.discriminator.requires_grad_(True)
        self._follow(k, self.still.settings.average)
        return {"clips' discriminator": float(loss), "motion": float(deceiving)}

    def _real(self, numbers: np.ndarray) -> Tensor:
        """float [N, 3 T, H, W] in -0.5..0.5."""
        frames = self.still.pictures[torch.from_numpy(self.windows[numbers])].to(self.device)
        return frames.permute(0, 1, 4, 2, 3).flatten(1, 2).float() / 255 - 0.5

    def _made(self, rng: np.random.Generator) -> Tensor:
        """float [N, 3 T, H, W], any `frames` of the rollout."""
        s, net = self.settings, self.still.average
        drawn = draw_latents(self.still.sizes, rng, s.batch, self.still.settings.objects)
        parts = (drawn.background, drawn.appearance, drawn.spots, drawn.present)
        latents = Latents(*(part.to(self.device) for part in parts))
        noise = torch.from_numpy(first_noise(rng, latents)).to(self.device)
        poses = rolled_out(net, self.generator, latents, noise, s.rollout)
        first = int(rng.integers(s.rollout - s.frames, endpoint=True))
        return pictures_of(net, latents, poses[:, first : first + s.frames]).flatten(1, 2)


def first_noise(rng: np.random.Generator, latents: Latents) -> np.ndarray:
    """float32 [N, K, 2]: what first velocities depend on."""
    return rng.uniform(-1, 1, latents.spots.shape).astype(np.float32)


def rolled_out(
    net: Generator, motion: Motion, latents: Latents, noise: Tensor, frames: int
) -> Tensor:
    """N, T, K, 2: where objects are in each frame."""
    with torch.no_grad():
        theta = net.theta(latents)
    fate = Fate(latents.appearance, latents.background, latents.present)
    poses = motion(theta, noise, fate, frames)
    return torch.where(latents.present[:, None, :, None], poses, ABSENT)


def pictures_of(net: Generator, latents: Latents, poses: Tensor) -> Tensor:
    """N, T, 3, H, W: the frames of clips with these poses [N, T, K, 2]."""
    n, t = poses.shape[:2]
    parts = (latents.background, latents.appearance, latents.spots, latents.present)
    each = Latents(*(part.repeat_interleave(t, 0) for part in parts))
    return net.picture(net.lay(each, poses.flatten(0, 1))).unflatten(0, (n, t))
