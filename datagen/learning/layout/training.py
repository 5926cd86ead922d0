"""How SemGAN is trained on label maps, for `train` of learning.loop."""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor

from datagen.learning.duel import Duel
from datagen.learning.layout.bank import Bank, Layouts
from datagen.models.semgan import (
    Classes,
    Code,
    Discriminator,
    Generator,
    adversarial_loss,
    discriminator_loss,
    gradient_penalty,
    matching_loss,
)
from datagen.rng import Stream, rng_for
from datagen.settings.layout import LayoutLearning

_BETAS = (0.5, 0.999)  # of Adam, the paper's
_SLOWEST = 0.02  # of the learning rate, at the end
_SETTLING = 32  # batches that the statistics of the sampled generator are measured on


class LayoutTrainee(Duel[Generator, Discriminator]):
    """A generator against a discriminator; what is kept is the running average of the generator.

    `code`: how maps are told to the discriminator; as probabilities of classes if not given.
    """

    def __init__(
        self,
        maps: Layouts,
        settings: LayoutLearning,
        seed: int,
        code: Code | None = None,
        device: str = "cpu",
    ) -> None:
        self.settings, self.seed = settings, seed
        self.bank = Bank(maps)
        self.code: Code = Classes(maps.classes, settings.sharpness) if code is None else code
        s, channels = settings, self.code.channels
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            generator = Generator(maps.size, channels, s.width, s.kernel, s.latent)
            discriminator = Discriminator(maps.size, channels, s.width, s.kernel)
        super().__init__(generator, discriminator, device, _rates(s), _BETAS)

    @property
    def steps(self) -> int:
        return self.settings.steps

    def begin(self, step: int) -> None:
        self.generator.train()

    def step(self, k: int) -> Mapping[str, float]:
        s = self.settings
        rng = rng_for(self.seed, k, Stream.LAYOUTS)
        chosen = rng.integers(len(self.bank.maps), size=s.batch)
        z = torch.from_numpy(rng.standard_normal((s.batch, s.latent), "float32")).to(self.device)
        noise = torch.Generator(self.device).manual_seed(int(rng.integers(2**62)))
        real = self.code.of(self.bank.take(chosen).to(self.device), noise)
        with self._reduced():
            output = self.generator(z)
        fake = self.code.made(output, noise)
        self._pace(k)
        readings = self._judge(real, fake.detach(), k) | self._build(real, fake)
        self._follow(k, s.average)
        return {name: float(value) for name, value in readings.items()}

    def sampler(self) -> Generator:
        """The averaged generator, with the statistics that its own maps have."""
        settled = copy.deepcopy(self.average).train()
        norms = [m for m in settled.modules() if isinstance(m, torch.nn.BatchNorm2d)]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the mean of all batches, not the newest's
        for k in range(_SETTLING):
            rng = rng_for(self.seed, self.steps + k, Stream.LAYOUTS)
            z = rng.standard_normal((self.settings.batch, self.settings.latent), "float32")
            with torch.no_grad():
                settled(torch.from_numpy(z).to(self.device))
        return settled.eval()

    def _reduced(self) -> torch.autocast:
        reduced = self.settings.precision == "bfloat16"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=reduced)

    def _pace(self, k: int) -> None:
        """Full rates for half of the steps, then a straight fall."""
        pace = min(1.0, max(_SLOWEST, 2 * (1 - k / self.steps)))
        for network, rate in zip((self.builder, self.judge), _rates(self.settings), strict=True):
            for group in network.param_groups:
                group["lr"] = rate * pace

    def _judge(self, real: Tensor, fake: Tensor, k: int) -> dict[str, Tensor]:
        """One step of the discriminator."""
        s = self.settings
        penalised = s.penalty > 0 and k % s.penalty_every == 0
        for maps in (real, fake):
            maps.requires_grad_(penalised)
        with self._reduced():
            seen, _ = self.discriminator(real)
            made, _ = self.discriminator(fake)
        loss = discriminator_loss(seen, made)
        readings = {"discriminator": loss.detach()}
        if penalised:
            slope = gradient_penalty(seen, real, self.code.flip)
            slope = slope + gradient_penalty(made, fake, self.code.flip)
            loss = loss + s.penalty * s.penalty_every * slope
            readings["slope"] = slope.detach()
        self.judge.zero_grad()
        loss.backward()
        self.judge.step()
        real.requires_grad_(False)
        return readings

    def _build(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """One step of the generator."""
        s = self.settings
        self.discriminator.requires_grad_(False)
        with self._reduced():
            with torch.no_grad():
                seen, wanted = self.discriminator(real)
            made, found = self.discriminator(fake)
        opinion, distance = adversarial_loss(seen, made), matching_loss(wanted, found)
        self.builder.zero_grad()
        (s.adversarial * opinion + s.matching * distance).backward()
        self.builder.step()
        self.discriminator.requires_grad_(True)
        return {"adversarial": opinion.detach(), "matching": distance.detach()}


def _rates(settings: LayoutLearning) -> tuple[float, float]:
    return settings.generator_learning_rate, settings.discriminator_learning_rate
