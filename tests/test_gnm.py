"""GNM's networks, renderer and losses, against the same by hand or by other means."""

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.distributions import Bernoulli, Normal, kl_divergence

from datagen.models.draw import Draw, Gauss, gauss_kl
from datagen.models.glimpses import boxes_of, layers, placed
from datagen.models.gnm import Gnm, Noise, Objects, Sizes, likeliest
from datagen.models.gnm_baselines import ConvDraw, Vae
from datagen.models.gnm_lessons import Lesson, taught
from datagen.models.gnm_losses import Weights, bernoulli_kl, log_likelihood, terms
from datagen.rng import Stream, rng_for

PLAIN = Sizes(
    canvas=(32, 32), channels=1, cell=16, width=4, what=3, glimpse=8, drawing=2, latent=5,
    hidden=8, alpha=False, background=0, size=0.25, noise=0.2,
)  # fmt: skip
COVERED = replace(PLAIN, channels=3, alpha=True, background=4)


def normal(*shape, index=0):
    return torch.from_numpy(rng_for(0, index, Stream.GNM).standard_normal(shape, "float32"))


def uniform(*shape, index=0):
    return torch.from_numpy(rng_for(1, index, Stream.GNM).random(shape, "float32"))


def model_of(sizes=PLAIN, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Gnm(sizes).eval()


def noise_of(sizes=PLAIN, count=2, index=0):
    return Noise.of(sizes, rng_for(2, index, Stream.GNM), count)


def pictures_of(sizes=PLAIN, count=2):
    width, height = sizes.canvas
    return uniform(count, sizes.channels, height, width, index=7)


# --------------------------------------------------------------------------------------- renderer


def test_a_glimpse_in_a_box_of_its_size_is_copied():
    glimpse = uniform(1, 1, 2, 8, 8)
    boxes = torch.tensor([[[12.0, 20.0, 8.0, 8.0]]])
    made = placed(glimpse, boxes, (32, 40))
    expected = torch.zeros(1, 2, 32, 40)
    expected[..., 16:24, 8:16] = glimpse[:, 0]
    torch.testing.assert_close(made, expected)


def test_a_glimpse_is_warped_as_by_a_spatial_transformer():
    """Bilinear sampling on an affine grid, the paper's way, gives the same picture."""
    glimpse, size = uniform(3, 1, 2, 8, 8), (24, 32)
    centre = uniform(3, 1, 2, index=1) * torch.tensor([32.0, 24.0])
    boxes = torch.cat([centre, 6 + 12 * uniform(3, 1, 2, index=2)], -1)
    made = placed(glimpse, boxes, size)
    x, y, w, h = boxes[:, 0].unbind(-1)
    theta = torch.zeros(3, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = size[1] / w, size[0] / h
    theta[:, 0, 2] = (size[1] / 2 - x) / (w / 2)
    theta[:, 1, 2] = (size[0] / 2 - y) / (h / 2)
    grid = F.affine_grid(theta, [3, 2, *size], align_corners=False)
    sampled = F.grid_sample(glimpse[:, 0], grid, "bilinear", "zeros", align_corners=False)
    torch.testing.assert_close(made, sampled, atol=1e-4, rtol=1e-4)


def test_a_picture_is_the_sum_of_its_objects():
    glimpses, boxes = uniform(1, 5, 2, 8, 8), 4 + 20 * uniform(1, 5, 4, index=1)
    each = layers(glimpses[0], boxes[0], (0, 24), (0, 32))
    torch.testing.assert_close(placed(glimpses, boxes, (24, 32))[0], each.sum(0))


def test_an_object_beyond_the_canvas_is_drawn_whole_in_its_own_window():
    glimpse, box = uniform(1, 1, 8, 8), torch.tensor([[2.0, 4.0, 8.0, 8.0]])
    alone = layers(glimpse, box, (-4, 12), (-4, 12))
    torch.testing.assert_close(alone[0, :, 4:12, 2:10], glimpse[0])
    assert alone.sum() == pytest.approx(float(glimpse.sum()), rel=1e-5)


def test_boxes_stand_in_their_cells_and_cells_are_counted_row_by_row():
    where = torch.zeros(1, 6, 4)
    boxes = boxes_of(where, (2, 3), 16)[0]
    assert boxes[:, :2].tolist() == [[8, 8], [24, 8], [40, 8], [8, 24], [24, 24], [40, 24]]
    assert boxes[:, 2:].tolist() == [[16, 16]] * 6  # sigmoid(0) of the shorter side, 32 px


def test_a_box_keeps_its_area_when_it_is_stretched_and_moves_by_a_cell_at_most():
    where = torch.tensor([[[-1.1, math.log(4), 0.0, 0.0], [0.0, 0.0, 50.0, -50.0]]])
    stretched, moved = boxes_of(where, (1, 2), 16)[0]
    side = 16 / (1 + math.exp(1.1))
    # ratio = height over width, as (w, h) = (scale / sqrt(ratio), scale sqrt(ratio)).
    assert stretched[2:].tolist() == pytest.approx([side / 2, side * 2], rel=1e-5)
    assert moved[:2].tolist() == pytest.approx([24 + 16, 8 - 16])


def objects_of(sizes, *things, background=None):
    """Objects with `things` (x, y, what, depth) of their own, present; a scene of cells."""
    values = torch.zeros(1, sizes.cells, sizes.each)
    presence = torch.zeros(1, sizes.cells)
    for k, (shift, what, depth) in enumerate(things):
        values[0, k, 2:4] = torch.atanh(torch.tensor(shift) / sizes.cell)
        values[0, k, 4 : 4 + sizes.what] = what
        if sizes.alpha:
            values[0, k, -1] = depth
        presence[0, k] = 1
    return Objects(presence, values, background)


def test_what_is_absent_is_not_drawn():
    model = model_of()
    there = objects_of(PLAIN, ([4.0, 4.0], 1.0, 0), ([-4.0, 4.0], 1.0, 0))
    gone = there._replace(presence=torch.tensor([[1.0, 0, 0, 0]]))
    one = objects_of(PLAIN, ([4.0, 4.0], 1.0, 0))
    with torch.no_grad():
        torch.testing.assert_close(model.render(gone), model.render(one))
        assert model.render(there).sum() > 1.5 * model.render(one).sum()


def test_the_nearer_object_hides_the_other():
    """Both are drawn in one place; what is seen there has the colours of the nearer one."""
    model, behind = model_of(COVERED), torch.zeros(1, 4)
    here, there = [8.0, 8.0], [-8.0, 8.0]  # from the first two cells, to the middle

    def colours(*things):
        objects = objects_of(COVERED, *things, background=behind)
        made, boxes = model.render(objects), model.boxes(objects)
        cover = placed(model.glimpses(objects)[:, :, -1:], boxes, (32, 32)).clamp(max=1)
        seen = made - (1 - cover) * model.backdrop(behind)
        return (seen / cover)[..., 12:20, 12:20]

    with torch.no_grad():
        one, other = colours((here, 1.0, 0.0)), colours((here, -1.0, 0.0))
        assert (one - other).abs().max() > 0.1
        first = colours((here, 1.0, -9.0), (there, -1.0, 9.0))
        second = colours((here, 1.0, 9.0), (there, -1.0, -9.0))
    torch.testing.assert_close(first, one, atol=2e-3, rtol=0)
    torch.testing.assert_close(second, other, atol=2e-3, rtol=0)


def test_the_background_shows_where_nothing_is():
    model = model_of(COVERED)
    values = normal(1, 4)
    with torch.no_grad():
        made = model.render(objects_of(COVERED, background=values))
        torch.testing.assert_close(made, model.backdrop(values))
        covered = model.render(objects_of(COVERED, ([0.0, 0.0], 1.0, 0), background=values), True)
        share = (covered - made).abs().amax(1)[0]
    assert (share[2:14, 2:14] > 0).all() and (share[18:] == 0).all()


def test_covering_objects_fill_nine_tenths_of_their_boxes():
    model = model_of(COVERED)
    with torch.no_grad():
        shown = model.glimpses(objects_of(COVERED, ([0.0, 0.0], 1.0, 0)), covering=True)
    assert shown[0, 0, -1].unique().tolist() == pytest.approx([0.9])
    assert shown[0, 1, -1].unique().tolist() == [0]


# --------------------------------------------------------------------------------------- networks


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"canvas": (48, 32), "cell": 8},
        {"canvas": (64, 128), "cell": 64, "glimpse": 32},
        {"channels": 3},
        {"alpha": True},
        {"alpha": True, "background": 3, "channels": 3},
    ],
    ids=str,
)
def test_all_sizes_fit_and_every_parameter_learns(changes):
    sizes = replace(PLAIN, **changes)
    model, x = model_of(sizes), pictures_of(sizes)
    shown = taught(model, Lesson.ALL, x, noise_of(sizes), 1.0)
    assert shown.seen.picture.shape == x.shape
    assert shown.seen.read.posterior.presence.shape == (2, sizes.cells)
    loss = terms(model, x, shown, 0.1, 0.1).total(Weights(1.0), sizes.noise)
    loss.backward()
    still = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert still == []


