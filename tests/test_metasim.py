"""The distribution transformer: graph convolutions, and what it does to angles and lengths."""

import math

import pytest
import torch

from datagen.models.metasim import (
    DistributionTransformer,
    Edges,
    GraphConvolution,
    moved_angle,
    moved_linear,
)

# 0 is the root of 1 and 2; 3 lies under 2.
TREE = Edges(torch.tensor([0, 0, 2]), torch.tensor([1, 2, 3]))


def doubles(*values):
    return torch.tensor(values, dtype=torch.float64)


def head(*rows):
    return torch.tensor(rows, dtype=torch.float64)


def depends(layer, source, on):
    """Does the output of node `on` change with the input of node `source`?"""
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
    moved = x.clone()
    moved[source] += 1
    return not torch.equal(layer(x, TREE)[on], layer(moved, TREE)[on])


def test_a_layer_hears_a_node_its_parent_and_its_children_and_nobody_else():
    layer = GraphConvolution(3, 5)
    heard = {(on, source) for on in range(4) for source in range(4) if depends(layer, source, on)}
    ways = {(0, 1), (1, 0), (0, 2), (2, 0), (2, 3), (3, 2)}
    assert heard == ways | {(k, k) for k in range(4)}


def layer_of(own, down, up, gate=0.0, bias=100.0):
    """One number of each node to one; a gate is open where gate * source + bias is well above 0."""
    layer = GraphConvolution(1, 1)
    with torch.no_grad():
        layer.maps.weight.copy_(torch.tensor([[own], [down], [up]]))
        layer.maps.bias.zero_()
        layer.gates.weight.fill_(gate)
        layer.gates.bias.fill_(bias)
    return layer


def test_messages_down_and_up_go_through_maps_of_their_own():
    layer = layer_of(0.0, 1.0, 0.0)
    x = torch.tensor([[1.0], [10.0], [100.0], [1000.0]])
    assert layer(x, TREE)[:, 0].tolist() == [0, 1, 1, 100]


def test_what_rises_is_the_mean_over_the_children():
    layer = layer_of(0.0, 0.0, 1.0)
    x = torch.tensor([[1.0], [10.0], [100.0], [1000.0]])
    assert layer(x, TREE)[:, 0].tolist() == [55, 0, 1000, 0]


def test_the_source_of_a_message_opens_its_gate():
    layer = layer_of(0.0, 1.0, 0.0, gate=-100.0, bias=0.0)  # shut for a source above 0
    x = torch.tensor([[1.0], [0.0], [-3.0], [0.0]])
    assert layer(x, TREE)[:, 0].tolist() == pytest.approx([0, 0, 0, -3])


def test_a_batch_of_graphs_is_computed_as_each_alone():
    torch.manual_seed(0)
    model = DistributionTransformer(3, 2, 1, 8)
    torch.nn.init.normal_(model.layers[-1].maps.weight)
    x = torch.randn(8, 3)
    both = Edges(torch.cat([TREE.parent, TREE.parent + 4]), torch.cat([TREE.child, TREE.child + 4]))
    alone = torch.cat([model(x[:4], TREE), model(x[4:], TREE)])
    assert torch.allclose(model(x, both), alone, atol=1e-6)


def test_the_untrained_transformer_gives_zeros_that_gradients_can_change():
    model = DistributionTransformer(3, 2, 1, 8)
    out = model(torch.randn(4, 3), TREE)
    assert out.shape == (4, 2, 4)
    assert not out.any()
    out.sum().backward()
    assert model.layers[-1].maps.weight.grad.abs().sum() > 0


def test_zero_corrections_give_the_value_back():
    value = doubles(0.5, 16, 31)
    low, high, zero = doubles(0, 0, 0), doubles(32, 32, 32), doubles(0, 0, 0)
    same = moved_linear(value, zero, torch.zeros(3, 4).double(), law(3), low, high)
    assert same.tolist() == pytest.approx(value.tolist(), abs=1e-12)
    angles = doubles(-3.1, 0.2, 3.1)
    turned = moved_angle(angles, zero, torch.zeros(3, 4).double(), law(3))
    assert turned.tolist() == pytest.approx(angles.tolist(), abs=1e-12)


@pytest.mark.parametrize("shift", [-40.0, -5.0, 5.0, 40.0])
def test_a_length_stays_within_its_range_and_keeps_its_order(shift):
    value = doubles(-3, 0, 1, 16, 31, 32, 50)
    zero, low, high = torch.zeros(7).double(), torch.zeros(7).double(), zero_to(32, 7)
    there = moved_linear(value, zero, head([shift, 0, 0, 0]).expand(7, 4), law(7), low, high)
    assert (there >= 0).all()
    assert (there <= 32).all()
    assert (there.diff() >= 0).all()


def law(count, shift=0.0, spread=0.0):
    return doubles(shift, spread).expand(count, 2)


def zero_to(high, count):
    return torch.full((count,), float(high), dtype=torch.float64)


def test_a_law_shifts_and_spreads_lengths_as_the_head_does():
    value, z = doubles(4, 20), doubles(0.3, -1)
    low, high = doubles(0, 0), doubles(32, 32)
    by_head = moved_linear(value, z, head([0.7, 0.2, 0, 0]).expand(2, 4), law(2), low, high)
    by_law = moved_linear(value, z, torch.zeros(2, 4).double(), law(2, 0.7, 0.2), low, high)
    assert torch.equal(by_head, by_law)


def test_a_law_of_lengths_is_narrowed_through_the_standardised_value():
    z = torch.linspace(-2, 2, 9).double()
    value = 16 + z  # a spread of 1 px of 32
    there = moved_linear(
        value, z, head([0, -4 / 32, 0, 0]).expand(9, 4), law(9), 0 * z, zero_to(32, 9)
    )
    assert float(there.std() / value.std()) < 0.05


def test_an_angle_has_no_seam():
    corrections = head([0.4, 0.1, 0.7, -0.3]).expand(2, 4)
    z = doubles(0.2, 0.2)
    left, right = moved_angle(doubles(math.pi - 1e-9, -math.pi + 1e-9), z, corrections, law(2))
    assert math.cos(left - right) == pytest.approx(1, abs=1e-12)


def test_every_law_of_angles_can_be_narrowed_to_every_direction():
    angles = torch.linspace(-math.pi, math.pi, 100).double()
    zero = 0 * angles
    for direction in (0.0, 2.0, math.pi):
        pull = head([0, 0, 50 * math.cos(direction), 50 * math.sin(direction)]).expand(100, 4)
        there = moved_angle(angles, zero, pull, law(100))
        assert float((there - direction).cos().min()) > math.cos(math.radians(1.2))


def test_a_law_turns_the_narrowed_law_as_a_whole():
    angles = torch.linspace(-1, 1, 5).double()
    pull = head([0, 0, 3, 0]).expand(5, 4)
    there = moved_angle(angles, 0 * angles, pull, law(5))
    turned = moved_angle(angles, 0 * angles, pull, law(5, 2.5))
    assert torch.allclose(turned - there, torch.full((5,), 2.5).double())
