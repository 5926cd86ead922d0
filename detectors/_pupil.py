"""A detector that is being trained: what datagen's training loop drives."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN

from datagen.errors import InputError
from datagen.labelled import Detections, Labelled
from datagen.learning.run import restore, state_of
from datagen.rng import Stream, rng_for
from datagen.settings.train import Train

from ._augment import augmented
from ._examples import Album, Example
from ._finding import device, find, memory_said, reduced
from ._weights import Header, save_detector

_LONGEST = 10.0  # norm of a gradient; longer ones, of surprising pictures, are cut to it
_READINGS = {  # torchvision's names -> ours
    "loss_objectness": "objectness",
    "loss_rpn_box_reg": "proposal_box",
    "loss_classifier": "category",
    "loss_box_reg": "box",
    "loss_mask": "mask",
}


class Pupil:
    """Mask R-CNN on labelled pictures; step k is a function of the weights, the seed and k."""

    def __init__(
        self,
        net: GeneralizedRCNN,
        header: Header,
        labelled: Labelled,
        settings: Train,
        remarks: Sequence[str],
    ) -> None:
        self._header, self._settings, self._remarks = header, settings, tuple(remarks)
        self._device = device()
        self._net = net.to(self._device)
        self._album = Album(labelled.pictures, header.side, masks=header.masks)
        learned = [p for p in net.parameters() if p.requires_grad]
        # Scales of normalisation and offsets are not to be drawn to zero.
        groups = [
            {"params": [p for p in learned if p.ndim > 1]},
            {"params": [p for p in learned if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self._optimizer = torch.optim.AdamW(
            groups, settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )

    @property
    def steps(self) -> int:
        return self._settings.steps

    def remarks(self) -> list[str]:
        """What a person must know of where this training starts."""
        return list(self._remarks)

    def begin(self, step: int) -> None:
        """Every step stands for itself."""

    def step(self, k: int) -> Mapping[str, float]:
        """One batch: forward, backward, update. Losses, the gradient's norm, the rate."""
        rate = self._rate(k)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        with memory_said("train.batch or train.detector.options.side"):
            losses = self._losses(k)
            total = torch.stack(list(losses.values())).sum()
            self._optimizer.zero_grad()
            total.backward()
            norm = torch.nn.utils.clip_grad_norm_(self._net.parameters(), _LONGEST)
            readings = {"loss": float(total.detach())}
            readings |= {_READINGS[name]: float(loss.detach()) for name, loss in losses.items()}
            readings |= {"gradient": float(norm), "learning_rate": rate}
            self._refuse_infinite(k, readings)  # before the weights are touched
            self._optimizer.step()
        return readings

    def tensors(self) -> dict[str, Tensor]:
        return state_of(self._net, self._optimizer)

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        restore(self._net, self._optimizer, tensors)

    def save(self, path: Path) -> None:
        """Publish the weights as they are now."""
        save_detector(path, self._header, self._net.state_dict())

    def detect(self, images: Sequence[np.ndarray], *, masks: bool = True) -> list[Detections]:
        """What it finds with the weights as they are now, in uint8 [H, W, 3] pictures."""
        return find(self._net, self._header, images, self._header.side, masks=masks)

    def _losses(self, k: int) -> dict[str, Tensor]:
        examples = [self._shown(k * self._settings.batch + n) for n in range(self._settings.batch)]
        images = [torch.from_numpy(np.ascontiguousarray(e.image)) for e in examples]
        seen = [image.to(self._device).permute(2, 0, 1) for image in images]
        targets = [self._target(example) for example in examples]
        self._net.train()
        seed = int(rng_for(self._settings.seed, k, Stream.TEACH).integers(2**62))
        gpus = [self._device] if self._device.type == "cuda" else []
        with torch.random.fork_rng(gpus), reduced(self._header, self._device):
            torch.manual_seed(seed)  # torchvision draws the anchors and proposals it judges
            return self._net(seen, targets)

    def _shown(self, number: int) -> Example:
        """The picture that is shown as the `number`-th: each once an epoch, in a new order."""
        seed = self._settings.seed
        epoch, place = divmod(number, len(self._album))
        order = rng_for(seed, epoch, Stream.SHUFFLE).permutation(len(self._album))
        example = self._album.example(int(order[place]))
        return augmented(rng_for(seed, number, Stream.AUGMENT), example, self._settings.augment)

    def _target(self, example: Example) -> dict[str, Tensor]:
        target = {
            "boxes": torch.from_numpy(example.boxes),
            "labels": torch.from_numpy(example.categories) + 1,
            "ignored": torch.from_numpy(example.ignored),
        }
        if example.masks is not None:
            target["masks"] = torch.from_numpy(np.ascontiguousarray(example.masks))
        return {name: tensor.to(self._device) for name, tensor in target.items()}

    def _rate(self, k: int) -> float:
        """Rises over the warm-up, then falls to nothing along half a cosine."""
        warmup = min(self._settings.warmup, self.steps // 2)
        if k < warmup:
            return self._settings.learning_rate * (k + 1) / warmup
        done = (k - warmup) / max(1, self.steps - warmup)
        return self._settings.learning_rate * 0.5 * (1 + math.cos(math.pi * done))

    def _refuse_infinite(self, k: int, readings: Mapping[str, float]) -> None:
        for name, value in readings.items():
            if not math.isfinite(value):
                raise InputError(
                    f"step {k + 1} of training: {name} is {value}; "
                    f"lower train.learning_rate (now {self._settings.learning_rate:g})"
                )
