"""Parts of conditional IMLE: the generator, the distance, candidates, rarity."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from appearances import TwoWays, network, quick
from safetensors.torch import save_file
from torch.nn import functional as F

from datagen.errors import DatagenError, InputError, MissingError
from datagen.learning.appearance.distance import Distance
from datagen.learning.appearance.pairs import Cache
from datagen.learning.appearance.rarity import balanced, masks, rarities, survey
from datagen.learning.appearance.selection import candidate_distances, numbered
from datagen.learning.appearance.stages import opened_stages
from datagen.learning.appearance.training import AppearanceTrainee, new_generator, sizes_of
from datagen.models.imle import Generator, Noise, NoiseEncoder, Refinement, Sizes
from datagen.models.trunks import MEAN, STD, vgg19_stages
from datagen.rng import Stream, rng_for

pytestmark = pytest.mark.usefixtures("one_thread")

SIZES = Sizes(3, 12, 20, (8, 12), 3, style=2, grain=1, encoder=None)


def layouts(count: int, sizes: Sizes = SIZES) -> torch.Tensor:
    rng = rng_for(0, count, Stream.PICTURES)
    found = rng.integers(0, sizes.classes, (count, sizes.height, sizes.width))
    return torch.from_numpy(found.astype(np.uint8))


def test_modules_halve_the_canvas_down_to_the_coarsest():
    assert SIZES.stages == [(3, 5), (6, 10), (12, 20)]
    assert dataclasses.replace(SIZES, height=45, width=31, coarsest=4).stages == [
        (6, 4),
        (12, 8),
        (23, 16),
        (45, 31),
    ]


def test_the_generator_is_what_the_paper_says():
    """Written out once more: labels by area, noise by interpolation, at every module."""
    net, x = new_generator(SIZES, 0), layouts(2)
    noise = numbered(0, range(2), SIZES)
    labels = F.one_hot(x.long(), 3).permute(0, 3, 1, 2).float()
    y = None
    for size, block in zip([(3, 5), (6, 10), (12, 20)], net.blocks.children(), strict=True):
        assert isinstance(block, Refinement)
        seen = [
            F.adaptive_avg_pool2d(labels, size),
            noise.style[:, :, None, None].repeat(1, 1, *size),
            F.interpolate(noise.grain, size, mode="bilinear", align_corners=False),
        ]
        if y is not None:
            seen.insert(0, F.interpolate(y, size, mode="bilinear", align_corners=False))
        y = torch.cat(seen, 1)
        for conv, norm in zip((block.first, block.second), block.norms.children(), strict=True):
            assert isinstance(norm, torch.nn.GroupNorm)
            y = F.conv2d(y, conv.weight, conv.bias, padding=1)
            flat = y.flatten(1)
            y = (y - flat.mean(1)[:, None, None, None]) / (
                flat.var(1, unbiased=False)[:, None, None, None] + norm.eps
            ).sqrt()
            y = y * norm.weight[:, None, None] + norm.bias[:, None, None]
            y = torch.where(y > 0, y, 0.2 * y)
    assert y is not None
    expected = (F.conv2d(y, net.paint.weight, net.paint.bias) + 1) / 2
    torch.testing.assert_close(net(x, noise), expected, rtol=1e-4, atol=1e-5)


def first_of(block: torch.nn.Module) -> torch.Tensor:
    assert isinstance(block, Refinement)
    return block.first.weight


def test_the_boost_gives_noise_as_much_weight_as_it_is_told():
    net = new_generator(Sizes(9, 48, 48, (64,), 3, 6, 2, None), 0)
    before = [first_of(block).detach().clone() for block in net.blocks]
    net.boost(5, 1, torch.Generator().manual_seed(0))
    for block, old in zip(net.blocks, before, strict=True):
        weight = first_of(block).detach()
        assert torch.equal(weight[:, :-8], old[:, :-8])
        rms = old[:, :-8].square().mean().sqrt()
        assert weight[:, -8:-2].square().mean().sqrt() / rms == pytest.approx(5, rel=0.1)
        assert weight[:, -2:].square().mean().sqrt() / rms == pytest.approx(1, rel=0.1)


def test_the_encoder_keeps_the_noise_alive():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = NoiseEncoder(classes=6, noise=8, width=32)
        labels = F.one_hot(torch.randint(0, 6, (1, 32, 32)), 6).permute(0, 3, 1, 2).float()
        codes = torch.randn(64, 8, 1, 1).expand(-1, -1, 32, 32)
    with torch.no_grad():
        out = encoder(torch.cat([labels.expand(64, -1, -1, -1), codes], 1))[:, :, 8:-8, 8:-8]
    # What differs between codes is most of what there is.
    assert 0.3 < out.square().mean() < 3
    assert out.var(0).mean() > 0.5 * out.square().mean()


def distance_of(folder, texture: float = 0.5) -> Distance:
    return Distance(opened_stages(network(folder).source), 2.0, texture, torch.float32)


def pictures(count: int, index: int = 0, side: int = 24) -> torch.Tensor:
    rng = rng_for(1, index, Stream.PICTURES)
    return torch.from_numpy(rng.random((count, 3, side, side), dtype=np.float32))


def test_random_photos_are_one_apart_whatever_the_network(tmp_path):
    distance = distance_of(tmp_path)
    photos = pictures(40, 0, 40), pictures(40, 1, 40)
    a, b = (distance.views(x) for x in photos)
    assert float(distance.between(a, b).mean()) != pytest.approx(1, rel=0.05)
    distance.measure(a, b)
    assert float(distance.between(a, b).mean()) == pytest.approx(1, rel=1e-5)
    # And each term of it: here pixels alone.
    pixels = (photos[0] - photos[1]).abs().mean()
    assert float(distance.unit[0]) == pytest.approx(float(pixels), rel=1e-5)
    # Weights are 2, and 1 for each of 5 maps; those of textures are all a half.
    assert len(a) == 12
    assert distance.weights(12).tolist() == pytest.approx([0.2, *[0.1] * 5, *[0.05] * 6])
    plain = distance_of(tmp_path, texture=0)
    assert len(plain.views(pictures(1))) == 6
    assert plain.weights(6).tolist() == pytest.approx([2 / 7, *[1 / 7] * 5])


def test_texture_is_the_deviation_within_cells(tmp_path):
    """Written out once more, and of 21 pixels, which no cell divides."""
    distance = distance_of(tmp_path)
    seen = distance.views(pictures(2)[..., :21])
    for k, x in enumerate(seen[:6]):
        cell = 4 if k else 8
        for y, rows in enumerate(x.split(cell, 2)):
            for z, part in enumerate(rows.split(cell, 3)):
                expected = part.var((2, 3), unbiased=False).sqrt()
                torch.testing.assert_close(seen[6 + k][:, :, y, z], expected, rtol=0, atol=0.011)
                assert (seen[6 + k][:, :, y, z] > 0).all()


def test_texture_tells_a_shifted_pattern_from_none(tmp_path):
    """By plain L1, grey is nearer to stripes than stripes elsewhere are; by texture it isn't."""
    stripes = (torch.arange(24) % 4 < 2).float().expand(1, 3, 24, 24)
    shifted, grey = stripes.roll(2, 3), torch.full((1, 3, 24, 24), 0.5)
    distance = distance_of(tmp_path)
    true, moved, none = (distance.views(x) for x in (stripes, shifted, grey))
    apart = [[float((a[k] - true[k]).abs().mean()) for k in (0, 6)] for a in (moved, none)]
    assert apart[1][0] < apart[0][0] and apart[0][1] < 0.1 * apart[1][1]
    # A slope even where nothing varies at all: learning can begin to draw texture.
    flat = grey.clone().requires_grad_()
    bright = flat * torch.linspace(0.99, 1.01, 24)
    distance.between(distance.views(bright), true).sum().backward()
    assert flat.grad is not None and flat.grad.isfinite().all() and flat.grad.any()


