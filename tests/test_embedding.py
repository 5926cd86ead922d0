"""The paper's feature network: losses by hand, that little training helps, and its file."""

import math

import numpy as np
import pytest
import torch
from resuming import goes_on, readings_of
from safetensors.torch import save_file
from structures import rng

from datagen import recipe
from datagen.errors import InputError, RecipeError
from datagen.features.embedding import Features, opened, save_embedding
from datagen.learning.album.embedding import EmbeddingTrainee, embedding_net, embedding_of
from datagen.learning.album.pages import PriorAlbum
from datagen.models.presence import EmbeddingNet
from datagen.parts import Part

pytestmark = pytest.mark.usefixtures("one_thread")

WORLD = """
world small
canvas 36 x 28
start Scene
Scene -> ground car * uniform_int(0, 2) tree * uniform_int(0, 1)
ground { draw: ground }
car { draw: rect  category: "car"  colour: red  x: uniform(5, 31) px  y: uniform(5, 23) px
      width: 7 px  height: 6 px }
tree { draw: ellipse  category: "tree"  colour: green  x: uniform(5, 31) px  y: uniform(5, 23) px
      width: 7 px  height: 7 px }
"""
LEARN = """
[learn]
helpers = 0
[learn.features]
use = "embedding"
images = 2000
batch = 20
width = 4
learning_rate = 1e-2
"""


@pytest.fixture
def small(write_recipe):
    """The recipe, its network taught in one of the two ways, with so many pictures."""
    path = write_recipe(WORLD, LEARN)
    return lambda heads="presence", images=2000: recipe.load(
        path, [f"learn.features.options.heads={heads}", f"learn.features.images={images}"]
    )


def pictures(count, height=28, width=36):
    return rng().integers(0, 256, (count, height, width, 3), np.uint8)


# ---------------------------------------------------------------------------------------- network


@pytest.mark.parametrize(("height", "width"), [(8, 8), (33, 31), (9, 70), (64, 40)])
@pytest.mark.parametrize("classes", [None, (2, 5, 3)])
def test_any_canvas_gives_an_embedding_and_logits(height, width, classes):
    net = EmbeddingNet(3, 4, classes).eval()
    images = torch.from_numpy(pictures(2, height, width))
    with torch.no_grad():
        assert net.embedding(images).shape == (2, 32)
        assert net(images).shape == (2, 3 if classes is None else 10)


@pytest.mark.parametrize("classes", [None, (2, 5, 3)])
def test_gradients_reach_every_parameter(classes):
    net = EmbeddingNet(3, 4, classes)
    net.loss(net(torch.from_numpy(pictures(4))), torch.tensor([[1, 0, 2]] * 4)).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def test_the_embedding_has_a_spread_of_one_over_its_batch():
    net = EmbeddingNet(3, 4).train()
    rows = net.embedding(torch.from_numpy(pictures(64))).detach().numpy()
    assert np.abs(rows.mean(0)).max() < 1e-4
    lively = rows.std(0) > 0.1
    assert lively.mean() > 0.5
    np.testing.assert_allclose(rows.std(0)[lively], 1, atol=0.01)


def test_presence_costs_binary_cross_entropy_whatever_the_number():
    net = EmbeddingNet(2, 4)
    logits = torch.tensor([[2.0, -1.0]])
    expected = (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(-1))) / 2
    for many in (1, 7):
        assert float(net.loss(logits, torch.tensor([[many, 0]]))) == pytest.approx(expected)
    assert net.right(logits, torch.tensor([[3, 3]])).tolist() == [[True, False]]


def test_counts_cost_cross_entropy_each_head_on_its_own_logits():
    net = EmbeddingNet(2, 4, (2, 3))
    logits = torch.tensor([[0.0, 1.0, 2.0, 0.0, 0.0]])
    one = math.log(math.e + 1) - 1
    two = math.log(math.e**2 + 2) - 2
    assert float(net.loss(logits, torch.tensor([[1, 0]]))) == pytest.approx((one + two) / 2)
    assert net.right(logits, torch.tensor([[1, 2]])).tolist() == [[True, False]]


def test_counts_past_the_classes_are_the_last_class():
    net = EmbeddingNet(1, 4, (3,))
    logits = torch.tensor([[0.0, 2.0, 1.0]])
    last, over = (float(net.loss(logits, torch.tensor([[n]]))) for n in (2, 99))
    assert last == over


