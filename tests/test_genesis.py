"""GENESIS, the baseline of GNM that takes pictures apart by masks, against the same by hand."""

import importlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import ROOT
from torch.distributions import Normal, kl_divergence

from datagen.models.genesis import Genesis, Mixture, Read, distortion, responsibilities
from datagen.rng import Stream, rng_for
from datagen.settings.gnm import GnmLearning

TINY = Mixture(
    (32, 48), 1, noise=0.2, components=3, width=4, mask=5, look=3, hidden=8, painted=4, halved=1
)


def normal(*shape, index=0):
    return torch.from_numpy(rng_for(0, index, Stream.GNM).standard_normal(shape, "float32"))


def uniform(*shape, index=0):
    return torch.from_numpy(rng_for(1, index, Stream.GNM).random(shape, "float32"))


def model_of(sizes=TINY, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Genesis(sizes)


def pictures_of(sizes=TINY, count=2):
    width, height = sizes.canvas
    return uniform(count, sizes.channels, height, width, index=7)


@pytest.mark.parametrize(
    "changes",
    [{}, {"channels": 3}, {"halved": 0}, {"halved": 2, "canvas": (64, 16)}, {"components": 2}],
    ids=str,
)
def test_all_sizes_fit_and_every_parameter_learns(changes):
    sizes = replace(TINY, **changes)
    model, x = model_of(sizes), pictures_of(sizes)
    noise = normal(2, *model.noise)
    made = model(x, noise)
    assert made.picture.shape == model.generate(noise).shape == x.shape
    (made.distortion + 10 * made.kl).sum().backward()
    still = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert still == []


def test_masks_share_every_pixel():
    model, x = model_of(), pictures_of()
    with torch.no_grad():
        masks = model.read(x, 3 * normal(2, *model.noise)).log_masks.exp()
        sure = model.log_masks(50 * normal(2, 3, TINY.mask)).exp()
    assert masks.shape == (2, 3, 1, 48, 32)
    for one in (masks, sure):
        torch.testing.assert_close(one.sum(1), torch.ones(2, 1, 48, 32))


def test_a_mask_breaks_off_a_share_of_what_those_before_it_left():
    model, z = model_of(), normal(2, 3, TINY.mask)
    with torch.no_grad():
        masks = model.log_masks(z).exp()
        first, second = (torch.sigmoid(model.mask(z[:, k])) for k in range(2))
    parts = [first, (1 - first) * second, (1 - first) * (1 - second)]
    torch.testing.assert_close(masks, torch.stack(parts, 1))


@pytest.mark.parametrize("channels", [1, 3])
def test_the_likelihood_is_that_of_a_mixture_of_normal_laws_in_every_pixel(channels):
    x, means = uniform(2, channels, 4, 5), uniform(2, 3, channels, 4, 5, index=1)
    masks = torch.softmax(normal(2, 3, 1, 4, 5), 1)
    laws = Normal(means.double(), 0.2)
    density = laws.log_prob(x[:, None].double()).sum(2, keepdim=True).exp()
    expected = -(masks * density).sum(1).log().sum((1, 2, 3))
    constant = -channels * 4 * 5 * Normal(0.0, 0.2).log_prob(torch.tensor(0.0))
    read = Read(masks.log(), means, torch.zeros(2), torch.zeros(2))
    found = distortion(x, read, 0.2)
    torch.testing.assert_close(found.double() + constant, expected, rtol=1e-4, atol=1e-3)
    shares = masks * density / (masks * density).sum(1, keepdim=True)
    torch.testing.assert_close(
        responsibilities(x, read, 0.2).double(), shares, atol=1e-5, rtol=1e-4
    )


def test_the_divergence_is_that_of_every_latents_laws_given_those_before_it():
    model, x = model_of(), pictures_of()
    noise = normal(2, *model.noise)
    with torch.no_grad():
        read, features = model.read(x, noise), model.encoder(x)
        z, before, masks_kl = [], torch.zeros(2, TINY.mask), torch.zeros(2)
        told = free = None
        for k in range(TINY.components):
            q, told = model.posterior(torch.cat([features, before], 1), told)
            p, free = model.prior(before, free)
            masks_kl += kl_divergence(Normal(*q), Normal(*p)).sum(1)
            before = q.mean + q.std * noise[:, k, : TINY.mask]
            z.append(before)
        z = torch.stack(z, 1)
        looks = [Normal(*law) for law in (model.seen_law(x, read.log_masks), model.look_law(z))]
    torch.testing.assert_close(read.log_masks, model.log_masks(z))
    torch.testing.assert_close(read.masks_kl, masks_kl)
    torch.testing.assert_close(read.looks_kl, kl_divergence(*looks).sum((1, 2)))
    assert (read.masks_kl > 0).all() and (read.looks_kl > 0).all()


def test_a_component_is_looked_at_through_its_own_mask():
    model, x = model_of(), pictures_of()
    masks = torch.softmax(normal(2, 3, 1, 48, 32), 1)
    other = masks.clone()
    other[:, [0, 1]] = masks[:, [1, 0]]
    with torch.no_grad():
        one, swapped = (model.seen_law(x, m.log()).mean for m in (masks, other))
    torch.testing.assert_close(swapped, one[:, [1, 0, 2]])
    assert not torch.allclose(one[:, 0], one[:, 1])


def test_a_sample_is_made_of_its_noise_alone_and_a_likeness_of_its_picture_too():
    model = model_of()
    noise, anew = normal(2, *model.noise), normal(2, *model.noise, index=1)
    one, other = pictures_of(), 1 - pictures_of()
    with torch.no_grad():
        sample = model.generate(noise)
        assert not torch.equal(model(one, noise).kl, model(other, noise).kl)
        assert torch.equal(model.generate(noise), sample)
        torch.testing.assert_close(model.generate(noise[1:]), sample[1:])
        assert not torch.allclose(model.generate(anew), sample)


def test_later_masks_know_the_earlier_ones():
    """Other noise of the first latent changes the law of the second, in samples of the prior."""
    model, noise = model_of(), normal(1, 3, TINY.mask)
    changed = torch.cat([-noise[:, :1], noise[:, 1:]], 1)
    with torch.no_grad():
        (one, _), (other, _) = (model._drawn(None, n) for n in (noise, changed))
    assert not torch.allclose(one[:, 1], other[:, 1])


def test_the_defaults_are_of_the_papers_size():
    model = Genesis(Mixture((128, 128), 1, noise=0.2, components=5))
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(13.9e6, rel=0.02)


def test_bfloat16_is_near_full_precision():
    model, x = model_of(), pictures_of()
    noise = normal(2, *model.noise)
    with torch.no_grad():
        plain = model(x, noise)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = model(x, noise)
    assert rounded.picture.dtype == rounded.kl.dtype == torch.float32
    torch.testing.assert_close(rounded.picture, plain.picture, atol=0.05, rtol=0)
    torch.testing.assert_close(rounded.kl, plain.kl, atol=0, rtol=0.1)


# -------------------------------------------------------------------------- as a benchmark's arm


@pytest.fixture(scope="module")
def arms():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "tests" / "benchmarks")
        yield importlib.import_module("gnm_mnist4_arms")


