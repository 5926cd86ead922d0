"""Conditional IMLE (Li, Zhang and Malik, 2019, algorithm 1), step by step and resumable."""

from collections.abc import Mapping
from contextlib import AbstractContextManager

import numpy as np
import torch
from torch import Tensor

from datagen.errors import DatagenError
from datagen.learning.appearance.distance import Distance
from datagen.learning.appearance.epochs import Epoch, Epochs
from datagen.learning.appearance.pairs import Cache, Pairs
from datagen.learning.appearance.selection import candidate_distances, candidates, numbered
from datagen.learning.appearance.stages import opened_stages
from datagen.learning.run import restore, state_of
from datagen.models.imle import Generator, Noise, Sizes
from datagen.rng import Stream, rng_for
from datagen.settings.appearance import AppearanceLearning

_FLAT = 0.6  # share of steps with the full learning rate
_LOWEST = 0.05  # of the learning rate, at the end
_UNIT_PAIRS = 64  # of random photos, that tell the unit of the distance
_CANDIDATES = 512  # whose noise is in memory at once
_AT_ONCE = 8  # photos of a step that fills the bank
_DEAF = 1e-3  # of the distance between photos: candidates nearer to each other are all the same


class AppearanceTrainee:
    """A generator that learns from pairs; when it is done, `bank` holds the styles to draw from.

    Three phases: regression without noise, outer epochs of IMLE, and the bank.
    """

    def __init__(
        self, maps: Pairs, settings: AppearanceLearning, seed: int, device: str = "cpu"
    ) -> None:
        self.settings, self.seed, self.device = settings, seed, torch.device(device)
        self.pairs = Cache(maps, settings.cache << 20)
        self.sizes = sizes_of(maps, settings)
        self.net = new_generator(self.sizes, seed).to(self.device)
        self.dtype = torch.bfloat16 if settings.precision == "bfloat16" else torch.float32
        stages = opened_stages(settings.weights and settings.weights.source).to(self.device)
        self.distance = Distance(stages, settings.pixel_weight, settings.texture, self.dtype)
        self.epochs = Epochs(
            self.pairs, self.sizes.classes, self.distance, settings, seed, self.device
        )
        self.bank = torch.zeros(self._photos_asked, self.sizes.style)
        self.optimizer = self._new_optimizer()
        self._chosen = torch.zeros(settings.layouts, dtype=torch.int64)
        self._is_measured = False
        self._epoch: Epoch | None = None

    @property
    def steps(self) -> int:
        learned = self.settings.pretraining + self.settings.epochs * self.settings.steps
        return learned + -(-self._photos_asked // _AT_ONCE)

    @property
    def seen(self) -> list[int]:
        """The classes that the pairs show."""
        return [k for k in range(self.sizes.classes) if self.epochs.survey.pixels[k]]

    def begin(self, step: int) -> None:
        """What is not in the state follows from it and the number of the step."""
        if not self._is_measured:
            self._measure()
        k = step - self.settings.pretraining
        epoch, inner = divmod(k, self.settings.steps)
        if k >= 0 and inner and epoch < self.settings.epochs:
            self._epoch = self.epochs.open(epoch)

    def step(self, k: int) -> Mapping[str, float]:
        if k < self.settings.pretraining:
            return self._regress(k)
        k -= self.settings.pretraining
        epoch, inner = divmod(k, self.settings.steps)
        if epoch < self.settings.epochs:
            return self._learn(epoch, inner)
        return self._fill(k - self.settings.epochs * self.settings.steps)

    def tensors(self) -> dict[str, Tensor]:
        ours = {"unit": self.distance.unit, "chosen": self._chosen, "bank": self.bank}
        return state_of(self.net, self.optimizer) | ours

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        restore(self.net, self.optimizer, tensors)
        self.distance.unit, self._is_measured = tensors["unit"], True
        self._chosen, self.bank = tensors["chosen"].clone(), tensors["bank"].clone()

    # ---------------------------------------------------------------------------------- regression

    def _regress(self, k: int) -> Mapping[str, float]:
        rng = rng_for(self.seed, k, Stream.APPEARANCE)
        layouts, photos = self._batch(rng.integers(0, len(self.pairs), self.settings.batch))
        with torch.no_grad():
            views = self.distance.views(photos)
        return self._descend(layouts, views, self.net.without_noise(layouts), None)

    def _measure(self) -> None:
        rng = rng_for(self.seed, 0, Stream.APPEARANCE)
        first = rng.integers(0, len(self.pairs), _UNIT_PAIRS)
        second = (first + rng.integers(1, max(2, len(self.pairs)), _UNIT_PAIRS)) % len(self.pairs)
        with torch.no_grad():
            one, other = (self.distance.views(self._batch(k)[1]) for k in (first, second))
            self.distance.measure(one, other)
        self._is_measured = True

    # ---------------------------------------------------------------------------------------- IMLE

    def _learn(self, epoch: int, inner: int) -> Mapping[str, float]:
        if epoch == 0 and inner == 0:
            self.net.boost(self.settings.boost, self.settings.grain_boost, _random(self.seed, 1))
            self.optimizer = self._new_optimizer()
        readings: dict[str, float] = {}
        if inner == 0:
            self._epoch = self.epochs.open(epoch)
            readings = self._choose(self._epoch)
        assert self._epoch is not None
        self._schedule((epoch * self.settings.steps + inner) / self._imle_steps)
        rows = self._epoch.rows(inner, self.settings.batch)
        views, mask = self._epoch.views, self._epoch.mask
        losses = self._descend(
            self._epoch.layouts[rows],
            [view[rows] for view in views],
            self._noise(self._epoch, rows, inner),
            None if mask is None else mask[rows],
        )
        return losses | readings

    def _choose(self, epoch: Epoch) -> dict[str, float]:
        """Keep the best candidate of each pair, by its number."""
        m, count = self.settings.draws, self.settings.layouts
        spreads: list[Tensor] = []
        for rows in torch.arange(count).split(max(1, _CANDIDATES // m)):
            with torch.no_grad(), self._cast():
                distances, spread = candidate_distances(
                    self.net, self.distance, epoch.layouts[rows],
                    [view[rows] for view in epoch.views],
                    self._candidates(epoch.candidates(rows).numpy()),
                    None if epoch.mask is None else epoch.mask[rows],
                )  # fmt: skip
            self._chosen[rows] = distances.argmin(1).cpu()
            spreads.append(spread)
        found = float(torch.cat(spreads).mean())
        if self.sizes.style and m > 1 and found < _DEAF:
            raise DatagenError(
                f"all candidates of a layout look alike ({found:.1g} of the distance between "
                "photos): noise does not reach the pictures; raise learn.appearance.boost"
            )
        return {"spread": found}

    def _noise(self, epoch: Epoch, rows: Tensor, inner: int) -> Noise:
        """The styles that were chosen, and grain that no step has seen before."""
        chosen = epoch.candidates(rows).gather(1, self._chosen[rows, None])[:, 0]
        style = numbered(self.seed, chosen.numpy(), self.sizes).style
        if not self.sizes.grain:
            grain = style.new_zeros(len(rows), 0, *self.sizes.stages[-1])
            return Noise(style, grain).to(self.device)
        step = epoch.number * self.settings.steps + inner
        first = self._first_of_bank + self._photos_asked * self.settings.bank_draws
        fresh = first + step * self.settings.batch + np.arange(len(rows))
        return Noise(style, numbered(self.seed, fresh, self.sizes).grain).to(self.device)

    def _candidates(self, numbers: np.ndarray) -> Noise:
        return candidates(self.seed, numbers, self.sizes).to(self.device)

    # ---------------------------------------------------------------------------------------- bank

    @property
    def _photos_asked(self) -> int:
        return min(self.settings.bank, len(self.pairs)) if self.sizes.style else 0

    @property
    def _first_of_bank(self) -> int:
        """Number of the first candidate after those of learning."""
        return self.settings.epochs * self.settings.layouts * self.settings.draws

    def _fill(self, part: int) -> Mapping[str, float]:
        """The styles that some photos choose, into the bank."""
        settings = self.settings
        order = _random_order(self.seed, len(self.pairs))
        rows = np.arange(part * _AT_ONCE, min((part + 1) * _AT_ONCE, self._photos_asked))
        layouts, photos = self._batch(order[rows])
        m = settings.bank_draws
        numbers = self._first_of_bank + rows[:, None] * m + np.arange(m)
        noise = self._candidates(numbers)
        with torch.no_grad(), self._cast():
            views = self.distance.views(photos)
            distances, _ = candidate_distances(self.net, self.distance, layouts, views, noise)
        best, styles = distances.argmin(1).cpu(), noise.style.view(len(rows), m, -1).cpu()
        self.bank[torch.from_numpy(rows)] = styles[torch.arange(len(rows)), best]
        return {"nearest": float(distances.min(1).values.mean())}

    # ------------------------------------------------------------------------------------- descent

    def _batch(self, items: np.ndarray) -> tuple[Tensor, Tensor]:
        layouts, photos = self.pairs.batch(items)
        return layouts.to(self.device), photos.to(self.device)

    def _descend(
        self, layouts: Tensor, views: list[Tensor], noise: Noise, mask: Tensor | None
    ) -> dict[str, float]:
        with self._cast():
            pictures = self.net(layouts, noise)
        loss = self.distance.between(self.distance.views(pictures), views, mask).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"loss": float(loss.detach())}

    @property
    def _imle_steps(self) -> int:
        return self.settings.epochs * self.settings.steps

    def _schedule(self, done: float) -> None:
        fall = max(0.0, done - _FLAT) / (1 - _FLAT)
        factor = _LOWEST + (1 - _LOWEST) * 0.5 * (1 + np.cos(np.pi * fall))
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * factor

    def _new_optimizer(self) -> torch.optim.Optimizer:
        # Not `fused`, which takes a state that was read from a file for one in the weights' layout.
        return torch.optim.Adam(self.net.parameters(), self.settings.learning_rate)

    def _cast(self) -> AbstractContextManager[object]:
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)


def sizes_of(maps: Pairs, settings: AppearanceLearning) -> Sizes:
    """The generator that the settings ask for."""
    width, height = maps.size
    return Sizes(
        maps.classes, height, width, settings.channels, settings.coarsest, settings.style,
        settings.grain, settings.encoder or None,
    )  # fmt: skip


def new_generator(sizes: Sizes, seed: int) -> Generator:
    """An untrained one, which `seed` alone decides."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng_for(seed, 0, Stream.STYLE).integers(0, 2**62)))
        net = Generator(sizes)
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _random(seed: int, index: int) -> torch.Generator:
    return torch.Generator().manual_seed(int(rng_for(seed, index, Stream.STYLE).integers(0, 2**62)))


def _random_order(seed: int, count: int) -> np.ndarray:
    return rng_for(seed, 2, Stream.STYLE).permutation(count)
