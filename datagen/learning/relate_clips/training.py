"""How RELATE learns to move its objects, for `train` of learning.loop.

1. Single frames, as RELATE does. What paints them then stays as it is.
2. A finder learns from pictures that were painted so, whose poses are known, to read poses.
3. It reads the clips; a motion learns to go on as they do, and against a judge of whole paths.

A judge of pixels was tried in place of 2 and 3: it told painted frames from real ones whatever
their order, and nothing was learned of motion.
"""

import copy
from collections.abc import Mapping
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from datagen.errors import InputError
from datagen.learning.duel import Duel
from datagen.learning.loop import Kept
from datagen.learning.relate.training import RelateTrainee
from datagen.learning.run import restore, state_of, under
from datagen.models.relate import ABSENT, Generator, Latents, draw_latents
from datagen.models.relate_judge import deceiving_loss, judging_loss
from datagen.models.relate_motion import PAST, Fate, Finder, Motion, PathJudge
from datagen.rng import Stream, rng_for
from datagen.settings.relate import RelateLearning
from datagen.settings.relate_clips import RelateClipsLearning

_BETAS = (0.5, 0.999)
_READ = 256  # pictures at a time
_AT_ONCE = 64  # pictures a step of the finder
_ROUND = 0.05  # of a pose: errors above count by their size, since one missed rebound is no worse
_WEIGHT = 20.0  # of going on, beside the judge's opinion


class RelateClipsTrainee:
    """`pictures`: uint8 [N, H, W, 3]; `windows`: int [M, T], rows of frames that follow each other.

    InputError for objects that a finder cannot tell apart or count.
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
        _check(motion, settings)
        self.motion, self.settings = motion, settings
        self.still = RelateTrainee(pictures, settings, seed, device)
        self.finding = FinderTrainee(self.still, motion, seed)
        self.moving = MotionTrainee(self.finding, windows, motion, seed)

    @property
    def steps(self) -> int:
        return self.still.steps + self.motion.finder_steps + self.motion.steps

    def begin(self, step: int) -> None:
        self.still.begin(step)

    def step(self, k: int) -> Mapping[str, float]:
        if k < self.still.steps:
            return self.still.step(k)
        k -= self.still.steps
        if k < self.motion.finder_steps:
            return self.finding.step(k)
        return self.moving.step(k - self.motion.finder_steps)

    def samplers(self) -> tuple[Generator, Motion]:
        """The averages, on the CPU."""
        return self.still.sampler(), copy.deepcopy(self.moving.average).cpu().eval()

    def tensors(self) -> dict[str, Tensor]:
        parts = self._parts.items()
        return {f"{a}.{b}": value for a, part in parts for b, value in part.tensors().items()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        for name, part in self._parts.items():
            part.load(under(f"{name}.", tensors))

    @property
    def _parts(self) -> Mapping[str, Kept]:
        return {"still": self.still, "finding": self.finding, "moving": self.moving}


def _check(motion: RelateClipsLearning, settings: RelateLearning) -> None:
    if motion.rollout < motion.frames:
        raise InputError(
            f"learn.relate_clips.rollout: {motion.rollout} frames, fewer than the {motion.frames} "
            "of learn.relate_clips.frames that the judge sees; raise it"
        )
    fewest, most = settings.objects
    if fewest != most:
        raise InputError(
            f"learn.relate.objects: [{fewest}, {most}]; clips are learned only where all have as "
            "many objects: make both numbers the same"
        )
    if not settings.distinct or settings.appearance:
        raise InputError(
            "relate_clips: objects are followed through clips by their looks; leave "
            "learn.relate.distinct and learn.relate.appearance as they are by default"
        )


class FinderTrainee:
    """A finder of objects, taught by pictures that `still` paints."""

    def __init__(self, still: RelateTrainee, settings: RelateClipsLearning, seed: int) -> None:
        self.still, self.seed, sizes = still, seed, still.sizes
        objects = still.settings.objects[1]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            finder = Finder(sizes.width, sizes.height, objects, sizes.background)
        self.finder = finder.to(still.device)
        self.builder = torch.optim.Adam(self.finder.parameters(), settings.finder_rate)

    def step(self, k: int) -> Mapping[str, float]:
        rng = rng_for(self.seed, k, Stream.FINDER)
        latents, poses, pictures = self.painted(rng, _AT_ONCE)
        found, background = self.finder(pictures)
        error = F.mse_loss(found, poses)
        behind = F.mse_loss(background, latents.background)
        self.builder.zero_grad()
        (error + behind).backward()
        self.builder.step()
        return {"poses found": float(error.detach()), "background found": float(behind.detach())}

    @torch.no_grad()
    def painted(self, rng: np.random.Generator, count: int) -> tuple[Latents, Tensor, Tensor]:
        """Latents, poses [N, K, 2] and pictures float [N, 3, H, W]."""
        still = self.still
        drawn = draw_latents(still.sizes, rng, count, still.settings.objects)
        latents = drawn.to(still.device)
        scene = still.average.lay(latents)
        return latents, scene.poses, still.average.picture(scene)

    @torch.no_grad()
    def read(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 [N, H, W, 3] -> poses [N, K, 2] and z_0 [N, Nb]."""
        said = [
            self.finder(part.to(self.still.device).permute(0, 3, 1, 2).float() / 255 - 0.5)
            for part in pictures.split(_READ)
        ]
        return torch.cat([poses for poses, _ in said]), torch.cat([behind for _, behind in said])

    def tensors(self) -> dict[str, Tensor]:
        return state_of(self.finder, self.builder)

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        restore(self.finder, self.builder, tensors)


