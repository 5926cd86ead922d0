"""How RELATE is trained on pictures, for `train` of learning.loop."""

import copy
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from datagen.errors import InputError
from datagen.learning.duel import Duel
from datagen.learning.relate.apart import Apart
from datagen.learning.relate.toggling import LEAST, looked_at, sound_share, usual_of
from datagen.models.relate import (
    Generator,
    Latents,
    Scene,
    Sizes,
    doublings,
    draw_latents,
)
from datagen.models.relate_judge import (
    Discriminator,
    Opinion,
    deceiving_loss,
    judging_loss,
    position_loss,
)
from datagen.rng import Stream, rng_for
from datagen.settings.relate import RelateLearning

_SECOND = 0.999  # Adam's second beta
_LEAST_CHANNELS, _LEAST_WINDOW = 16, 2  # what is normalised over places needs several
_SMALLEST = 16  # px
_TRIED = 1 / 3  # of the steps: after them an attempt is looked at, and may be given up


def sizes_of(settings: RelateLearning, width: int, height: int) -> Sizes:
    """What a generator of pictures of this size is built from."""
    s, unit = settings, 1 << doublings(width, height)
    fewest, most = s.objects
    if fewest > most or most == 0:
        raise InputError(
            f"learn.relate.objects: [{fewest}, {most}] must be the fewest and the most objects of "
            "a picture, the most at least 1"
        )
    if width % unit or height % unit or min(width, height) < _SMALLEST:
        raise InputError(
            f"relate: pictures of {width} x {height} px; each side must be a multiple of {unit} "
            f"and at least {_SMALLEST}; set another canvas"
        )
    side = min(width, height) // unit
    return Sizes(
        width=width,
        height=height,
        channels=s.channels or max(_LEAST_CHANNELS, 512 // side // 4 * 4),
        window=max(_LEAST_WINDOW, round(s.window * side)),
        background=s.background,
        appearance=s.appearance,
        constants=s.objects[1] if s.distinct else 1,
        interaction=s.interaction,
        residual=s.residual,
        pooling=s.pooling,
        scale=s.scale,
        spread=s.spread,
    )


class _Asked(NamedTuple):
    """What the position regressor is taught."""

    rows: Tensor  # [M]: in which of the made pictures
    looks: Tensor  # [M]: the object with which learned constant
    poses: Tensor  # [M, 2]: is where


class _Made(NamedTuple):
    """Pictures that the generator has made."""

    pictures: Tensor  # N, 3, H, W
    lone: Tensor  # M, 3, H, W: pictures of one object
    asked: tuple[_Asked, ...]  # rows count through `pictures`, then `lone`
    apart: Apart | None  # some of the scenes, with an object apart

    def error(self, said: Opinion) -> Tensor:
        """The position regressor's, of what it said of all of them; each question counts as one."""
        return torch.stack(
            [position_loss(said.position[a.rows, a.looks], a.poses) for a in self.asked]
        ).sum()


class RelateTrainee(Duel[Generator, Discriminator]):
    """A generator against a discriminator; what is kept is the running average of the generator.

    `pictures`: uint8 [N, H, W, 3]. Where after a third of the steps toggling does not find the
    objects, it begins again with other networks, as often as the settings allow.
    """

    def __init__(
        self, pictures: np.ndarray, settings: RelateLearning, seed: int, device: str = "cpu"
    ) -> None:
        self.settings, self.seed = settings, seed
        if len(pictures) == 0:
            raise InputError("relate: there are no pictures to learn from")
        self.pictures = torch.from_numpy(pictures)
        height, width = pictures.shape[1:3]
        self.sizes = sizes_of(settings, width, height)
        self._begin_attempt(1, 0, device)

    def _begin_attempt(self, number: int, step: int, device: str) -> None:
        """New networks; what they become depends on the seed and the attempt's number alone."""
        s = self.settings
        self.attempt, self.begun = number, step
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._network_seed())
            generator = Generator(self.sizes)
            discriminator = Discriminator(
                self.sizes.width,
                self.sizes.height,
                s.judge_width,
                s.style > 0,
                self.sizes.constants,
            )
        betas = (s.momentum, _SECOND)
        super().__init__(
            generator, discriminator, device, (s.learning_rate, s.learning_rate), betas
        )

    def _network_seed(self) -> int:
        if self.attempt == 1:
            return self.seed
        return int(self._rng(self.settings.steps).integers(1 << 31))

    def _rng(self, step: int) -> np.random.Generator:
        """For a step of this attempt; steps end before `settings.steps`."""
        return rng_for(self.seed, step, Stream.RELATE, self.attempt - 1)

    @property
    def steps(self) -> int:
        """Those of attempts that were given up count."""
        return self.begun + self.settings.steps

    def begin(self, step: int) -> None:
        self.generator.train()

    def step(self, k: int) -> Mapping[str, float]:
        s, here = self.settings, k - self.begun
        rng = self._rng(here)
        real = self._real(rng.integers(len(self.pictures), size=s.batch))
        readings: dict[str, Tensor] = {}
        for update in range(s.updates):
            made = self._made(rng)
            if update == 0:
                readings |= self._judge(real, made)
            readings |= self._build(made)
        self._follow(here, s.average)
        told = {name: float(value) for name, value in readings.items()}
        if self.attempt > 1:
            told["attempt"] = self.attempt
        if here + 1 == round(_TRIED * s.steps) and self.attempt < s.attempts:
            told |= {"sound": self._sound(), "attempt": self.attempt}
            if told["sound"] < LEAST:
                self._begin_attempt(self.attempt + 1, k + 1, self.device.type)
        return told

    def _sound(self) -> float:
        """Share of samples whose objects toggling finds; training does not depend on them."""
        samples = looked_at(self.sampler(), self.settings.objects)
        return sound_share(samples, usual_of(samples))

    def tensors(self) -> dict[str, Tensor]:
        return super().tensors() | {"attempt": torch.tensor([self.attempt, self.begun])}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        self.attempt, self.begun = tensors["attempt"].tolist()
        super().load(tensors)

    def sampler(self) -> Generator:
        """The averaged generator, on the CPU."""
        return copy.deepcopy(self.average).cpu().eval()

    def _real(self, numbers: np.ndarray) -> Tensor:
        """float [N, 3, H, W] in -0.5..0.5."""
        chosen = self.pictures[torch.from_numpy(numbers)].to(self.device)
        return chosen.permute(0, 3, 1, 2).float() / 255 - 0.5

    def _made(self, rng: np.random.Generator) -> _Made:
        """Pictures, parts of them, and where objects are."""
        s = self.settings
        scene = self.generator.lay(self._latents(rng))
        pictures = self.generator.picture(scene)
        rows, chosen = self._singled(scene, rng)
        lone, apart = pictures[:0], None
        looks_at_lone = s.position > 0 and s.interaction != "ordered"
        if looks_at_lone or s.additive > 0 or s.centred > 0:
            lone, apart = self._parted(scene, pictures, rows, chosen)
        asked = self._asked(scene, rows, chosen)
        return _Made(pictures, lone if looks_at_lone else pictures[:0], asked, apart)

    def _asked(self, scene: Scene, rows: Tensor, chosen: Tensor) -> tuple[_Asked, ...]:
        """Of the scenes, and of lone pictures of their `rows` with the object `chosen`.

        Beyond the paper, which asks of lone pictures only: where each object has a look of its
        own, it is to be found in whole pictures, too. So objects must come to differ. Else two of
        them may learn to paint one ball, and the background the other one.
        """
        s, count = self.settings, len(scene.poses)
        if s.position == 0:
            return ()
        if s.interaction == "ordered":  # the base of a whole stack
            there = torch.nonzero(scene.present[:, 0])[:, 0]
            return _some(_Asked(there, torch.zeros_like(there), scene.poses[there, 0]))
        numbers = count + torch.arange(len(rows), device=rows.device)
        alone = _Asked(numbers, self._looks(chosen), scene.poses[rows, chosen])
        if not s.distinct:
            return _some(alone)
        whole, slots = torch.nonzero(scene.present, as_tuple=True)
        return _some(alone, _Asked(whole, slots, scene.poses[whole, slots]))

    def _latents(self, rng: np.random.Generator) -> Latents:
        drawn = draw_latents(self.sizes, rng, self.settings.batch, self.settings.objects)
        return drawn.to(self.device)

    def _singled(self, scene: Scene, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Of half of the pictures, but for those without objects: which, and an object of each."""
        half = self.settings.batch // 2
        order = torch.from_numpy(rng.random(scene.present[:half].shape)).to(self.device)
        chosen = order.masked_fill(~scene.present[:half], -1).argmax(1)
        rows = torch.nonzero(scene.present[:half].any(1))[:, 0]
        return rows, chosen[rows]

    def _parted(
        self, scene: Scene, pictures: Tensor, rows: Tensor, chosen: Tensor
    ) -> tuple[Tensor, Apart | None]:
        """Pictures of the one object alone; and whatever else is asked of it apart."""
        s, count = self.settings, scene.present.shape[1]
        alone = F.one_hot(chosen, count)
        whole = Scene(*(part[rows] for part in scene))
        adds_up = s.additive == 0 or count == 1  # an object without others does so by itself
        if (adds_up and s.centred == 0) or len(rows) == 0:
            return self.generator.picture(_with(whole, alone)), None
        kept = torch.cat([alone, 1 - alone, torch.zeros_like(alone)])
        thrice = Scene(*(torch.cat([part] * 3) for part in whole))
        lone, others, empty = self.generator.picture(_with(thrice, kept)).chunk(3)
        poses = scene.poses[rows, chosen]
        return lone, Apart(pictures[rows], others, lone, empty, poses, self._looks(chosen))

    def _looks(self, objects: Tensor) -> Tensor:
        """The learned constants of objects by their places in the order."""
        return objects if self.settings.distinct else torch.zeros_like(objects)

    def _judge(self, real: Tensor, made: _Made) -> dict[str, Tensor]:
        """One step of the discriminator, with that of the position regressor."""
        s = self.settings
        self.discriminator.tighten()
        shown = torch.cat([real, made.pictures.detach(), made.lone.detach()])
        seen, fake, all_made = _split(self.discriminator(shown), len(real), len(made.pictures))
        loss = judging_loss(seen.real, fake.real)
        readings = {"discriminator": loss.detach()}
        if s.style > 0:
            loss = loss + s.style * judging_loss(seen.style, fake.style)
        if made.asked:
            loss = loss + s.position * made.error(all_made)
        self.judge.zero_grad()
        loss.backward()
        self.judge.step()
        return readings

    def _build(self, made: _Made) -> dict[str, Tensor]:
        """One step of the generator."""
        s = self.settings
        self.discriminator.requires_grad_(False)
        shown = torch.cat([made.pictures, made.lone])
        _, fake, all_made = _split(self.discriminator(shown), 0, len(made.pictures))
        loss = deceiving_loss(fake.real)
        readings = {"adversarial": loss.detach()}
        if s.style > 0:
            opinion = deceiving_loss(fake.style)
            loss, readings["style"] = loss + s.style * opinion, opinion.detach()
        if made.asked:
            error = made.error(all_made)
            loss, readings["position"] = loss + s.position * error, error.detach()
        if made.apart is not None and s.additive > 0:
            unlike = made.apart.unlike()
            loss, readings["additive"] = loss + s.additive * unlike, unlike.detach()
        if made.apart is not None and s.centred > 0:
            astray = made.apart.astray()
            loss, readings["centred"] = loss + s.centred * astray, astray.detach()
        self.builder.zero_grad()
        loss.backward()
        self.builder.step()
        self.discriminator.requires_grad_(True)
        return readings


def _with(scene: Scene, kept: Tensor) -> Scene:
    """The scenes with those of their objects that are 1 in `kept` [N, K]."""
    objects = scene.objects * kept[..., None, None, None]
    return Scene(scene.background, objects, scene.poses, scene.present & (kept > 0))


def _some(*asked: _Asked) -> tuple[_Asked, ...]:
    """Those that ask anything: there may be no object in any picture."""
    return tuple(a for a in asked if len(a.poses))


def _split(opinion: Opinion, real: int, fake: int) -> tuple[Opinion, Opinion, Opinion]:
    """Of the real pictures, of the made ones, and of these with those of one object."""
    parts = (slice(real), slice(real, real + fake), slice(real, None))
    first, second, third = (Opinion(*(part[rows] for part in opinion)) for rows in parts)
    return first, second, third