def test_a_picture_is_read_without_those_beside_it():
    model, x = model_of(COVERED), pictures_of(COVERED, 3)
    noise = noise_of(COVERED, 3)
    with torch.no_grad():
        together = model(x, noise, 1.0).picture
        alone = [model(x[k : k + 1], Noise(*(n[k : k + 1] for n in noise)), 1.0) for k in range(3)]
    torch.testing.assert_close(together, torch.cat([one.picture for one in alone]))


@pytest.mark.parametrize("seen", [True, False])
def test_steps_of_drawing_add_up_and_have_laws(seen):
    draw = Draw(6, (2, 3), 4, 5, 8)
    features = normal(2, 6, 2, 3) if seen else None
    drawn = draw(features, normal(2, 4, 5))
    assert drawn.features.shape == (2, 6, 2, 3)
    assert drawn.z.shape == drawn.prior.mean.shape == (2, 4, 5)
    assert (drawn.posterior is not None) == seen
    law = drawn.posterior or drawn.prior
    torch.testing.assert_close(drawn.z, law.mean + law.std * normal(2, 4, 5))
    assert (drawn.prior.std > 0).all()


def test_the_priors_later_steps_depend_on_what_was_drawn_and_the_first_does_not():
    draw = Draw(6, (2, 2), 3, 5, 8)
    one, other = (draw(None, normal(1, 3, 5, index=k)).prior.mean[0] for k in (1, 2))
    assert torch.equal(one[0], other[0])
    assert not torch.allclose(one[1], other[1])


