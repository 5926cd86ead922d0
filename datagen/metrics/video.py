"""How far two sets of clips are apart, by the features of their frames in order."""

import numpy as np

from datagen.errors import InputError
from datagen.learning.gap import frechet_distance


def frechet_clip_distance(real: np.ndarray, generated: np.ndarray) -> float:
    """Frechet distance of clips whose frames have features float [N, T, D] and [M, T, D].

    A clip is one row of T x D numbers, so the Gaussians that are compared know how frames hang
    together: frames in a wrong order are as far off as wrong frames. It is not FVD, whose features
    are those of a network for actions (Unterthiner et al., 2018); name the features beside the
    value.

    More rows than T x D are needed, or the bias of the distance is most of it: take fewer features
    (`fewer`) or frames. InputError otherwise, and for clips of different lengths.
    """
    if real.ndim != 3 or real.shape[1:] != generated.shape[1:]:
        raise InputError(
            f"clips: features {list(real.shape)} and {list(generated.shape)}; "
            "give [N, T, D] and [M, T, D]"
        )
    columns = real.shape[1] * real.shape[2]
    if min(len(real), len(generated)) <= columns:
        raise InputError(
            f"clips: {len(real)} and {len(generated)} clips of {columns} numbers; give more clips "
            "than numbers, or fewer frames or features"
        )
    return frechet_distance(*(side.reshape(len(side), columns) for side in (real, generated)))


def fewer(real: np.ndarray, generated: np.ndarray, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Both sets [N, T, D] on the `dim` directions in which frames of the real one vary most."""
    if not 1 <= dim <= real.shape[2]:
        raise InputError(f"clips: {dim} of {real.shape[2]} features; give 1 to all of them")
    rows = real.reshape(-1, real.shape[2]).astype(np.float64)
    mean = rows.mean(0)
    _, vectors = np.linalg.eigh(np.cov((rows - mean).T).reshape(real.shape[2], -1))
    basis = vectors[:, ::-1][:, :dim]
    return (real - mean) @ basis, (generated - mean) @ basis


def shuffled(clips: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each clip [N, T, ...] with its frames in a random order: what knows nothing of time."""
    orders = rng.permuted(np.tile(np.arange(clips.shape[1]), (len(clips), 1)), axis=1)
    return clips[np.arange(len(clips))[:, None], orders]
