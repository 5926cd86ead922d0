"""The counting network: shapes, losses by hand, and that a little training helps."""

import math

import numpy as np
import pytest
import torch
from resuming import readings_of
from structures import CARS_AND_TREES, rng

from datagen import recipe
from datagen.derivation import sample_prior
from datagen.errors import InputError
from datagen.features.counts import CHUNK, CountFeatures, Features, save_counts
from datagen.learning.album.counting import CountingTrainee, count_heads_of, counting_net
from datagen.learning.album.pages import PriorAlbum, album
from datagen.learning.counts import count_in_row, count_things, rows
from datagen.models import counting
from datagen.models.counting import STRIDE, CountingNet, count_loss, poisson_loss

pytestmark = pytest.mark.usefixtures("one_thread")

LEARN = """
[learn]
helpers = 0
[learn.features]
images = 1600
batch = 16
width = 4
learning_rate = 1e-2
"""


@pytest.fixture
def small(write_recipe):
    return recipe.load(write_recipe(CARS_AND_TREES, LEARN))


def pictures(count, height, width):
    return torch.from_numpy(rng().integers(0, 256, (count, height, width, 3), np.uint8))


# ---------------------------------------------------------------------------------------- network


@pytest.mark.parametrize(
    ("height", "width"), [(8, 8), (32, 32), (33, 31), (9, 70), (40, 24), (63, 65)]
)
@pytest.mark.parametrize(("categories", "classes"), [(1, (4,)), (3, (2, 3, 1, 5))])
def test_any_canvas_gives_a_map_and_posteriors(height, width, categories, classes):
    net = CountingNet(categories, classes, 4).eval()
    with torch.no_grad():
        density, logits, _ = net(pictures(2, height, width))
        assert density.shape == (
            2, categories, math.ceil(height / STRIDE), math.ceil(width / STRIDE),
        )  # fmt: skip
        assert (density > 0).all()
        assert logits.shape == (2, sum(classes))
        assert net.expected(logits).shape == net.most_likely(logits).shape == (2, len(classes))


def test_gradients_reach_every_parameter():
    net = CountingNet(2, (3, 3, 5), 4, ((3, "y"), (2, "x")))
    density, logits, (down, across) = net(pictures(4, 32, 24))
    assert down.shape == (4, 3, 2) and across.shape == (4, 2, 2)
    counts = torch.tensor([[1, 1, 2]] * 4)
    loss = sum(poisson_loss(x, torch.ones_like(x)) for x in (density, down, across))
    (loss + count_loss(logits, counts, (3, 3, 5))).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


@pytest.mark.parametrize(("height", "width"), [(8, 8), (16, 24), (13, 21)])
def test_blocks_are_pixel_unshuffle_with_another_order_of_channels(height, width):
    x = pictures(2, height, width)
    down, right = -height % STRIDE, -width % STRIDE
    padded = torch.nn.functional.pad(x.permute(0, 3, 1, 2).float(), (0, right, 0, down))
    theirs = torch.nn.PixelUnshuffle(4)(padded)  # [N, 3 * 16, h, w]: colour, row, column
    ours = counting._blocks(x).permute(0, 3, 1, 2).float()  # row, column, colour
    order = torch.arange(48).view(3, 16).T.reshape(-1)
    assert torch.equal(ours, theirs[:, order])


def test_what_is_read_off_the_posteriors():
    net = CountingNet(1, (3,), 4)
    logits = torch.log(torch.tensor([[0.2, 0.5, 0.3], [0.05, 0.05, 0.9]]))
    assert net.expected(logits)[:, 0].tolist() == pytest.approx([1.1, 1.85])
    assert net.most_likely(logits)[:, 0].tolist() == [1, 2]


def test_heads_do_not_read_each_others_logits():
    net = CountingNet(2, (2, 3, 4), 4)
    logits = torch.zeros(1, 9)
    logits[0, [1, 4, 5]] = 50.0
    assert net.most_likely(logits).tolist() == [[1, 2, 0]]
    assert net.expected(logits)[0].tolist() == pytest.approx([1, 2, 0])


# ----------------------------------------------------------------------------------------- losses


def test_poisson_loss_by_hand():
    density = torch.tensor([[[[0.5, 2.0]]], [[[1.0, 1.0]]]])
    places = torch.tensor([[[[0, 3]]], [[[1, 0]]]], dtype=torch.uint8)
    expected = ((0.5 + 2 - 3 * math.log(2)) + (1 + 1 - 0)) / 2
    assert float(poisson_loss(density, places)) == pytest.approx(expected, abs=1e-5)