def test_convdraw_draws_a_latent_for_each_cell():
    draw = Draw(6, (2, 3), 4, 5, 8, "picture")
    assert draw.latent == (5, 2, 3)
    drawn = draw(normal(2, 6, 2, 3), normal(2, 4, 5, 2, 3))
    assert drawn.posterior is not None
    assert drawn.posterior.mean.shape == drawn.prior.std.shape == (2, 4, 5, 2, 3)
    assert drawn.features.shape == (2, 6, 2, 3)


def test_a_sample_is_the_mode_of_its_layout_before_a_background_that_is_sampled():
    model = model_of(COVERED)
    drawn = noise_of(COVERED)
    others = noise_of(COVERED, index=1)
    again = drawn._replace(values=others.values, presence=others.presence)
    with torch.no_grad():
        one, same = model.generate(drawn), model.generate(again)
        assert torch.equal(one.values, same.values)
        assert torch.equal(one.presence, same.presence)
        assert set(one.presence.unique().tolist()) <= {0.0, 1.0}
        styled = model.generate(drawn, style=1.0)
        apart = (styled.values != one.values).flatten(0, 1).any(0).tolist()
        behind = model.generate(drawn._replace(background=others.background))
    assert apart == [False] * 4 + [True] * COVERED.what + [False]
    assert not torch.equal(model.generate(others).values, one.values)
    assert torch.equal(behind.values, one.values) and torch.equal(same.background, one.background)
    assert not torch.allclose(behind.background, one.background)


def test_what_is_most_likely_of_all_presences_of_the_expected_number():
    logits = 2 * normal(20, 5)
    every = torch.tensor(list(product([0.0, 1.0], repeat=5)))
    for row, found in zip(logits, likeliest(logits), strict=True):
        chances = Bernoulli(logits=row)
        count = chances.mean.sum().round()
        there = every[every.sum(1) == count]
        best = there[chances.log_prob(there).sum(1).argmax()]
        assert torch.equal(found, best)