# --------------------------------------------------------------------------------------- training


@pytest.mark.parametrize("heads", ["presence", "counts"])
def test_a_little_training_tells_what_is_there_better_than_the_most_common_answer(small, heads):
    world = small(heads)
    taught = embedding_of(world)
    assert taught.names == ("car", "tree")
    assert taught.classes == (None if heads == "presence" else (5, 3))
    net = embedding_net(world, taught)
    trainee = EmbeddingTrainee(world, net)
    assert trainee.steps == 100
    losses = [reading["loss"] for reading in readings_of(trainee)]
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:10])
    (page,) = PriorAlbum(world, (), 200, 500, 501)
    counts = torch.from_numpy(page.counts[:, :2])
    with torch.no_grad():
        right = net.eval().right(net(torch.from_numpy(page.images)), counts).float().mean(0)
    truth = (counts > 0).long() if heads == "presence" else counts
    blind = [np.bincount(truth[:, k]).max() / 200 for k in range(2)]
    assert (right.numpy() > np.array(blind) + 0.1).all(), (right, blind)


def test_training_goes_on_from_its_tensors_as_if_nothing_had_happened(small, tmp_path):
    world = small(images=256)

    def fresh():
        return EmbeddingTrainee(world, embedding_net(world, embedding_of(world)))

    assert len(goes_on(fresh, (1, 7), tmp_path)) == 12


# ------------------------------------------------------------------------------------------- file


@pytest.mark.parametrize("heads", ["presence", "counts"])
def test_a_published_network_is_the_trained_one(small, tmp_path, heads):
    world = small(heads)
    taught = embedding_of(world)
    net = embedding_net(world, taught)
    trainee = EmbeddingTrainee(world, net)
    readings_of(trainee, last=5)
    images = pictures(70)
    expected = opened(net)(images)
    assert expected.shape == (70, 32) and expected.dtype == np.float32
    path = tmp_path / "features.safetensors"
    save_embedding(path, taught, net)
    with Features(weights=str(path), heads=heads).open() as extract:
        np.testing.assert_array_equal(extract(images), expected)
        np.testing.assert_allclose(extract(images[3:5]), expected[3:5], atol=0.05)
        np.testing.assert_array_equal(extract(images[:64]), expected[:64])
    other = "counts" if heads == "presence" else "presence"
    with (
        pytest.raises(InputError, match=f"was trained with heads = '{heads}'.*'{other}'"),
        Features(weights=str(path), heads=other).open(),
    ):
        pass


def test_files_of_something_else_are_refused_in_one_line(small, tmp_path):
    def refused(words, header=None, tensors=None):
        path = tmp_path / "w.safetensors"
        save_file(tensors or {"a": torch.ones(1)}, path, header)
        with pytest.raises(InputError) as caught, Features(weights=str(path)).open():
            pass
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)

    good = embedding_of(small())
    refused("are not the weights of an embedding network")
    refused("header", {"datagen": "{"})
    refused("unknown key", {"datagen": '{"formt": 1}'})
    refused("has no tensor `trunk.0.weight`", {"datagen": good.model_dump_json()})
    wider = good.model_copy(update={"width": 8}).model_dump_json()
    state = {k: v.contiguous() for k, v in embedding_net(small(), good).state_dict().items()}
    refused("`trunk.0.weight` is [4, 3, 5, 5], expected [8, 3, 5, 5]", {"datagen": wider}, state)
    strange = good.model_copy(update={"classes": (2,)}).model_dump_json()
    refused("its classes do not fit", {"datagen": strange}, state)
    (tmp_path / "t").write_text("no weights")
    with (
        pytest.raises(InputError, match="cannot be read"),
        Features(weights=str(tmp_path / "t")).open(),
    ):
        pass


def test_heads_are_an_option_of_the_recipe(write_recipe):
    options = '[learn.features]\nuse = "embedding"\noptions = {heads = "counts"}\n'
    assert recipe.load(write_recipe(WORLD, options)).learn.features.options == {"heads": "counts"}
    with pytest.raises(RecipeError, match="`heads`"):
        recipe.load(write_recipe(WORLD, options.replace("counts", "number")))
    with pytest.raises(RecipeError, match="the key `weights` is missing"):
        Part(use="embedding").component("features")
