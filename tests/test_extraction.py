"""Features without a unit are put on a scale; the prior's own axes decide it."""

import numpy as np
from structures import rng

from datagen.learning.extraction import scaling


def test_components_have_the_targets_spread():
    prior = rng().normal(0, [1, 5, 0.2, 3], (400, 4))
    real = rng(1).normal(1, [2, 1, 0.1, 9], (300, 4))
    scale = scaling(prior, real, 3)
    assert scale(prior).shape == (400, 3)
    np.testing.assert_allclose(scale(real).std(0), 1, rtol=1e-4)


def test_what_only_tells_drawings_from_photos_gets_no_axis():
    # The first column never varies in the prior: no rule of the grammar can move it.
    prior = rng().normal(0, 1, (500, 3)) * [0, 1, 1]
    real = rng(1).normal(0, 1, (500, 3)) + np.array([50, 0, 0])
    scale = scaling(prior, real, 2)
    assert np.abs(scale.axes[0]).max() == 0


def test_columns_that_never_vary_do_no_harm():
    prior, real = np.ones((50, 4)), np.ones((50, 4))
    assert np.isfinite(scaling(prior, real, 2)(real)).all()
