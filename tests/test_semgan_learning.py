"""SemGAN learns label maps, and makes layouts that are labelled."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from resuming import readings_of, same

from datagen import audit, labels
from datagen.generators.semgan import Generator
from datagen.language import parse
from datagen.learning.layout import bank
from datagen.learning.layout.bank import Bank
from datagen.learning.layout.training import LayoutTrainee
from datagen.learning.layout.weights import save_layout_model
from datagen.models.semgan import Palette
from datagen.rng import Stream, rng_for
from datagen.settings.layout import LayoutLearning

pytestmark = pytest.mark.usefixtures("one_thread")

WORLD = """
world fences
canvas 16 x 16
start Scene
Scene -> field post beam
field { stuff: "field"  draw: ground  shade: black }
post { category: "post"  draw: rect  x: 4 px  y: 8 px  width: 8 px  height: 16 px  colour: red }
beam { category: "beam"  draw: rect  x: 8 px  y: 4 px  width: 16 px  height: 8 px  colour: blue }
"""
QUICK = LayoutLearning(
    steps=6,
    batch=8,
    width=4,
    latent=8,
    generator_learning_rate=2e-3,
    discriminator_learning_rate=2e-3,
    penalty_every=2,
)


@dataclass(frozen=True)
class Fences:
    """In every second map a beam across the top half, else a post down the left half."""

    count: int = 64
    classes: int = 4
    size: tuple[int, int] = (16, 16)

    def __len__(self) -> int:
        return self.count

    def class_map(self, k: int) -> np.ndarray:
        drawn = np.full((16, 16), 3, np.uint8)
        if k % 2 == 0:
            drawn[:8] = 2
        else:
            drawn[:, :8] = 1
        return drawn


def taught(settings=QUICK, seed=0, **more):
    trainee = LayoutTrainee(Fences(), settings, seed, **more)
    return trainee, readings_of(trainee)


# --------------------------------------------------------------------------------------- learning


def test_it_learns_two_layouts_and_how_often_each_is_there():
    settings = LayoutLearning(
        steps=300, batch=32, width=8, latent=8, average=0.98, discriminator_learning_rate=1e-3
    )
    trainee, readings = taught(settings, seed=1)
    z = rng_for(5, 0, Stream.EVALUATE).standard_normal((256, 8), "float32")
    with torch.no_grad():
        made = trainee.sampler()(torch.from_numpy(z)).argmax(1).numpy()
    maps = Fences()
    wrong = [(made != maps.class_map(k)).mean((1, 2)) for k in (0, 1)]
    near = np.minimum(*wrong)
    assert np.median(near) <= 0.05  # by chance 3 pixels of 4 are wrong
    beams = (wrong[0] < wrong[1]).mean()
    assert 0.3 <= beams <= 0.7  # of the maps: a half
    shares = [(made == k).mean() for k in range(4)]
    assert shares == pytest.approx([0, 0.25, 0.25, 0.5], abs=0.1)
    early, late = (
        np.mean([r["matching"] for r in part]) for part in (readings[:20], readings[-20:])
    )
    assert late < 0.7 * early  # the noise of a batch is a part of it


@pytest.fixture(scope="module")
def plain():
    """What QUICK teaches; read-only."""
    return taught()[0]


def test_statistics_of_what_is_sampled_are_those_of_its_own_maps(plain):
    """With those of training's generator maps would be of another contrast."""
    sampler = plain.sampler()
    z = rng_for(9, 0, Stream.EVALUATE).standard_normal((512, 8), "float32")
    with torch.no_grad():
        first = sampler.stem(torch.from_numpy(z)).unflatten(1, sampler.smallest)
    norm = next(m for m in sampler.modules() if isinstance(m, torch.nn.BatchNorm2d))
    torch.testing.assert_close(norm.running_mean, first.mean((0, 2, 3)), atol=0.1, rtol=0.2)
    torch.testing.assert_close(norm.running_var, first.var((0, 2, 3)), atol=0.1, rtol=0.2)


