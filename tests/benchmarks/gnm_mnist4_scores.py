"""What the MNIST-4 benchmark measures, of pictures alone and of a model that finds objects."""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from gnm_mnist4_arms import made_again, samples, shuffled
from gnm_mnist4_data import SIDE, Digits, Scenes, ink_box
from safetensors.torch import load_file, save

from datagen.files import write_atomic
from datagen.learning.gnm.objects import Found, frame_of, infer
from datagen.learning.gnm.training import tensor_of
from datagen.metrics.digits import (
    CLASSES,
    CROP,
    INK,
    DigitNet,
    DigitReader,
    crop,
    crops_of,
    grey,
    teach_reader,
)
from datagen.metrics.probe import probe_accuracy
from datagen.metrics.structure import mnist_4
from datagen.metrics.style import style_diversity
from datagen.models.genesis import Genesis, responsibilities
from datagen.models.gnm import Gnm, Noise
from datagen.models.gnm_losses import log_likelihood
from datagen.rng import Stream, rng_for
from datagen.scoring.slices import average_precision

SCORED = 2000  # pictures of each arm, and real ones
FOUND = 512  # pictures in which objects are looked for
LIKELY, PARTICLES = 64, 100  # pictures, samples of the posterior for each
STYLES = (0.0, 0.5, 0.7, 1.0)  # of the generator's option
_IOUS = np.arange(0.5, 1.0, 0.05)
_SPECK = 6  # px
_AT_ONCE = 64  # pictures


def reader(out: Path, known: Digits) -> DigitReader:
    """The judge of digits, learned once for all arms, from digits that the arms learn from, too."""
    path = out / "reader.safetensors"
    if not path.is_file():
        crops = crops_of(known.patches)
        made = teach_reader(crops, known.labels, rng_for(0, 0, Stream.EVALUATE))
        write_atomic(path, save(made.net.state_dict()))
    net = DigitNet()
    net.load_state_dict(load_file(path))
    return DigitReader(net.eval())


def right_share(read: DigitReader, known: Digits) -> float:
    """How many single digits the judge reads right."""
    return float((read(crops_of(known.patches)).argmax(1) == known.labels).mean())


# ---------------------------------------------------------------------------------- of pictures


def of_pictures(images: np.ndarray, real: np.ndarray, read: DigitReader) -> dict[str, float]:
    """Structure, and how diverse the digits of a class are against real ones."""
    found = mnist_4(images, read)
    return {
        "right": found.accuracy,
        "error": found.error,
        "strict": found.strict,
        "four": found.found,
        "symmetric": found.placed,
        "read": found.read,
        "deviation": found.deviation,
        "rarest": min(found.coverage),
        "style": _style(images, read) / _style(real, read),
    }


def _style(images: np.ndarray, read: DigitReader) -> float:
    crops = np.array(list(_quarters(grey(images))), np.float32).reshape(-1, CROP, CROP)
    if len(crops) <= CLASSES:
        return 0.0  # hardly anything is drawn
    said = read(crops).argmax(1)
    return style_diversity(crops, said, rng_for(0, 1, Stream.EVALUATE)).mean


def _quarters(pictures: np.ndarray) -> Iterator[np.ndarray]:
    """Crops of what is in each quarter, where there is anything."""
    half = SIDE // 2
    for picture in pictures:
        for y in (0, half):
            for x in (0, half):
                quarter = picture[y : y + half, x : x + half]
                if np.count_nonzero(quarter > INK) >= _SPECK:
                    yield crop(quarter, ink_box(quarter > INK))


# --------------------------------------------------------------------------------------- of GNM


def of_model(model: Gnm, scenes: Scenes, learned: Scenes, read: DigitReader) -> dict[str, float]:
    """Boxes, appearances, likelihood, pictures made again; the probe learns from `learned`."""
    found = infer(model, scenes.pictures[:FOUND])
    right = np.mean([len(one.scores) == 4 for one in found])
    result = {"count": float(right)} | boxes(found, scenes)
    result |= appearances(model, scenes, learned)
    seen, laid_out = made_again(model, scenes.pictures)
    result["seen"] = mnist_4(seen, read).accuracy
    result["laid out"] = mnist_4(laid_out, read).accuracy
    result["shuffled"] = mnist_4(shuffled(model, scenes.pictures[:1000]), read).accuracy
    return result | likelihood(model, scenes)


def boxes(found: Sequence[Found], scenes: Scenes) -> dict[str, float]:
    """AP of boxes: of glimpses against patches and against ink, of ink against ink."""
    scores = [one.scores for one in found]
    squares, tight = ([getattr(one, name) for one in found] for name in ("squares", "boxes"))
    asked = {
        "AP50 sq": (squares, scenes.squares, _IOUS[:1]),
        "AP50 raw": (squares, scenes.boxes, _IOUS[:1]),
        "AP50 tight": (tight, scenes.boxes, _IOUS[:1]),
        "AP tight": (tight, scenes.boxes, _IOUS),
    }
    return {
        name: float(np.mean([_precision(ours, scores, theirs, limit) for limit in limits]))
        for name, (ours, theirs, limits) in asked.items()
    }


