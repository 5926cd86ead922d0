"""RELATE's networks: where poses put objects, what Gamma may see, what absent objects change."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from datagen.models.relate import (
    ABSENT,
    Generator,
    Latents,
    Sizes,
    compose,
    doublings,
    draw_latents,
    placed,
)
from datagen.models.relate_judge import (
    Discriminator,
    Spectral,
    deceiving_loss,
    judging_loss,
    position_loss,
)
from datagen.models.relate_poses import Interaction, Ordered, Scale
from datagen.rng import Stream, rng_for

PLAIN = Sizes(
    width=32, height=32, channels=16, window=4, background=3, appearance=2, constants=2,
    interaction="general", residual=True, pooling="sum", scale=False, spread=0.8,
)  # fmt: skip


def sizes(**changes) -> Sizes:
    return replace(PLAIN, **changes)


def generator(**changes) -> Generator:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Generator(sizes(**changes)).eval().requires_grad_(False)


def latents(net, count=4, objects=(2, 2), index=0) -> Latents:
    return draw_latents(net.sizes, rng_for(0, index, Stream.RELATE), count, objects)


def normal(*shape, index=0):
    return torch.from_numpy(rng_for(9, index, Stream.RELATE).standard_normal(shape, "float32"))


# ------------------------------------------------------------------------------------------ poses


def centre(map_: torch.Tensor) -> tuple[float, float]:
    """x, y of the mass of [h, w], in cells."""
    y, x = np.indices(map_.shape)
    mass = map_.numpy()
    return float((mass * x).sum() / mass.sum()), float((mass * y).sum() / mass.sum())


@pytest.mark.parametrize("theta", [(0.0, 0.0), (0.5, 0.0), (0.0, -0.375), (-0.31, 0.22)])
@pytest.mark.parametrize(("width", "height"), [(32, 32), (64, 32)])
def test_a_window_moves_to_its_pose(theta, width, height):
    """Content in the window's middle comes to (theta + 1) / 2 * S - 0.5, right and down."""
    shape = sizes(width=width, height=height)
    painted = torch.zeros(1, 1, 1, 4, 4)
    painted[..., 1:3, 1:3] = 1
    moved = placed(painted, torch.tensor([[theta]]), torch.ones(1, 1), shape)[0, 0, 0]
    h, w = shape.cells
    expected = [(t + 1) / 2 * side - 0.5 for t, side in zip(theta, (w, h), strict=True)]
    assert centre(moved) == pytest.approx(expected, abs=0.02)
    assert float(moved.sum()) == pytest.approx(4, abs=0.01)


def test_a_window_is_what_zero_padding_to_the_whole_scene_would_be():
    shape, window = sizes(), normal(1, 1, 3, 4, 4)
    still = placed(window, torch.zeros(1, 1, 2), torch.ones(1, 1), shape)[0, 0]
    expected = torch.nn.functional.pad(window[0, 0], (2, 2, 2, 2))
    torch.testing.assert_close(still, expected, atol=1e-5, rtol=0)


def test_a_longer_reach_makes_a_window_larger_about_its_pose():
    shape = sizes(width=64, height=64)
    painted = torch.ones(1, 2, 1, 4, 4)
    theta = torch.tensor([[[0.25, -0.25], [0.25, -0.25]]])
    usual, twice = placed(painted, theta, torch.tensor([[1.0, 2.0]]), shape)[0, :, 0]
    assert float(twice.sum() / usual.sum()) == pytest.approx(4, rel=0.05)
    assert centre(twice) == pytest.approx(centre(usual), abs=0.05)


@pytest.mark.parametrize(
    ("side", "times"), [(16, 2), (32, 2), (64, 2), (96, 2), (128, 3), (256, 4)]
)
def test_scenes_of_large_pictures_have_16_cells_or_more(side, times):
    assert doublings(side, side) == doublings(2 * side, side) == times


# ------------------------------------------------------------------------------------------ Gamma


def asked(gamma, spots, z, background, present=None):
    present = torch.ones(spots.shape[:2], dtype=torch.bool) if present is None else present
    with torch.no_grad():
        return gamma(spots, z, background, present)