def test_an_object_that_may_be_in_either_of_three_cells_is_in_one_of_them():
    thirds = math.log(1 / 2)
    one = torch.tensor([[thirds, 8.0, thirds, -8.0, thirds], [-8.0, -8.0, -8.0, -8.0, -8.0]])
    assert likeliest(one).tolist() == [[1, 1, 0, 0, 0], [0, 0, 0, 0, 0]]


def test_bfloat16_is_for_training_alone():
    model, x = model_of(), pictures_of()
    with torch.no_grad():
        plain = model.encode(x)
        model.lean = True
        rounded = model.encode(x)
    assert rounded.dtype == plain.dtype == torch.float32
    assert 0 < (rounded - plain).abs().max() < 0.2
    assert not Gnm(PLAIN).lean


def test_noise_is_standard():
    noise = Noise.of(PLAIN, rng_for(0, 0, Stream.GNM), 4000)
    for part in (noise.drawing, noise.values):
        assert float(part.mean()) == pytest.approx(0, abs=0.02)
        assert float(part.std()) == pytest.approx(1, abs=0.02)
    assert float((noise.presence > math.log(3)).float().mean()) == pytest.approx(0.25, abs=0.02)


# ----------------------------------------------------------------------------------------- losses


def test_divergences_are_those_of_the_laws():
    q, p = (Gauss(normal(9, index=k), 0.5 + uniform(9, index=k)) for k in (1, 2))
    expected = kl_divergence(Normal(*q), Normal(*p))
    torch.testing.assert_close(gauss_kl(q, p), expected)
    torch.testing.assert_close(q.log_prob(p.mean), Normal(*q).log_prob(p.mean))
    a, b = 3 * normal(9, index=3), 3 * normal(9, index=4)
    expected = kl_divergence(Bernoulli(logits=a), Bernoulli(logits=b))
    torch.testing.assert_close(bernoulli_kl(a, b), expected)


@pytest.fixture(scope="module")
def told():
    """A model, pictures, what it sees in them, and the terms."""
    model, x = model_of(COVERED), pictures_of(COVERED)
    with torch.no_grad():
        shown = taught(model, Lesson.ALL, x, noise_of(COVERED), 0.7)
        return model, x, shown.seen, terms(model, x, shown, rare=0.02, spread=0.3)


def test_the_terms_are_those_of_the_supplement(told):
    _, x, (read, picture), found = told
    there = read.objects.presence
    q, p = read.posterior, read.prior

    def law(g):
        return Normal(g.mean, g.std)

    assert float(found.error) == pytest.approx(float(((x - picture) ** 2).sum() / 2), rel=1e-5)
    layout = kl_divergence(law(read.drawn.posterior), law(read.drawn.prior)).sum() / 2
    assert float(found.layout) == pytest.approx(float(layout), rel=1e-5)
    main = kl_divergence(Bernoulli(logits=q.presence), Bernoulli(logits=p.presence)).sum()
    main += (there[..., None] * kl_divergence(law(q.law), law(p.law))).sum()
    main += kl_divergence(law(read.background[0]), law(read.background[1])).sum()
    assert float(found.main) == pytest.approx(float(main / 2), rel=1e-4)
    mean, std = torch.zeros(COVERED.each), torch.ones(COVERED.each)
    mean[0], std[0], std[1] = math.log(0.25 / 0.75), 0.3, 0.3
    few = kl_divergence(Bernoulli(logits=q.presence), Bernoulli(torch.tensor(0.02))).sum()
    few += (there[..., None] * kl_divergence(law(q.law), Normal(mean, std))).sum()
    assert float(found.few) == pytest.approx(float(few / 2), rel=1e-4)
    backdrop = kl_divergence(law(read.background[0]), Normal(0.0, 1.0)).sum() / 2
    assert float(found.backdrop) == pytest.approx(float(backdrop), rel=1e-4)


def test_each_weight_weighs_its_term(told):
    found = told[3]
    plain = float(found.total(Weights(0, 0, 0), 0.5))
    assert plain == pytest.approx(float(found.error / 0.5 + found.few), rel=1e-5)
    assert float(found.total(Weights(2, 3, 4), 0.5)) == pytest.approx(
        plain + 2 * float(found.layout) + 3 * float(found.main) + 4 * float(found.backdrop),
        rel=1e-5,
    )


