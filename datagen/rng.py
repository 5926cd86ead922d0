"""The only place that makes randomness: a stream is a function of (seed, index, stream) alone."""

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What a stream is for; the numbers are frozen, because they decide every dataset's bytes."""

    SCENE = 0  # structure, then attributes, of image `index`
    RENDER = 1  # pixels of image `index`: textures and noise
    SPRITES = 2  # the built-in sprite packs
    LEARN = 3  # index = iteration of REINFORCE
    FEATURES = 4  # index = number of the prior sample
    EVALUATE = 5  # index = number of the sample that a distance is measured on
    BOOTSTRAP = 6  # index = replicate
    PICTURES = 7  # index = number of a picture that learning looks at
    STRINGS = 8  # index = number of a derivation of the prior that learning looks at
    MOMENTS = 9  # index 0: draws that the moments of a prior law are estimated from
    ATTRIBUTES = 10  # index = step of attribute learning: structures, targets, perturbations
    PRIOR_VALUES = 11  # index = number of a scene of attribute learning: its prior attributes
    REPAINT = 12  # index = the same number: pixels, equal for all versions of a scene
    SHUFFLE = 13  # index = epoch of a detector's training: the order of the pictures
    AUGMENT = 14  # index = number of a picture that a detector is shown: how it is changed
    TEACH = 15  # index = step of a detector's training: which anchors and proposals are judged
    LAYOUTS = 16  # index = step of layout learning: which label maps, latents
    APPEARANCE = 20  # index = step, or outer epoch, of learning an appearance: what is looked at
    CANDIDATE = 21  # index = number of a candidate's noise in such learning
    STYLE = 22  # index = number of a style: its code
    SEGMENTER = 23  # index = step of training the gate of an appearance
    RELATE = 24  # index = step of learning RELATE: which pictures, latents
    GNM = 25  # index = step of learning GNM: which pictures, the posterior's and the prior's noise
    MOTION = 26  # index = number of a clip: how what is in it begins to move
    RELATE_CLIPS = 27  # index = step of learning RELATE's motion: which clips, noise
    FINDER = 28  # index = step of learning to find RELATE's objects: latents


def rng_for(seed: int, index: int, stream: Stream, attempt: int = 0) -> np.random.Generator:
    """Generator for one purpose of one image, whatever process asks and in whatever order.

    `attempt`: from 1 on where what was made before has been rejected.
    """
    again = (attempt,) if attempt else ()
    entropy = np.random.SeedSequence(entropy=seed, spawn_key=(int(stream), index, *again))
    return np.random.Generator(np.random.PCG64(entropy))