class MotionTrainee(Duel[Motion, PathJudge]):
    """A motion that goes on as clips do, where `finding` has read them."""

    def __init__(
        self,
        finding: FinderTrainee,
        windows: np.ndarray,
        settings: RelateClipsLearning,
        seed: int,
    ) -> None:
        self.finding, self.settings, self.seed = finding, settings, seed
        self.windows = torch.from_numpy(windows)
        still = finding.still
        sizes = still.sizes
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            motion = Motion(sizes.background, sizes.appearance)
            judge = PathJudge(settings.frames, still.settings.objects[1], sizes.background)
        rates = settings.learning_rate, settings.learning_rate
        super().__init__(motion, judge, str(still.device), rates, _BETAS)

    def step(self, k: int) -> Mapping[str, float]:
        s, still = self.settings, self.finding.still
        rng = rng_for(self.seed, k, Stream.RELATE_CLIPS)
        real, behind = self._read(rng)
        others, beside = self._read(rng)
        fake = self._made(others[:, 0], beside, rng)
        fake = fake + self._error * torch.from_numpy(rng.normal(size=fake.shape)).to(fake)
        self.discriminator.tighten()
        judged = judging_loss(
            self.discriminator(real, behind), self.discriminator(fake.detach(), beside)
        )
        self.judge.zero_grad()
        judged.backward()
        self.judge.step()
        self.discriminator.requires_grad_(False)
        deceiving = deceiving_loss(self.discriminator(fake, beside))
        going_on = self._going_on(real, behind)
        self.builder.zero_grad()
        (s.judged * deceiving + going_on).backward()
        self.builder.step()
        self.discriminator.requires_grad_(True)
        self._follow(k, still.settings.average)
        readings = {"paths' discriminator": judged, "motion": deceiving, "going on": going_on}
        return {name: float(value.detach()) for name, value in readings.items()}

    def _going_on(self, real: Tensor, behind: Tensor) -> Tensor:
        """How far from real ones paths get that begin with their first velocities."""
        steps = (real[:, 1:] - real[:, :-1])[:, :PAST]  # N, 3, K, 2
        past = steps.permute(0, 2, 1, 3).flatten(2)
        ahead = self.generator.go_on(real[:, PAST], past, self._fate(behind), real.shape[1] - PAST)
        return _WEIGHT * F.smooth_l1_loss(ahead, real[:, PAST:], beta=_ROUND)

    def _made(self, theta: Tensor, behind: Tensor, rng: np.random.Generator) -> Tensor:
        """N, T, K, 2: any `frames` of rollouts from these poses."""
        s = self.settings
        noise = torch.from_numpy(rng.uniform(-1, 1, theta.shape)).to(theta)
        paths = self.generator(theta, noise, self._fate(behind), s.rollout)
        first = int(rng.integers(s.rollout - s.frames, endpoint=True))
        return paths[:, first : first + s.frames]

    def _fate(self, behind: Tensor) -> Fate:
        n, k = len(behind), self.finding.finder.objects
        there = torch.ones(n, k, dtype=torch.bool, device=behind.device)
        return Fate(behind.new_zeros(n, k, 0), behind, there)

    def _read(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Poses [N, T, K, 2] of real clips, and their z_0 [N, Nb]: the mean of their frames."""
        poses, behind = self._found
        rows = self.windows[
            torch.from_numpy(rng.integers(len(self.windows), size=self.settings.batch))
        ]
        return poses[rows], behind[rows].mean(1)

    @cached_property
    def _found(self) -> tuple[Tensor, Tensor]:
        """Of all pictures; the finder learns no more."""
        return self.finding.read(self.finding.still.pictures)

    @cached_property
    def _error(self) -> float:
        """How far off the finder is, on pictures whose poses are known."""
        _, poses, pictures = self.finding.painted(rng_for(self.seed, 0, Stream.FINDER), _READ)
        with torch.no_grad():
            found, _ = self.finding.finder(pictures)
        return float((found - poses).abs().median() / 0.6745)


def first_noise(rng: np.random.Generator, latents: Latents) -> np.ndarray:
    """float32 [N, K, 2]: what first velocities depend on."""
    return rng.uniform(-1, 1, latents.spots.shape).astype(np.float32)


def rolled_out(
    net: Generator, motion: Motion, latents: Latents, noise: Tensor, frames: int
) -> Tensor:
    """N, T, K, 2: where objects are in each frame."""
    fate = Fate(latents.appearance, latents.background, latents.present)
    poses = motion(net.theta(latents), noise, fate, frames)
    return torch.where(latents.present[:, None, :, None], poses, ABSENT)