def test_gamma_does_not_mind_the_order_of_objects():
    gamma, order = Interaction(3, 2, True), [2, 0, 3, 1]
    spots, z, background = normal(5, 4, 2), normal(5, 4, 2, index=1), normal(5, 3, index=2)
    found = asked(gamma, spots, z, background)
    again = asked(gamma, spots[:, order], z[:, order], background)
    torch.testing.assert_close(found[:, order], again)


def test_each_object_feels_the_others_its_own_appearance_and_the_background():
    gamma = Interaction(3, 2, True)
    with torch.no_grad():
        gamma.node[-1].weight *= 50  # as after training
    spots, z, background = normal(1, 3, 2), normal(1, 3, 2, index=1), normal(1, 3, index=2)
    before = asked(gamma, spots, z, background)[0, 0]
    for changed in (
        (spots + torch.tensor([[[0, 0], [0, 0], [0.7, 0]]]), z, background),
        (spots, z + torch.tensor([[[0, 0], [0, 0.7], [0, 0]]]), background),
        (spots, z + torch.tensor([[[0.7, 0], [0, 0], [0, 0]]]), background),
        (spots, z, background + 0.7),
    ):
        assert (asked(gamma, *changed)[0, 0] - before).abs().max() > 1e-4


def test_a_correction_is_at_most_half_a_unit_and_small_at_the_start():
    gamma = Interaction(3, 0, True)
    spots, z, background = normal(64, 2, 2), normal(64, 2, 0), normal(64, 3, index=1)
    assert (asked(gamma, spots, z, background) - spots).abs().max() < 0.1
    with torch.no_grad():
        gamma.node[-1].weight *= 1e4
    far = (asked(gamma, spots, z, background) - spots).abs()
    assert 0.499 < far.max() <= 0.5 + 1e-6


def test_without_the_residual_poses_are_the_correction_alone():
    gamma = Interaction(3, 0, False)
    spots, z, background = normal(64, 2, 2), normal(64, 2, 0), normal(64, 3, index=1)
    assert asked(gamma, spots, z, background).abs().max() < 0.2  # so small at the start
    assert spots.abs().max() > 1


def test_objects_that_are_absent_move_none():
    net = generator()
    full = latents(net, 6, (3, 3))
    some = Latents(full.background, full.appearance, full.spots, full.present.clone())
    some.present[:, 1] = False
    two = Latents(
        full.background, full.appearance[:, [0, 2]], full.spots[:, [0, 2]], full.present[:, [0, 2]]
    )
    torch.testing.assert_close(net.theta(some)[:, [0, 2]], net.theta(two))
    assert (net.theta(some)[:, 1] == ABSENT).all()


@pytest.mark.parametrize("pooling", ["sum", "max"])
@pytest.mark.parametrize("scale", [True, False])
def test_a_picture_without_an_object_is_as_if_it_had_never_been(pooling, scale):
    net = generator(pooling=pooling, scale=scale, window=8)
    full = latents(net, 3, (3, 3))
    gone = Latents(full.background, full.appearance, full.spots, full.present.clone())
    gone.present[:, 2] = False
    two = Latents(full.background, full.appearance[:, :2], full.spots[:, :2], full.present[:, :2])
    torch.testing.assert_close(net(gone), net(two))
    assert (net(full) - net(two)).abs().max() > 1e-3


def test_a_stack_grows_upwards_from_its_base():
    gamma = Ordered(3, 2, True)
    theta = asked(gamma, normal(8, 5, 2), normal(8, 5, 2, index=1), normal(8, 3, index=2))
    steps = theta.diff(dim=1)
    assert (steps[..., 0].abs() <= 0.2).all()
    assert ((steps[..., 1] <= -0.1) & (steps[..., 1] >= -0.4)).all()  # y points down


def test_of_a_stack_only_the_last_objects_are_absent():
    drawn = latents(generator(interaction="ordered"), 200, (1, 4))
    there = drawn.present.int()
    assert (there.diff(dim=1) <= 0).all()
    free = latents(generator(), 200, (1, 4)).present
    assert set(free.sum(1).tolist()) == {1, 2, 3, 4}
    assert (~free[:, 0]).any()