@pytest.mark.parametrize(
    "changes",
    [
        {"matching": 0.0},
        {"adversarial": 0.0},
        {"penalty": 0.0},
        {"sharpness": 3.0},
        {"precision": "float32"},
        {"kernel": 5},
        {"average": 0.0},
        {"generator_learning_rate": 4e-3},
        {"discriminator_learning_rate": 4e-3},
    ],
    ids=str,
)
def test_each_setting_is_used(changes, plain):
    """It changes what is learned, and nothing breaks."""
    other, readings = taught(QUICK.model_copy(update=changes))
    assert not same(plain.average.state_dict(), other.average.state_dict())
    assert ("slope" in readings[0]) == ("penalty" not in changes)


def test_a_gan_of_pictures_is_taught_in_the_same_way():
    colours = [(0, 0, 0), (0, 0, 255), (0, 255, 0), (255, 0, 0)]
    trainee, readings = taught(code=Palette(colours))
    assert trainee.generator(torch.zeros(2, 8)).shape == (2, 3, 16, 16)
    assert all(np.isfinite(list(r.values())).all() for r in readings)


def test_maps_that_do_not_fit_in_memory_are_read_when_needed(monkeypatch):
    held = Bank(Fences())
    monkeypatch.setattr(bank, "_HELD", 0)
    read = Bank(Fences())
    assert held.held is not None
    assert read.held is None
    numbers = np.array([4, 1, 4])
    assert torch.equal(held.take(numbers), read.take(numbers))


# -------------------------------------------------------------------------------------- generator


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """layout.safetensors of a short training."""
    trainee, _ = taught(QUICK.model_copy(update={"steps": 60}))
    path = tmp_path_factory.mktemp("run") / "layout.safetensors"
    save_layout_model(path, trainee, parse(WORLD))
    return path


def rngs(count, seed=3):
    return [rng_for(seed, k, Stream.SCENE) for k in range(count)]


def layouts(weights, count, seed=3, **options):
    with Generator(weights=str(weights), **options).open(parse(WORLD)) as generate:
        return generate(rngs(count, seed))


def test_layouts_pass_the_labeller_and_its_audit(learned):
    made = layouts(learned, 24, smallest=1)
    kinds = set()
    for layout in made:
        annotations = labels.annotate(layout)
        assert audit.audit_frame(layout, annotations) == []
        assert [a.visible_fraction for a in annotations] == [1.0] * len(annotations)
        assert (layout.width, layout.height) == (16, 16)
        assert (layout.categories, layout.stuff) == (("post", "beam"), ("field",))
        assert layout.depth is None
        assert layout.class_map.max() <= 3
        kinds |= {a.category for a in annotations}
    assert kinds  # a toy that has learned a little draws things


def test_a_layout_is_a_function_of_its_rng_alone(learned):
    together = layouts(learned, 12)
    with Generator(weights=str(learned)).open(parse(WORLD)) as generate:
        alone = [generate([one])[0] for one in reversed(rngs(12))][::-1]
    for one, other in zip(together, alone, strict=True):
        assert np.array_equal(one.class_map, other.class_map)
        assert np.array_equal(one.instance_map, other.instance_map)
    assert len({layout.class_map.tobytes() for layout in together}) > 1


def test_small_pieces_go_to_the_class_around_them(learned):
    def areas(smallest):
        made = layouts(learned, 24, smallest=smallest)
        return sorted(thing.silhouette.area for m in made for thing in m.instances)

    whole = areas(1)
    least = whole[-1] // 2
    assert whole[0] < least <= areas(least)[0]


def test_latents_can_be_held_near_the_typical(learned):
    plain, held = (layouts(learned, 24, truncation=t) for t in (1.0, 0.01))
    apart = [np.mean([m[0].class_map != one.class_map for one in m[1:]]) for m in (plain, held)]
    assert apart[1] < apart[0]