def test_poisson_loss_is_least_at_the_truth():
    places = torch.tensor([[[[1.0, 3.0]]]])
    best = float(poisson_loss(places.clone(), places))
    for step in (-0.1, 0.1):
        assert float(poisson_loss(places + step, places)) > best


def test_count_loss_of_one_head_is_cross_entropy():
    logits, counts = torch.tensor([[0.0, 2.0, 1.0]]), torch.tensor([[1]])
    expected = -2 + math.log(1 + math.e**2 + math.e)
    assert float(count_loss(logits, counts, (3,))) == pytest.approx(expected)


def test_counts_above_the_classes_are_the_last_class():
    logits = torch.tensor([[0.0, 2.0, 1.0]])
    over, last = (float(count_loss(logits, torch.tensor([[n]]), (3,))) for n in (99, 2))
    assert over == last


def test_right_counts_cost_less_than_wrong_ones_at_every_head():
    classes = (2, 2, 3)
    right = torch.tensor([[1, 1, 2]])
    logits = torch.zeros(1, 7)
    logits[0, [1, 3, 6]] = 3.0
    best = float(count_loss(logits, right, classes))
    for head in range(3):
        wrong = right.clone()
        wrong[0, head] = 0
        assert float(count_loss(logits, wrong, classes)) > best


# ---------------------------------------------------------------------------------------- training


def test_a_page_holds_pictures_and_what_they_were_made_from(small):
    (page,) = PriorAlbum(small, (), 24, 0, 1)
    assert page.images.shape == (24, 28, 36, 3) and page.images.dtype == np.uint8
    assert page.counts.shape == (24, 3) and page.places.shape == (24, 2, 4, 5)
    assert (page.counts[:, :2] == page.places.sum((2, 3))).all()
    assert (page.counts[:, 2] == page.counts[:, :2].sum(1)).all()
    assert len(np.unique(page.counts, axis=0)) > 5


def test_things_are_where_their_colour_is(small):
    (page,) = PriorAlbum(small, (), 200, 0, 1)
    one_car = (page.counts == [1, 0, 1]).all(1)
    assert one_car.sum() > 5
    for image, places in zip(page.images[one_car], page.places[one_car], strict=True):
        red = image[..., 0].astype(int) - image[..., 1].astype(int) > 60
        rows, columns = red.nonzero()
        (row,), (column,) = places[0].nonzero()
        assert abs(rows.mean() / STRIDE - row - 0.5) < 0.75
        assert abs(columns.mean() / STRIDE - column - 0.5) < 0.75


def test_pages_are_numbered(small):
    whole = list(PriorAlbum(small, (), 4, 0, 5))
    later = list(PriorAlbum(small, (), 4, 3, 5))
    assert np.array_equal(whole[3].images, later[0].images)
    assert not np.array_equal(whole[3].images, whole[4].images)
    assert len(list(album(small, (), 4, 3, 5))) == 2


def test_heads_reach_twice_as_far_as_the_prior(small):
    heads = count_heads_of(small)
    assert heads.classes == (7, 5, 11) and heads.rows == ()  # twice as many as in the prior
    net, again = (counting_net(small, heads) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), again.parameters(), strict=True))


def test_a_little_training_counts_better_than_chance(small):
    heads = count_heads_of(small)
    net = counting_net(small, heads)
    trainee = CountingTrainee(small, net)
    assert trainee.steps == 100
    losses = [reading["loss"] for reading in readings_of(trainee)]
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:10])
    (page,) = PriorAlbum(small, (), 200, 500, 501)
    features = CountFeatures(heads, net)
    found = features(page.images)
    assert found.shape == (200, 3) and found.dtype == np.float32
    truth = page.counts
    error = np.abs(found - truth).mean(0)
    blind = np.abs(truth.mean(0) - truth).mean(0)
    assert (error < 0.8 * blind).all(), (error, blind)


def test_cells_hold_the_things_of_their_part_of_the_density_map(small, tmp_path):
    heads, (page,) = count_heads_of(small), PriorAlbum(small, (), 5, 0, 1)
    net = counting_net(small, heads)
    save_counts(tmp_path / "net.safetensors", heads, net)
    with Features(weights=str(tmp_path / "net.safetensors"), grid=(5, 2)).open() as see:
        found = see(page.images)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        density = net.eval()(torch.from_numpy(page.images)).density  # [5, 2, 4, 5]
    cells = density.view(5, 2, 2, 2, 5).sum(3)  # two rows of two, five columns of one
    assert found.shape == (5, 2 * 2 * 5) and found.dtype == np.float32
    assert np.allclose(found, cells.flatten(1).numpy(), rtol=1e-5)