def test_a_mask_weighs_pixels_and_maps_alike(tmp_path):
    distance = distance_of(tmp_path)
    a, b = pictures(2), pictures(2)
    b[:, :, :, :8] = 1 - b[:, :, :, :8]  # they differ on the left alone
    views = distance.views(a), distance.views(b)
    full = distance.between(*views, torch.ones(2, 24, 24))
    assert torch.equal(full, distance.between(*views))
    mask = torch.ones(2, 24, 24)
    mask[:, :, :12] = 0.5
    assert (distance.between(*views, mask) < 0.6 * full).all()


def test_vgg_and_squeezenet_are_told_by_their_files_and_give_their_maps(tmp_path):
    stages = opened_stages(network(tmp_path).source)
    assert [m.shape[1] for m in stages(pictures(1))] == [96, 128, 128, 256, 512]
    assert [m.shape[1] for m in stages(pictures(1)[..., :16])] == [96, 128, 128, 256]
    x = (pictures(1) - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
    conv = stages.body[0]
    assert isinstance(conv, torch.nn.Conv2d)
    first = F.relu(F.conv2d(x, conv.weight, conv.bias, stride=2))
    torch.testing.assert_close(stages(pictures(1))[0], first)
    vgg = vgg19_stages().to_empty(device="cpu")  # 548 MB of weights are not to be had here
    for parameter in vgg.parameters():
        torch.nn.init.constant_(parameter, 1e-4)
    vgg.mean.zero_()
    vgg.std.fill_(1)
    assert [tuple(m.shape[1:]) for m in vgg(torch.ones(1, 3, 32, 32))] == [
        (64, 32, 32),
        (128, 16, 16),
        (256, 8, 8),
        (512, 4, 4),
        (512, 2, 2),
    ]
    (tmp_path / "other.safetensors").write_bytes(b"no")
    with pytest.raises(InputError, match="cannot read these weights"):
        opened_stages(str(tmp_path / "other.safetensors"))


def vgg_features() -> dict[str, torch.Tensor]:
    """Tensors of VGG-19's shapes and torchvision's names, each one number that is repeated."""
    shapes = {name: t.shape for name, t in vgg19_stages().body.state_dict().items()}
    return {
        f"features.{name}": torch.tensor(2e-3 * (k + 1)).expand(shape)
        for k, (name, shape) in enumerate(shapes.items())
    }


def write_safetensors(tensors: dict[str, torch.Tensor], path: Path) -> None:
    """In 16 bits: 40 MB, where torch.save writes a repeated number once."""
    save_file({name: t.bfloat16().contiguous() for name, t in tensors.items()}, path)


@pytest.mark.parametrize("write", [write_safetensors, torch.save])
def test_weights_of_vgg_are_read_from_a_file_with_torchvisions_names(tmp_path, write):
    tensors = vgg_features()
    write(tensors, tmp_path / "vgg19")
    stages = opened_stages(str(tmp_path / "vgg19"))
    for name, tensor in stages.body.state_dict().items():
        torch.testing.assert_close(tensor, tensors[f"features.{name}"], rtol=0.01, atol=0)
    assert [m.shape[1] for m in stages(pictures(1)[..., :16])] == [64, 128, 256, 512, 512]


def test_weights_of_vgg_that_are_not_whole_are_refused(tmp_path):
    tensors = vgg_features()
    tensors.pop("features.16.bias")
    torch.save(tensors, tmp_path / "vgg19.pth")
    with pytest.raises(
        InputError, match="has no tensor `features.16.bias`; are these the ImageNet"
    ):
        opened_stages(str(tmp_path / "vgg19.pth"))


def test_without_weights_the_message_says_how_to_name_them(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(
        MissingError, match="of VGG-19 or SqueezeNet 1.0 .*nothing is downl"
    ) as told:
        opened_stages(None)
    assert "file of them by --set learn.appearance.weights=FILE" in str(told.value)


def test_the_candidate_that_is_kept_is_the_nearest_one(tmp_path):
    """Each candidate drawn and measured alone, without batches."""
    trainee = AppearanceTrainee(TwoWays(), quick(tmp_path, grain=2), seed=3)
    trainee.begin(0)
    trainee.net.boost(5, 5, torch.Generator().manual_seed(0))
    epoch = trainee.epochs.open(2)
    trainee._choose(epoch)
    for row in range(16):
        alone = []
        for j in range(8):
            noise = numbered(3, [(2 * 16 + row) * 8 + j], trainee.sizes)
            noise = Noise(noise.style, numbered(3, [(2 * 16 + row) * 8], trainee.sizes).grain)
            with torch.no_grad():
                made = trainee.distance.views(trainee.net(epoch.layouts[row][None], noise))
                real = [view[row][None] for view in epoch.views]
                alone.append(float(trainee.distance.between(made, real)))
        assert alone[int(trainee._chosen[row])] == pytest.approx(min(alone), rel=1e-5)
        assert max(alone) > 1.01 * min(alone)
    steps = trainee._noise(epoch, torch.arange(16), inner=0)
    first = numbered(3, [2 * 16 * 8 + int(trainee._chosen[0])], trainee.sizes)
    assert torch.equal(steps.style[0], first.style[0])


def test_no_two_looks_at_a_pair_have_the_same_grain(tmp_path):
    """What was chosen once and learned from five times is drawn as speckle."""
    settings = quick(tmp_path, grain=1, steps=4, batch=3)
    trainee = AppearanceTrainee(TwoWays(), settings, seed=0)
    grains, rows = [], torch.tensor([1, 1, 2])
    for number in range(2):
        epoch = trainee.epochs.open(number)
        grains += [trainee._noise(epoch, rows, inner).grain for inner in range(4)]
    candidates = settings.epochs * settings.layouts * settings.draws + 24 * settings.bank_draws
    grains.append(numbered(0, range(candidates), trainee.sizes).grain)
    assert len(torch.cat(grains).flatten(1).unique(dim=0)) == 2 * 4 * 3 + candidates


def test_candidates_do_not_depend_on_how_many_are_looked_at_together(tmp_path):
    distance, net, x = distance_of(tmp_path), new_generator(SIZES, 0), layouts(12)
    noise = numbered(0, range(12 * 8), SIZES)
    views = distance.views(torch.rand(12, 3, 12, 20, generator=torch.Generator().manual_seed(0)))
    with torch.no_grad():
        whole, _ = candidate_distances(net, distance, x, views, noise)
        one, _ = candidate_distances(net, distance, x[5:6], [v[5:6] for v in views], noise[40:48])
    torch.testing.assert_close(whole[5:6], one, rtol=1e-4, atol=1e-6)


def test_learning_stops_where_noise_does_not_reach_the_pictures(tmp_path):
    settings = quick(tmp_path, pretraining=0, boost=0.0, grain_boost=0.0)
    trainee = AppearanceTrainee(TwoWays(), settings, seed=0)
    trainee.begin(0)
    with pytest.raises(DatagenError, match="look alike"):
        trainee.step(0)


def test_rare_appearances_are_drawn_more_often():
    pairs = TwoWays(count=200, rare=20)
    found = survey(Cache(pairs, 1 << 20), 3)
    rarity = rarities(found.colours, clip=20)
    assert (rarity[:, 0] == 0).all() and rarity.max() <= 20
    assert np.median(rarity[:, 2]) == pytest.approx(1, abs=0.01)
    drawn = balanced(rarity, [1, 2], 2000, rng_for(0, 0, Stream.APPEARANCE))
    share = np.mean([pairs.is_dark(int(k)) for k in drawn])
    assert share > 2 * 0.05
    clipped = balanced(np.minimum(rarity, 1), [1, 2], 2000, rng_for(0, 0, Stream.APPEARANCE))
    assert np.mean([pairs.is_dark(int(k)) for k in clipped]) < share


def test_classes_share_an_epoch_in_equal_parts():
    rarity = np.zeros((30, 3))
    rarity[:20, 1], rarity[20:, 2] = 1, 1
    drawn = balanced(rarity, [1, 2], 11, rng_for(0, 0, Stream.APPEARANCE))
    assert len(drawn) == 11
    assert (drawn < 20).sum() == 6


def test_colours_that_no_density_can_be_fitted_to_do_no_harm():
    grey = np.repeat(np.linspace(0, 1, 40)[:, None, None], 3, 2)  # on a line
    assert (rarities(grey, 20) == 1).all()
    few = np.random.RandomState(0).rand(5, 1, 3)
    assert (rarities(few, 20) == 20).all()


def test_a_mask_is_the_rarity_of_each_class_over_the_largest_there():
    layout = np.array([[[1, 2], [0, 1]]], np.uint8)
    mask = masks(layout, np.array([[0, 2.0, 8.0]]))
    assert mask.tolist() == [[[0.25, 1], [0, 0.25]]]
    assert (masks(layout, np.zeros((1, 3))) == 1).all()


def test_pairs_are_read_again_when_memory_is_bounded():
    reads: list[int] = []

    class Counted(TwoWays):
        def image(self, k):
            reads.append(k)
            return super().image(k)

    cache = Cache(Counted(), capacity=3 * 4 * 16 * 16)
    for k in (0, 1, 2, 0, 1, 2, 3, 0):
        cache.pair(k)
    assert reads == [0, 1, 2, 3, 0]
    layout, photo = cache.batch([3])
    assert np.array_equal(layout[0], TwoWays().class_map(3))
    assert np.array_equal((photo[0] * 255).permute(1, 2, 0).numpy(), TwoWays().image(3))


def test_a_generator_may_have_no_noise(tmp_path):
    net = Generator(sizes_of(TwoWays(), quick(tmp_path, style=0, grain=0, draws=1)))
    x = torch.from_numpy(TwoWays().class_map(0))[None]
    assert net(x, Noise(torch.zeros(1, 0), torch.zeros(1, 0, 16, 16))).shape == (1, 3, 16, 16)
