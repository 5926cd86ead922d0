"""SemGAN's networks, codes and losses, against the same by hand."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from datagen.models.semgan import (
    Classes,
    Discriminator,
    Generator,
    Palette,
    Smooth,
    adversarial_loss,
    discriminator_loss,
    gradient_penalty,
    halvings,
    matching_loss,
)
from datagen.rng import Stream, rng_for

COLOURS = [(0, 0, 0), (0, 0, 255), (0, 255, 0), (255, 0, 0)]


def normal(*shape, index=0):
    return torch.from_numpy(rng_for(0, index, Stream.LAYOUTS).standard_normal(shape, "float32"))


def class_maps(*shape, classes=4):
    return torch.from_numpy(rng_for(1, 0, Stream.LAYOUTS).integers(classes, size=shape))


# --------------------------------------------------------------------------------------- networks


@pytest.mark.parametrize(
    ("size", "times"),
    [((64, 64), 4), ((128, 128), 5), ((128, 96), 5), ((96, 128), 5), ((48, 16), 2), ((4, 4), 0)],
)
def test_a_canvas_is_halved_until_its_shorter_side_is_small(size, times):
    assert halvings(size) == times


@pytest.mark.parametrize("size", [(64, 64), (128, 128), (128, 96), (112, 80), (16, 48)])
@pytest.mark.parametrize("kernel", [4, 5])
def test_networks_fit_any_canvas(size, kernel):
    width, height = size
    made = Generator(size, 5, 4, kernel, 7)(normal(2, 7))
    assert made.shape == (2, 5, height, width)
    logits, features = Discriminator(size, 5, 4, kernel)(made)
    assert logits.shape == (2,)
    assert features.shape[2:] == (height >> halvings(size), width >> halvings(size))


def test_a_discriminator_counts_things_in_the_whole_map():
    """What one thing adds to its logit depends on whether there is another one far away."""
    torch.manual_seed(0)
    judge = Discriminator((64, 64), 2, 16, 4)
    maps = torch.zeros(
        4, 2, 64, 64
    )  # nothing, a square in one corner, in the opposite one, in both
    maps[:, 0] = 1
    for k, place in ((1, slice(0, 8)), (2, slice(56, 64)), (3, slice(0, 8)), (3, slice(56, 64))):
        maps[k, 0, place, place], maps[k, 1, place, place] = 0, 1
    with torch.no_grad():
        none, first, last, both = judge(maps)[0].double()
        added = judge.sum(judge(maps)[1].flatten(1))[:, 0].double()
    assert abs(both - first - last + none) > 1e-3
    # By the linear part alone it would not.
    assert added[3] == pytest.approx((added[1] + added[2] - added[0]).item(), abs=1e-5)


def test_rows_that_alternate_are_smoothed_away():
    """Those that a transposed convolution paints with other weights."""
    smooth = next(m for m in Generator((16, 16), 4, 4, 4, 8).body if isinstance(m, Smooth))
    alternating = torch.tensor([1.0, -1.0]).repeat(4)[:, None].expand(2, 3, 8, 8)
    flat = smooth(alternating)
    assert flat.shape == alternating.shape
    assert flat[:, :, 1:-1].abs().max() == 0
    assert flat[:, :, 0].unique().tolist() == [0.5]  # the border goes on outside
    constant = torch.full((1, 3, 8, 8), 0.7)
    torch.testing.assert_close(smooth(constant), constant)


def test_all_that_is_enlarged_is_smoothed():
    layers = list(Generator((64, 48), 4, 4, 3, 8).body)
    enlarged = [k for k, m in enumerate(layers) if isinstance(m, torch.nn.ConvTranspose2d)]
    assert len(enlarged) == halvings((64, 48))
    assert all(isinstance(layers[k + 1], Smooth) for k in enlarged)


def test_both_arms_have_the_same_body():
    """Only the last layer of one and the first of the other know the number of channels."""
    ours, theirs = (Generator((64, 64), c, 16, 4, 100) for c in (4, 3))
    different = [
        name
        for name, tensor in ours.state_dict().items()
        if tensor.shape != theirs.state_dict()[name].shape
    ]
    assert different == ["body.18.weight", "body.18.bias"]
    judges = [Discriminator((64, 64), c, 16, 4) for c in (4, 3)]
    shapes = [[tuple(p.shape) for p in judge.parameters()] for judge in judges]
    assert shapes[0][1:] == shapes[1][1:]


def test_a_layout_does_not_depend_on_those_beside_it():
    generator = Generator((64, 64), 4, 4, 4, 8)
    generator(normal(16, 8, index=1))  # statistics other than those of a new network
    generator.eval()
    z = normal(6, 8)
    with torch.no_grad():
        together, alone = generator(z), torch.cat([generator(one[None]) for one in z])
    torch.testing.assert_close(together, alone)
    # In training it would: that is what `eval` is for.
    generator.train()
    with torch.no_grad():
        assert not torch.allclose(generator(z)[:2], generator(z[:2]), atol=1e-3)


# ------------------------------------------------------------------------------------------ codes


def noise(seed=0):
    return torch.Generator().manual_seed(seed)


def test_pixels_of_a_map_are_sure_of_its_classes():
    maps = class_maps(2, 3, 5)
    coded = Classes(4, sharpness=40.0).of(maps, noise())
    assert coded.shape == (2, 4, 3, 5)
    torch.testing.assert_close(coded.sum(1), torch.ones(2, 3, 5))
    for n, y, x in np.ndindex(2, 3, 5):
        assert float(coded[n, maps[n, y, x], y, x]) == pytest.approx(1)


def test_noise_lets_a_pixel_be_of_each_class_as_often_as_the_softmax_says():
    logits = torch.tensor([0.0, 1.0, -1.0, 2.0])
    made = Classes(4, 8.0).made(logits[None, :, None, None].expand(1, 4, 200, 200), noise())
    found = made.argmax(1).flatten().bincount() / 40_000
    torch.testing.assert_close(found, logits.softmax(0), atol=0.01, rtol=0)


def test_a_generator_can_make_exactly_what_a_label_map_is_told_as():
    code, maps = Classes(4, sharpness=6.0), class_maps(2, 3, 5)
    logits = 6 * torch.eye(4)[maps].permute(0, 3, 1, 2)
    torch.testing.assert_close(code.made(logits, noise(3)), code.of(maps, noise(3)))


def test_less_sharp_maps_are_told_with_more_stray_pixels():
    maps = torch.zeros(1, 100, 100, dtype=torch.int64)
    stray = [float((Classes(4, s).of(maps, noise()).argmax(1) > 0).sum()) for s in (2, 4, 8)]
    assert stray[0] > stray[1] > stray[2]
    assert stray[1] == pytest.approx(10_000 * 3 / (3 + math.exp(4)), rel=0.15)


def test_where_a_generator_is_not_sure_its_logits_have_a_slope():
    output = (3 * normal(2, 4, 3, 3)).requires_grad_(True)
    weight = normal(2, 4, 3, 3, index=1)
    (Classes(4, 8.0).made(output, noise()) * weight).sum().backward()
    assert output.grad is not None
    assert (output.grad.abs().sum(1) > 0).all()


def test_a_palette_gives_each_class_its_colour():
    maps = class_maps(2, 3, 5)
    coded = Palette(COLOURS).of(maps, noise()).numpy()
    for n, y, x in np.ndindex(2, 3, 5):
        assert ((coded[n, :, y, x] + 1) * 127.5).tolist() == list(COLOURS[maps[n, y, x]])


def test_a_flip_is_the_mean_squared_distance_of_two_classes():
    corners = [np.array(c) / 127.5 - 1 for c in COLOURS]
    pairs = [np.sum((a - b) ** 2) for k, a in enumerate(corners) for b in corners[:k]]
    assert Palette(COLOURS).flip == pytest.approx(np.mean(pairs))
    unit = np.eye(4)
    assert Classes(4, 8.0).flip == pytest.approx(np.sum((unit[0] - unit[1]) ** 2))


# ----------------------------------------------------------------------------------------- losses


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_losses_are_binary_cross_entropies_of_pairs():
    real, fake = [2.0, -1.0, 0.5], [-3.0, 0.0, 1.0]
    pairs = list(zip(real, fake, strict=True))
    judge = -np.mean([math.log(sigmoid(r - f)) for r, f in pairs])
    builder = -np.mean([math.log(sigmoid(f - r)) for r, f in pairs])
    told = torch.tensor(real), torch.tensor(fake)
    assert float(discriminator_loss(*told)) == pytest.approx(judge)
    assert float(adversarial_loss(*told)) == pytest.approx(builder)


def test_feature_matching_compares_the_means_of_two_batches():
    real, fake = normal(6, 3, 2, 2), normal(4, 3, 2, 2, index=1)  # of other sizes: no pairs
    expected = np.abs(real.numpy().mean(0) - fake.numpy().mean(0)).mean()
    assert float(matching_loss(real, fake)) == pytest.approx(expected, rel=1e-5)
    assert float(matching_loss(real, real[[3, 1, 5, 0, 2, 4]])) == pytest.approx(0, abs=1e-6)


def test_r1_of_a_linear_discriminator_is_its_squared_weight():
    weight = normal(4, 6, 6)
    maps = normal(5, 4, 6, 6, index=1).requires_grad_(True)
    logits = (maps * weight).sum((1, 2, 3)) + 3
    found = gradient_penalty(logits, maps, flip=2.0)
    assert float(found.detach()) == pytest.approx(float(weight.square().sum()), rel=1e-5)


def test_r1_is_the_same_however_classes_are_coded():
    """One judge of class maps, told of them as vectors and as longer vectors."""
    maps, weight = class_maps(3, 6, 6), normal(4, 6, 6)
    vectors = torch.eye(4)[maps].permute(0, 3, 1, 2)
    coded = vectors.clone().requires_grad_(True)
    longer = (10 * vectors).requires_grad_(True)
    plain = gradient_penalty((coded * weight).sum((1, 2, 3)), coded, 2.0)
    scaled = gradient_penalty((longer * weight / 10).sum((1, 2, 3)), longer, 200.0)
    torch.testing.assert_close(plain, scaled)


def test_r1_can_be_minimised():
    judge = nn.Conv2d(4, 1, 3)
    maps = normal(2, 4, 6, 6).requires_grad_(True)
    loss = gradient_penalty(judge(maps).sum((1, 2, 3)), maps, 2.0)
    (slope,) = torch.autograd.grad(loss, [judge.weight])
    assert slope.abs().max() > 0