def test_regions_come_after_the_counts(small, tmp_path):
    heads, (page,) = count_heads_of(small), PriorAlbum(small, (), 5, 0, 1)
    net = counting_net(small, heads)
    save_counts(tmp_path / "net.safetensors", heads, net)
    where = str(tmp_path / "net.safetensors")
    with Features(weights=where, regions=(3, 2)).open() as see:
        found = see(page.images)
    with Features(weights=where, grid=(3, 2)).open() as see:
        cells = see(page.images)
    counts = CountFeatures(heads, net)(page.images)
    assert np.array_equal(found, np.concatenate([counts, cells], 1))


def test_features_of_whole_chunks_do_not_depend_on_who_else_is_measured(small):
    heads = count_heads_of(small)
    features = CountFeatures(heads, counting_net(small, heads))
    (page,) = PriorAlbum(small, (), 2 * CHUNK + 22, 0, 1)
    images = page.images
    whole = features(images)
    for cut in (CHUNK, 2 * CHUNK):
        parts = np.concatenate([features(images[:cut]), features(images[cut:])])
        np.testing.assert_array_equal(parts, whole)


def test_counting_what_the_prior_seldom_shows_stays_in_range(small):
    heads = count_heads_of(small)
    net = counting_net(small, heads)
    generator = rng(1)
    largest = count_things(
        small.world(), [sample_prior(small.world(), generator) for _ in range(500)]
    )
    found = CountFeatures(heads, net).most_likely(np.zeros((3, 28, 36, 3), np.uint8))
    assert (found <= 2 * largest.max(0)).all() and (found >= 0).all()


# ------------------------------------------------------------------------------------------- rows

LANES = """
world lanes
canvas 32 x 48
start Scene
Scene -> ground Lane * uniform_int(0, 3) max 3
Lane -> car * uniform_int(0, 2) max 2
ground { draw: ground }
Lane { category: "lane"  draw: rect  x: 16 px  gap: uniform(4, 6) px  width: 32 px  height: 8 px
       colour: grey }
car { draw: rect  category: "car"  colour: red  x: spread(-0.5, 0.5) width
      width: 6 px  height: 5 px }
"""


@pytest.fixture
def lanes(write_recipe):
    return recipe.load(write_recipe(LANES, LEARN.replace("1600", "4800")))


def test_what_stands_in_order_makes_a_row(lanes, small):
    assert rows(small.world()) == ()
    (row,) = rows(lanes.world())
    assert (row.item, row.axis) == ("Lane", "y")
    heads = count_heads_of(lanes)
    assert heads.rows[0].items == 3
    assert heads.columns() == (
        "lane", "car", "all", "lane of Lane 1", "lane of Lane 2", "lane of Lane 3",
        "car of Lane 1", "car of Lane 2", "car of Lane 3",
    )  # fmt: skip


def test_counts_along_a_row_by_hand(lanes):
    grammar = lanes.world()
    (row,) = rows(grammar)
    lane, stop, one, car, last = 1, 2, 3, 4, 5  # numbers of the rules as in the text
    scene = (0, lane, one, car, car, last, lane, one, last, stop)
    counts = count_in_row(grammar, row, [scene, (0, stop)], 3)
    assert counts[0].tolist() == [[1, 2], [1, 0], [0, 0]]
    assert counts[1].sum() == 0
    assert count_in_row(grammar, row, [scene], 1)[0].tolist() == [[1, 2]]


def test_a_network_learns_what_is_in_which_lane(lanes):
    heads = count_heads_of(lanes)
    net = counting_net(lanes, heads)
    trainee = CountingTrainee(lanes, net)
    readings_of(trainee)
    (page,) = PriorAlbum(lanes, net.items, 300, 900, 901)
    found = CountFeatures(heads, net)(page.images)[:, -3:]
    truth = page.rows[0][:, :, 1]
    for k in range(3):
        assert np.corrcoef(found[:, k], truth[:, k])[0, 1] > 0.6, k


def test_a_saved_network_says_the_same(lanes, tmp_path):
    heads = count_heads_of(lanes)
    net = counting_net(lanes, heads)
    save_counts(tmp_path / "features.safetensors", heads, net)
    (page,) = PriorAlbum(lanes, net.items, 8, 0, 1)
    with Features(weights=str(tmp_path / "features.safetensors")).open() as extract:
        np.testing.assert_array_equal(extract(page.images), CountFeatures(heads, net)(page.images))
        assert extract.heads == heads


@pytest.mark.parametrize("content", [b"", b"no tensors"])
def test_a_file_that_is_no_network_is_refused(tmp_path, content):
    (tmp_path / "x.safetensors").write_bytes(content)
    with (
        pytest.raises(InputError, match=r"x\.safetensors"),
        Features(weights=str(tmp_path / "x.safetensors")).open(),
    ):
        pass