def test_a_likelihood_is_the_mean_of_its_particles_weights():
    """p(x, z) / q(z | x) of each, with the laws of torch.distributions."""
    model, x = model_of(COVERED), pictures_of(COVERED)
    noises = [noise_of(COVERED, index=k) for k in range(3)]
    with torch.no_grad():
        found = log_likelihood(model, x, noises)
        weights = torch.stack([weight_of(model, x, noise) for noise in noises])
    most = weights.amax(0)  # the least that keeps their exponentials above 0
    expected = most + (weights - most).exp().mean(0).log()
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-2)


def weight_of(model, x, noise):
    features = model.encode(x).double()
    found = model.cells(features.float())
    drawn = model.draw(features.float(), noise.drawing)
    expected = model.cells(drawn.features)
    there = (torch.sigmoid(found.presence) > torch.sigmoid(-noise.presence)).float()
    values = found.law.mean + found.law.std * noise.values
    z_b = model.behind_seen(features.float()).sample(noise.background)
    made = model.render(Objects(there, values, z_b))
    parts = [
        Normal(*drawn.prior).log_prob(drawn.z) - Normal(*drawn.posterior).log_prob(drawn.z),
        Bernoulli(logits=expected.presence).log_prob(there)
        - Bernoulli(logits=found.presence).log_prob(there),
        there[..., None] * (Normal(*expected.law).log_prob(values)
                            - Normal(*found.law).log_prob(values)),
        Normal(*model.behind_law(drawn)).log_prob(z_b)
        - Normal(*model.behind_seen(features.float())).log_prob(z_b),
        Normal(made, COVERED.noise).log_prob(x),
    ]  # fmt: skip
    return sum(part.double().flatten(1).sum(1) for part in parts)


def test_more_particles_tell_no_less():
    model, x = model_of(), pictures_of()
    noises = [noise_of(index=k) for k in range(24)]
    with torch.no_grad():
        few = np.mean([log_likelihood(model, x, [n]).numpy() for n in noises], 0)
        many = log_likelihood(model, x, noises).numpy()
    assert (many > few).all()


# -------------------------------------------------------------------------------------- baselines


@pytest.mark.parametrize("kind", [Vae, ConvDraw])
def test_a_baseline_makes_pictures_again_and_anew(kind):
    sizes = replace(PLAIN, canvas=(48, 32), channels=3)
    model, x = kind(sizes).eval(), pictures_of(sizes)
    noise = normal(2, *model.noise)
    made = model(x, noise)
    assert made.picture.shape == model.generate(noise).shape == x.shape
    assert made.kl.shape == (2,) and (made.kl > 0).all()
    (made.picture.sum() + made.kl.sum()).backward()
    still = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert still == []


@pytest.mark.parametrize("kind", [Vae, ConvDraw])
def test_a_baselines_samples_ask_for_no_picture_and_its_likenesses_do(kind):
    model, noise = kind(PLAIN).eval(), normal(2, *kind(PLAIN).noise)
    one, other = pictures_of(), 1 - pictures_of()
    with torch.no_grad():
        assert torch.equal(model.generate(noise), model.generate(noise))
        assert not torch.equal(model(one, noise).picture, model(other, noise).picture)
        assert not torch.equal(model(one, noise).kl, model(other, noise).kl)


def test_the_vaes_information_is_that_of_its_code():
    model, x = Vae(PLAIN).eval(), pictures_of()
    with torch.no_grad():
        mean, spread = model.posterior(model.encoder(x)).chunk(2, 1)
        laws = kl_divergence(Normal(mean, F.softplus(spread) + 1e-3), Normal(0.0, 1.0))
        found = model(x, normal(2, *model.noise)).kl
    torch.testing.assert_close(found, laws.sum(1))


def test_a_vae_has_about_as_many_parameters_as_gnm():
    full = Sizes((64, 64), 1, 16, 16, 16, 16, 4, 32, 256, False, 0, 0.25, 0.2)
    ours, theirs = (sum(p.numel() for p in kind(full).parameters()) for kind in (Gnm, Vae))
    assert ours == pytest.approx(1.46e6, rel=0.01)  # the size that the recipe was measured at
    assert theirs == pytest.approx(ours, rel=0.15)