def trainee_of(arms, name, steps=100):
    pictures = np.zeros((16, 32, 32, 3), np.uint8)
    for k in range(16):
        pictures[k, k : k + 8, 4:12] = pictures[k, 20:28, 2 * k % 24 :][:, :8] = 255
    return arms.BaselineTrainee(
        name, pictures, GnmLearning(steps=steps, batch=4, learning_rate=1e-2), 0
    )


@pytest.mark.parametrize("name", ["vae-10", "convdraw-10", "genesis-10"])
def test_a_baseline_learns_and_goes_on_as_if_it_had_not_been_cut_off(arms, name):
    whole, first, second = (trainee_of(arms, name) for _ in range(3))
    told = [whole.step(k) for k in range(30)]
    early, late = (sum(t["distortion"] for t in part) for part in (told[:5], told[-5:]))
    assert late < 0.8 * early
    assert [first.step(k) for k in range(3)] == told[:3]
    second.load({name: value.clone() for name, value in first.tensors().items()})
    assert [second.step(k) for k in range(3, 6)] == told[3:6]


def test_genesis_learns_fast_at_first_and_slowly_from_a_fifth_on(arms):
    trainee = trainee_of(arms, "genesis-10", steps=1000)
    rates = []
    for k in (150, 199, 200, 999):
        trainee.step(k)
        rates.append(trainee.optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([1e-2, 1e-2, 3e-3, 3e-3])


def test_the_divergence_weighs_from_the_first_step(arms):
    told = {}
    for name in ("genesis-0", "genesis-10"):
        trainee = trainee_of(arms, name)
        told[name] = [trainee.step(k)["kl"] for k in range(15)][-1]
    assert told["genesis-10"] < 0.7 * told["genesis-0"]
