"""Perceptual distances of pairs: against torchmetrics' LPIPS without its weights, closed forms."""

import numpy as np
import pytest
import torch
from structures import rng
from torchmetrics.functional.image import lpips as theirs

from datagen.errors import InputError
from datagen.metrics.diversity import diversity, perceptual_distances

pytestmark = pytest.mark.usefixtures("one_thread")


def noise(count, index=0, size=64):
    return rng(index).integers(0, 256, (count, size, size, 3)).astype(np.uint8)


def plain(*colours, size=8):
    """A picture of each colour."""
    return np.stack([np.full((size, size, 3), colour, np.uint8) for colour in colours])


def colours(pictures):
    """A trunk whose only map is the picture."""
    return [pictures]


def test_it_is_lpips_with_all_its_weights_one():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        net = theirs._LPIPS(pretrained=False, net="squeeze", pnet_rand=True)
    for name, weight in net.named_parameters():
        if name.startswith("lin"):
            torch.nn.init.ones_(weight)
    a, b = noise(20), noise(20, index=1)  # more than a chunk
    x, y = (torch.tensor(side).permute(0, 3, 1, 2) / 255 for side in (a, b))
    with torch.inference_mode():
        expected = net(x, y, normalize=True).flatten() / 7  # a sum over seven maps

    def trunk(pictures):
        return net.net(net.scaling_layer(2 * pictures - 1))

    ours = perceptual_distances(a, b, trunk)
    # They add 1e-8 below the root, which weak answers of a random network feel.
    assert ours == pytest.approx(expected.numpy(), rel=1e-3)
    assert ours.min() > 1e-3


def test_colours_at_right_angles_are_two_apart_however_bright():
    red, dim_red, green, black = plain((200, 0, 0), (50, 0, 0), (0, 90, 0), (0, 0, 0))[:, None]
    assert perceptual_distances(red, green, colours) == pytest.approx([2])
    assert perceptual_distances(red, dim_red, colours) == pytest.approx([0], abs=1e-6)
    assert perceptual_distances(black, black, colours) == [0]
    assert perceptual_distances(red, black, colours) == pytest.approx([1])  # none answers: length 0


def test_each_map_counts_as_much_whatever_its_size():
    red, green = plain((200, 0, 0), (0, 200, 0))[:, None]

    def trunk(pictures):
        return [pictures, torch.ones(len(pictures), 5, 1, 1)]

    assert perceptual_distances(red, green, trunk) == pytest.approx([1])


def test_diversity_is_the_mean_distance_of_different_pictures():
    """Of k equal parts, two pictures of one layout differ in (k - 1) / k of many pairs."""
    two = np.repeat(plain((9, 0, 0), (0, 9, 0)), 20, axis=0)
    found = diversity([two] * 50, colours, rng())
    assert found.mean == pytest.approx(2 * 20 / 39, abs=4 * found.error)
    assert 0.01 < found.error < 0.05  # of 50 means of 40 pairs: 1 / sqrt(2000) = 0.022
    assert (found.layouts, found.pairs) == (50, 40)


def test_one_picture_again_and_again_has_none():
    same = np.repeat(noise(1, size=16), 10, axis=0)
    found = diversity(iter([same, same]), colours, rng())
    assert (found.mean, found.error) == (0, 0)


def test_layouts_are_never_mixed():
    """Layouts that differ from one another give no diversity."""
    red, green = (np.repeat(one[None], 5, axis=0) for one in plain((9, 0, 0), (0, 9, 0)))
    assert diversity([red, green], colours, rng()).mean == 0


def test_one_random_generator_gives_one_reading():
    layouts = [noise(6, index=k, size=16) for k in range(3)]
    assert diversity(layouts, colours, rng(1)) == diversity(layouts, colours, rng(1))
    assert diversity(layouts, colours, rng(1)) != diversity(layouts, colours, rng(2))


def test_too_little_is_refused():
    with pytest.raises(InputError, match="no layouts"):
        diversity([], colours, rng())
    with pytest.raises(InputError, match="at least 2 pictures"):
        diversity([noise(1)], colours, rng())