def _precision(
    ours: Sequence[np.ndarray], scores: Sequence[np.ndarray], theirs: np.ndarray, limit: float
) -> float:
    rows: list[tuple[float, bool]] = []
    for k, (mine, said) in enumerate(zip(ours, scores, strict=True)):
        shares, free = overlap(mine, theirs[k]), np.ones(len(theirs[k]), bool)
        for row in np.argsort(-said, kind="stable"):
            best = int(np.where(free, shares[row], -1).argmax())
            hit = bool(free[best] and shares[row, best] >= limit)
            free[best] &= not hit
            rows.append((float(said[row]), hit))
    rows.sort(key=lambda row: -row[0])
    value = average_precision(np.array([hit for _, hit in rows], bool), 4 * len(ours))
    return value or 0.0


def overlap(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """IoU [N, M] of boxes: left, top, right, bottom."""
    low = np.maximum(ours[:, None, :2], theirs[None, :, :2])
    high = np.minimum(ours[:, None, 2:], theirs[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), -1)
    mine, others = (np.prod(b[:, 2:] - b[:, :2], -1) for b in (ours, theirs))
    return shared / (mine[:, None] + others[None] - shared)


def appearances(model: Gnm, scenes: Scenes, learned: Scenes) -> dict[str, float]:
    """Accuracy of a two-layer perceptron that reads z_what, on digits that nobody has seen."""
    rng = rng_for(0, 2, Stream.EVALUATE)
    probe = probe_accuracy(*_codes(model, learned), *_codes(model, scenes), rng)
    return {"what": probe.accuracy, "what error": probe.error}


def _codes(model: Gnm, scenes: Scenes) -> tuple[np.ndarray, np.ndarray]:
    """z_what of all that is found, and the digit nearest to it, as in the paper."""
    codes, digits = [], []
    truth = (scenes.squares[..., :2] + scenes.squares[..., 2:]) / 2
    for k, one in enumerate(infer(model, scenes.pictures)):
        centres = (one.squares[:, :2] + one.squares[:, 2:]) / 2
        nearest = np.linalg.norm(centres[:, None] - truth[k][None], axis=-1).argmin(1)
        codes.append(one.what)
        digits.append(scenes.labels[k][nearest])
    return np.concatenate(codes), np.concatenate(digits)


def likelihood(model: Gnm, scenes: Scenes) -> dict[str, float]:
    """log p(x), nats, by importance sampling."""
    x = tensor_of(scenes.pictures[:LIKELY, :, :, : model.sizes.channels])
    noises = [
        Noise.of(model.sizes, rng_for(0, k, Stream.CANDIDATE), LIKELY) for k in range(PARTICLES)
    ]
    with torch.inference_mode():
        return {"log p": float(log_likelihood(model, x, noises).mean())}


def speed(model: Gnm, count: int = 100) -> float:
    """Labelled frames a second, one at a time, as `datagen generate` makes them."""
    began = time.process_time()
    with torch.inference_mode():
        for k in range(count):
            noise = Noise.of(model.sizes, rng_for(0, k, Stream.SCENE), 1)
            frame_of(model, model.generate(noise), 1, ("digit",))
    return count / (time.process_time() - began)


def styles(model: Gnm, real: np.ndarray, read: DigitReader) -> dict[str, Mapping[str, float]]:
    """Readings of samples with so much of the appearances' spread."""
    return {
        f"{style:g}": of_pictures(samples(model, SCORED, style), real, read) for style in STYLES
    }


# ----------------------------------------------------------------------------------- of GENESIS


def of_parts(model: Genesis, scenes: Scenes) -> dict[str, float]:
    """Whether each digit has a component of its own. Nothing is sampled.

    "parted": share of pictures whose four digits belong to four components, each to the one that
    explains most of its light; "whole": how much of its light that is.
    """
    best, share = [], []
    for k in range(0, FOUND, _AT_ONCE):
        x = tensor_of(scenes.pictures[k : k + _AT_ONCE, :, :, :1])
        with torch.inference_mode():
            read = model.read(x, torch.zeros(len(x), *model.noise))
        light = x[:, None] * responsibilities(x, read, model.sizes.noise)  # B, K, 1, H, W
        for one, squares in zip(light, scenes.squares[k : k + _AT_ONCE], strict=True):
            each = torch.stack([one[..., y:b, x:r].sum((1, 2, 3)) for x, y, r, b in squares])
            best.append(each.argmax(1))
            share.append(each.amax(1) / each.sum(1))
    parted = [len(ones.unique()) == len(ones) for ones in best]
    return {"parted": float(np.mean(parted)), "whole": float(torch.stack(share).mean())}
