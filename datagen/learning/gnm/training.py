"""How GNM is trained on pictures, for `train` of learning.loop."""

import copy
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from datagen.errors import InputError
from datagen.learning.gnm import schedule
from datagen.learning.gnm.schedule import Schedule
from datagen.learning.run import restore, state_of, under
from datagen.models.gnm import Gnm, Noise, Sizes
from datagen.models.gnm_lessons import Lesson, taught
from datagen.models.gnm_losses import Terms, Weights, terms
from datagen.rng import Stream, rng_for
from datagen.settings.gnm import GnmLearning

_CLIP = 1.0  # of the gradient's norm, which is thousands: each step is as long as the rate says
_BETAS = (0.9, 0.999)


class GnmTrainee:
    """`pictures`: uint8 [N, H, W, 3]. Grey ones are learned in one channel."""

    def __init__(
        self, pictures: np.ndarray, settings: GnmLearning, seed: int, device: str = "cpu"
    ) -> None:
        self.settings, self.seed, self.device = settings, seed, torch.device(device)
        self.pictures = pictures if _is_coloured(pictures) else pictures[..., :1]
        sizes = sizes_of(settings, self.pictures)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = Gnm(sizes)
        self.model = model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.model.lean = settings.precision == "bfloat16"
        self.schedule = Schedule.start(settings)
        self.optimizer = self._fresh()

    @property
    def steps(self) -> int:
        return self.settings.steps

    def begin(self, step: int) -> None:
        self.model.train()

    def step(self, k: int) -> Mapping[str, float]:
        s, plan = self.settings, self.schedule
        rng = rng_for(self.seed, k, Stream.GNM)
        chosen = rng.integers(len(self.pictures), size=s.batch)
        noise = Noise.of(self.model.sizes, rng, s.batch).to(self.device)
        x = tensor_of(self.pictures[chosen]).to(self.device)
        lesson = schedule.lesson(s, k)
        self.model.hold_background(lesson in (Lesson.BOXES, Lesson.SHAPES))
        shown = taught(self.model, lesson, x, noise, schedule.temperature(s, k))
        found = terms(self.model, x, shown, schedule.rare(s, k), s.size_spread)
        weights = Weights(plan.beta(s, k), schedule.main(s, k), schedule.backdrop(s, k))
        self._descend(found.total(weights, s.noise), plan.rate(s, k))
        readings = _readings(found) | {"beta": weights.layout, "ramps": plan.begun}
        self._go_on(k, readings)
        return readings

    def sampler(self) -> Gnm:
        """The model as it is sampled from: a copy of its own, in full precision."""
        model = copy.deepcopy(self.model).eval().requires_grad_(False)
        model.lean = False
        return model

    def tensors(self) -> dict[str, Tensor]:
        plan = {f"schedule.{name}": value for name, value in self.schedule.tensors().items()}
        return state_of(self.model, self.optimizer) | plan

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        restore(self.model, self.optimizer, tensors)
        self.schedule = Schedule.of(under("schedule.", tensors))

    def _fresh(self) -> torch.optim.Adam:
        rate = self.settings.learning_rate
        return torch.optim.Adam(self.model.parameters(), rate, _BETAS, fused=True)

    def _descend(self, loss: Tensor, rate: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), _CLIP)
        self.optimizer.step()

    def _go_on(self, k: int, readings: Mapping[str, float]) -> None:
        """The next step's schedule; a stretch of its own begins with an optimiser of its own.

        Where a ramp begins again and the layout is dead, its networks begin again, too: what is
        not read is not written, and the other way round, so that no gradient revives it.
        """
        before = self.schedule
        self.schedule = before.after(self.settings, k, readings)
        if self.schedule.begun > before.begun and self.schedule.is_dead:
            self._renew_layout(k)
        if self.schedule.stretch != before.stretch:
            self.optimizer = self._fresh()

    def _renew_layout(self, k: int) -> None:
        seed = int(rng_for(self.seed, k, Stream.GNM, 1).integers(1 << 31))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            fresh = Gnm(self.model.sizes)
        self.model.draw.load_state_dict(fresh.draw.state_dict())


def sizes_of(settings: GnmLearning, pictures: np.ndarray) -> Sizes:
    """The model that settings ask for; refuses a canvas that is no grid of cells."""
    _, height, width, channels = pictures.shape
    if height % settings.cell or width % settings.cell:
        raise InputError(
            f"learn.gnm: pictures of {width} x {height} px are no grid of cells of "
            f"{settings.cell} px; set another `cell`, or a canvas that is a multiple of it"
        )
    s = settings
    return Sizes(
        (width, height), channels, s.cell, s.width, s.what, s.glimpse, s.drawing, s.latent,
        s.hidden, s.alpha, s.background, s.size, s.noise,
    )  # fmt: skip


def tensor_of(pictures: np.ndarray) -> Tensor:
    """uint8 [N, H, W, C] -> float32 [N, C, H, W] in 0..1."""
    return torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float() / 255


def _is_coloured(pictures: np.ndarray) -> bool:
    parts = (pictures[k : k + 256] for k in range(0, len(pictures), 256))
    return any(bool((part != part[..., :1]).any()) for part in parts)


def _readings(found: Terms) -> dict[str, float]:
    return {name: float(value.detach()) for name, value in found._asdict().items()}
