"""Lessons of GNM before a background: what is put where, how it looks, and what that teaches."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.distributions import Bernoulli, Normal

from datagen.models.gnm import Gnm, Noise, Objects, Sizes
from datagen.models.gnm_lessons import Lesson, taught
from datagen.models.gnm_losses import terms
from datagen.rng import Stream, rng_for

SIZES = Sizes(
    canvas=(48, 32), channels=3, cell=8, width=4, what=3, glimpse=8, drawing=2, latent=5,
    hidden=8, alpha=True, background=4, size=0.16, noise=0.2,
)  # fmt: skip
pytestmark = pytest.mark.usefixtures("one_thread")
SIDE = 5  # px, of the square that is as large as an object
PUT = (Lesson.BOXES, Lesson.SHAPES)


def model_of(sizes=SIZES):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Gnm(sizes).eval()


def noise_of(count=2):
    return Noise.of(SIZES, rng_for(2, 0, Stream.GNM), count)


def pictures_of(count=2):
    rng = rng_for(1, 7, Stream.GNM)
    return torch.from_numpy(rng.random((count, 3, 32, 48), "float32"))


def likely(model, x):
    """The likeness at the mode of what is read, and what is read."""
    with torch.no_grad():
        features = model.encode(x)
        read, behind = model.cells(features), model.behind_seen(features).mean
        return model.render(Objects((read.presence > 0).float(), read.law.mean, behind)), read


def shown(lesson, x, noise, model=None):
    with torch.no_grad():
        return taught(model or model_of(), lesson, x, noise, 1.0)


def blotted(*blots):
    """Pictures nearly as they are read, and wrong in squares of 5 px around (picture, x, y)."""
    model = model_of()
    x = likely(model, pictures_of())[0]
    for n, column, row, much in blots:
        x[n, :, row - 2 : row + 3, column - 2 : column + 3] += much
    return model, x


def test_a_background_is_taught_without_objects_whose_presence_then_has_no_law():
    model, x = model_of(), pictures_of()
    one = shown(Lesson.BACKGROUND, x, noise_of())
    read = one.seen.read
    other = read.posterior._replace(presence=read.posterior.presence + 1)
    changed = one._replace(seen=one.seen._replace(read=read._replace(posterior=other)))
    with torch.no_grad():
        found, again = (terms(model, x, way, 0.02, 0.3) for way in (one, changed))
        behind = model.backdrop(read.objects.background)
    assert one.put is None and not read.objects.presence.any()
    torch.testing.assert_close(one.seen.picture, behind)
    assert torch.equal(found.main, again.main) and torch.equal(found.few, again.few)
    absent = Bernoulli(logits=read.posterior.presence).log_prob(torch.tensor(0.0))
    assert float(found.missed) == pytest.approx(-40 * float(absent.sum() / 2), rel=1e-4)
    assert again.missed > found.missed


@pytest.mark.parametrize("lesson", PUT)
def test_an_object_is_put_where_a_picture_is_worst_to_the_pixel(lesson):
    places = [(0, 42, 5), (1, 9, 24)]
    model, x = blotted(*((*place, 2.0) for place in places))
    one = shown(lesson, x, noise_of(), model)
    columns = SIZES.grid[1]
    cells = [(row // 8) * columns + column // 8 for _, column, row in places]
    assert one.put.cell.nonzero().tolist() == [[n, cell] for n, cell in enumerate(cells)]
    objects = one.seen.read.objects
    assert objects.presence[one.put.cell].tolist() == pytest.approx([0.99] * 2)
    assert (objects.presence[~one.put.cell] < 0.99).any()
    centres = model.boxes(objects)[one.put.cell][:, :2]
    torch.testing.assert_close(centres, torch.tensor([[42.5, 5.5], [9.5, 24.5]]))
    torch.testing.assert_close(objects.values[one.put.cell][:, 2:4], one.put.shift)
    drawn = model.render(objects, covering=lesson is Lesson.BOXES)
    torch.testing.assert_close(one.seen.picture, drawn)


def test_by_luck_it_is_put_where_a_picture_is_more_than_half_as_bad():
    """Of two places the worse one more often; never where it is hardly wrong."""
    found = {0.7: [], 0.3: []}
    for much, chosen in found.items():
        model, x = blotted((0, 12, 12, 2.0), (0, 36, 20, 2.0 * much**0.5))
        for k in range(40):
            one = shown(Lesson.SHAPES, x, Noise.of(SIZES, rng_for(5, k, Stream.GNM), 2), model)
            chosen.append(int(one.put.cell[0].nonzero()))
    assert set(found[0.7]) == {7, 16} and found[0.7].count(7) > 20
    assert set(found[0.3]) == {7}


@pytest.mark.parametrize("lesson", PUT)
def test_looks_come_with_shapes_and_without_noise(lesson):
    one, look = shown(lesson, pictures_of(), noise_of()), SIZES.look
    read = one.seen.read
    means = read.posterior.law.mean[..., look]
    expected = torch.zeros_like(means) if lesson is Lesson.BOXES else means
    assert torch.equal(read.objects.values[..., look], expected)
    sampled = read.posterior.law.sample(noise_of().values)
    for numbers in (slice(0, 2), slice(SIZES.each - 1, None)):  # sides and depth have it
        assert torch.equal(read.objects.values[..., numbers], sampled[..., numbers])


@pytest.mark.parametrize("lesson", list(Lesson))
def test_the_law_of_looks_counts_unless_something_is_put_somewhere(lesson):
    model, x = model_of(), pictures_of()
    one = shown(lesson, x, noise_of(), model)
    read = one.seen.read
    std = read.posterior.law.std.clone()
    std[..., SIZES.look] *= 2
    other = read.posterior._replace(law=read.posterior.law._replace(std=std))
    changed = one._replace(seen=one.seen._replace(read=read._replace(posterior=other)))
    with torch.no_grad():
        found, again = (terms(model, x, way, 0.02, 0.3) for way in (one, changed))
    counts = lesson is Lesson.ALL  # of a background alone nothing is there
    assert bool(found.main != again.main) == bool(found.few != again.few) == counts
    assert bool(found.what != again.what) == (lesson is not Lesson.BACKGROUND)


@pytest.mark.parametrize("lesson", PUT)
def test_presence_and_place_are_taught_what_was_put(lesson):
    x = pictures_of()
    one = shown(lesson, x, noise_of())
    law, cell = one.seen.read.posterior, one.put.cell
    with torch.no_grad():
        found = float(terms(model_of(), x, one, 0.02, 0.3).missed)
    presence = -Bernoulli(logits=law.presence[cell]).log_prob(one.put.helps.float()).mean()
    mean, std = law.law.mean[cell][:, 2:4], law.law.std[cell][:, 2:4]
    assert (std > 0.1).all()
    place = -Normal(mean, std).log_prob(one.put.shift).sum(1).mean()
    assert found == pytest.approx(float(40 * presence + 4 * place), rel=1e-5)
    sharp = law.law._replace(std=torch.full_like(law.law.std, 0.01))  # a place is not worth more
    again = law._replace(law=sharp)
    changed = one.seen._replace(read=one.seen.read._replace(posterior=again))
    with torch.no_grad():
        found = float(terms(model_of(), x, one._replace(seen=changed), 0.02, 0.3).missed)
    place = -Normal(mean, 0.1).log_prob(one.put.shift).sum(1).mean()
    assert found == pytest.approx(float(40 * presence + 4 * place), rel=1e-5)


def test_the_last_lesson_is_the_model():
    model, x, noise = model_of(), pictures_of(), noise_of()
    one = shown(Lesson.ALL, x, noise)
    with torch.no_grad():
        plain = model(x, noise, 1.0)
        assert float(terms(model, x, one, 0.02, 0.3).missed) == 0
    assert one.put is None
    assert torch.equal(one.seen.picture, plain.picture)
    assert torch.equal(one.seen.read.objects.values, plain.read.objects.values)


def test_what_is_put_somewhere_helps_where_the_picture_is_better_with_it():
    model, x = model_of(), pictures_of(8)
    one = shown(Lesson.SHAPES, x, noise_of(8))
    before = likely(model, x)[0]
    ways = set()
    for n, cell in enumerate(one.put.cell.float().argmax(1).tolist()):
        home = np.array([cell % SIZES.grid[1], cell // SIZES.grid[1]]) * 8
        column, row = home + np.floor(4 + 8 * np.tanh(one.put.shift[n].numpy())).astype(int)
        errors = []
        for made in (before, one.seen.picture):
            error = F.pad((x[n] - made[n]).square().sum(0), [2, 2, 2, 2])
            errors.append(float(error[row : row + SIDE, column : column + SIDE].sum()))
        assert bool(one.put.helps[n]) == (errors[1] < errors[0])
        ways.add(bool(one.put.helps[n]))
    assert ways == {True, False}


def test_the_square_is_as_large_as_what_is_expected():
    """Large things are put into the middle of what is wrong, and not where a corner is worst."""
    model = model_of(replace(SIZES, size=0.28))  # 9 px
    x = likely(model, pictures_of())[0]
    x[:, :, 10:19, 20:29] += 2
    one = shown(Lesson.BOXES, x, noise_of(), model)
    centre = model.boxes(one.seen.read.objects)[one.put.cell][:, :2]
    torch.testing.assert_close(centre, torch.tensor([[24.5, 14.5]] * 2))