def test_windows_keep_a_size_that_can_be_seen():
    module = Scale(3, 0)
    with torch.no_grad():
        module.net[-1].bias -= 100
    reach = module(normal(4, 2, 2), normal(4, 2, 0), normal(4, 3))
    torch.testing.assert_close(reach, torch.full((4, 2), 0.1))


# ------------------------------------------------------------------------------------- composition


def test_sum_and_maximum_compose_scenes():
    background, objects = normal(2, 3, 4, 4), normal(2, 2, 3, 4, 4, index=1)
    torch.testing.assert_close(
        compose(background, objects, "sum"), background + objects[:, 0] + objects[:, 1]
    )
    highest = torch.maximum(torch.maximum(background, objects[:, 0]), objects[:, 1])
    torch.testing.assert_close(compose(background, objects, "max"), highest.clamp(min=0))


@pytest.mark.parametrize("size", [(32, 32), (64, 48), (128, 128)])
@pytest.mark.parametrize("interaction", ["general", "ordered", "none"])
def test_networks_fit_pictures_and_more_objects_than_were_learned(size, interaction):
    net = generator(width=size[0], height=size[1], interaction=interaction)
    made = net(latents(net, 2, (5, 5)))
    assert made.shape == (2, 3, size[1], size[0])
    assert made.abs().max() <= 0.5
    said = Discriminator(*size, 8, style=True, looks=3)(made)
    assert said.real.shape == (2,)
    assert said.position.shape == (2, 3, 2)
    assert said.style.shape[1] >= 2
    assert Discriminator(*size, 8, style=False, looks=1)(made).style.shape == (2, 0)


def test_objects_beyond_the_learned_ones_are_copies_of_them():
    net = generator(appearance=0)
    windows = net._windows(latents(net, 1, (4, 4)))[0]
    torch.testing.assert_close(windows[2:], windows[:2])
    assert (windows[0] - windows[1]).abs().max() > 0.1


def test_without_gamma_poses_are_the_noise():
    net = generator(interaction="none")
    drawn = latents(net)
    assert torch.equal(net.theta(drawn), drawn.spots)


# ------------------------------------------------------------------------------------------ losses


def test_a_normed_layer_has_the_largest_singular_value_1():
    layer = torch.nn.Linear(20, 12, bias=False)
    with torch.no_grad():
        layer.weight *= 3
    normed = Spectral(layer)
    for _ in range(200):
        normed.tighten()
    found = torch.linalg.matrix_norm(normed(torch.eye(20)), 2)
    assert float(found.detach()) == pytest.approx(1, abs=1e-3)
    assert float(torch.linalg.matrix_norm(layer.weight, 2).detach()) > 1.5


def test_several_passes_of_one_step_can_be_differentiated():
    judge = Discriminator(32, 32, 8, style=False, looks=1)
    loss = judge(normal(2, 3, 32, 32)).real.sum()
    judge.tighten()
    (loss + judge(normal(2, 3, 32, 32, index=1)).real.sum()).backward()
    assert all(p.grad is not None for p in judge.logit.parameters())


def test_losses_are_those_of_the_paper():
    real, fake = normal(6), normal(5, index=1)
    cross = torch.nn.functional.binary_cross_entropy_with_logits
    expected = cross(real, torch.ones(6)) + cross(fake, torch.zeros(5))
    torch.testing.assert_close(judging_loss(real, fake), expected)
    torch.testing.assert_close(deceiving_loss(fake), cross(fake, torch.ones(5)))
    styles = normal(6, 3)
    each = sum(judging_loss(styles[:, k], -styles[:, k]) for k in range(3))
    torch.testing.assert_close(judging_loss(styles, -styles), each)


def test_no_gradient_goes_back_through_a_pose_that_is_a_target():
    poses = normal(4, 2).requires_grad_(True)
    said = normal(4, 2, index=1).requires_grad_(True)
    position_loss(said, poses).backward()
    assert poses.grad is None
    torch.testing.assert_close(said.grad, (said - poses).detach() / 4)
