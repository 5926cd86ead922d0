"""SqueezeNet's features: torchvision's own forward, real photos, and that rows stand alone."""

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from structures import rng
from torchvision.models import SqueezeNet1_0_Weights, squeezenet1_0, squeezenet1_1
from torchvision.transforms.functional import normalize, resize

from datagen import plugins
from datagen.errors import InputError, RecipeError
from datagen.features import squeezenet
from datagen.features.squeezenet import Features
from datagen.models.trunks import MEAN, STD
from datagen.parts import Part

pytestmark = pytest.mark.usefixtures("one_thread")

NETS = {"1_0": squeezenet1_0, "1_1": squeezenet1_1}


@pytest.fixture(params=NETS)
def saved(request, tmp_path):
    """An untrained network of torchvision, and the file of its weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        net = NETS[request.param]().eval()
    path = tmp_path / "net.safetensors"
    save_file(net.state_dict(), path)
    return net, str(path)


def pictures(count, height=64, width=48):
    """Blobs of colour, as unlike each other as pictures are."""
    small = rng().integers(0, 256, (count, 6, 5, 3), np.uint8)
    return np.stack([cv2.resize(image, (width, height)) for image in small])


def normalised(images):
    return normalize(torch.tensor(images).permute(0, 3, 1, 2) / 255, MEAN, STD)


def measure(images, **options):
    with Features(**options).open() as extract:
        return extract(images)


def test_the_features_are_torchvisions_last_map_averaged(saved):
    net, path = saved
    images = pictures(5)
    with torch.no_grad():
        expected = net.features(normalised(images)).mean((2, 3)).numpy()
    found = measure(images, weights=path, precision="float32")
    assert found.shape == (5, 512) and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layer", ["conv1", "fire3", "fire5"])
def test_an_early_map_is_averaged_in_cells_row_by_row(saved, layer):
    net, path = saved
    images = pictures(2)
    seen = {}
    fires = [m for m in net.features if type(m).__name__ == "Fire"]
    module = net.features[1] if layer == "conv1" else fires[int(layer[-1]) - 2]
    module.register_forward_hook(lambda m, i, out: seen.update(map=out.clone()))
    with torch.no_grad():
        net.features(normalised(images))
    cells = torch.nn.functional.adaptive_avg_pool2d(seen["map"], 4)
    found = measure(images, weights=path, layer=layer, grid=4, precision="float32")
    np.testing.assert_allclose(found, cells.flatten(1).numpy(), rtol=1e-4, atol=1e-5)


def test_pictures_are_resized_to_their_shorter_side(saved):
    net, path = saved
    images = pictures(2, 60, 90)
    small = resize(torch.tensor(images).permute(0, 3, 1, 2) / 255, [40], antialias=True)
    assert small.shape[2:] == (40, 60)
    with torch.no_grad():
        expected = net.features(normalize(small, MEAN, STD)).mean((2, 3)).numpy()
    found = measure(images, weights=path, size=40, precision="float32")
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_bfloat16_keeps_the_distances_between_pictures(saved):
    _, path = saved
    images = pictures(20)
    fine, coarse = (measure(images, weights=path, precision=p) for p in ("float32", "bfloat16"))
    assert coarse.dtype == np.float32
    assert not np.array_equal(fine, coarse)
    away = [np.linalg.norm(rows[:10] - rows[10:], axis=1) for rows in (fine, coarse)]
    np.testing.assert_allclose(away[1], away[0], rtol=0.03)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_row_does_not_depend_on_its_neighbours(saved, precision):
    _, path = saved
    images = pictures(20)
    with Features(weights=path, precision=precision).open() as extract:
        whole = extract(images)
        np.testing.assert_array_equal(extract(images), whole)
        for part in (slice(0, 3), slice(7, 8), slice(16, 20)):
            np.testing.assert_allclose(extract(images[part]), whole[part], rtol=0.02, atol=1e-3)
        np.testing.assert_array_equal(extract(images[:16]), whole[:16])
        assert extract(images[:0]).shape == (0, 512)


def test_gradients_reach_the_pixels_and_are_those_of_small_changes(saved):
    _, path = saved
    net = Features(weights=path, layer="fire3", grid=2, precision="float32").network()
    pixels = (torch.tensor(pictures(1)).permute(0, 3, 1, 2) / 255).requires_grad_()
    loss = net(pixels).square().sum()
    loss.backward()
    step = pixels.grad / pixels.grad.norm() * 1e-2
    with torch.no_grad():
        rise = (net(pixels + step).square().sum() - net(pixels - step).square().sum()) / 2
    assert float(rise) == pytest.approx(float((pixels.grad * step).sum()), rel=0.05)
    assert all(not p.requires_grad for p in net.parameters())


def test_the_network_for_gradients_is_the_one_for_pictures(saved):
    _, path = saved
    features = Features(weights=path, layer="fire2", precision="float32")
    images = pictures(3)
    with torch.no_grad():
        told = features.network()(torch.tensor(images).permute(0, 3, 1, 2) / 255).numpy()
    with features.open() as extract:
        np.testing.assert_array_equal(extract(images), told)


def test_pictures_too_small_for_the_network_are_refused_with_a_remedy(saved):
    _, path = saved
    with pytest.raises(InputError, match=r"20 x 24 px are too small .* 21 px .* `size`"):
        measure(pictures(1, 24, 20), weights=path)
    assert measure(pictures(1, 24, 20), weights=path, size=32).shape == (1, 512)


def test_weights_of_another_network_are_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"features.0.weight": torch.zeros(64, 3, 11, 11)}, path)
    with pytest.raises(InputError, match=r"`features.0.weight` is \(64, 3, 11, 11\); are these S"):
        measure(pictures(1), weights=str(path))


def test_options_are_checked_by_name_and_range():
    for options, words in [
        ({"layer": "fire1"}, "layer"),
        ({"grid": 0}, "`grid` must be a whole number from 1 to 64"),
        ({"grd": 2}, "unknown key `grd`; did you mean `grid`"),
        ({"size": 20}, "`size` must be a whole number from 21 to 2,048"),
    ]:
        with pytest.raises(RecipeError, match=words):
            Part(use="squeezenet", options=options).component("features")


def test_the_cached_file_is_the_one_that_torchvision_downloads():
    assert SqueezeNet1_0_Weights.IMAGENET1K_V1.url.endswith("/" + squeezenet._CACHED)


def test_the_extractor_says_what_it_is():
    found = plugins.load("features", "squeezenet")
    assert found is Features
    assert (found.name, found.standardise) == ("squeezenet", True)


# ------------------------------------------------------------------------------------ real photos


def photos(folder, count):
    """Centred squares of photos from all over a folder, 96 x 96."""
    paths = sorted(folder.rglob("*.jpg"))
    images = []
    for path in paths[:: len(paths) // count][:count]:
        image = cv2.imread(str(path))[..., ::-1]
        height, width = image.shape[:2]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        square = image[top : top + side, left : left + side]
        images.append(cv2.resize(square, (96, 96), interpolation=cv2.INTER_AREA))
    return np.stack(images)


def told_apart(one, two):
    """Share of rows that lie nearer to the mean of the others of their own set."""
    rows, own = np.concatenate([one, two]), np.repeat([0, 1], [len(one), len(two)])
    right = []
    for k, row in enumerate(rows):
        others = np.arange(len(rows)) != k
        means = [rows[others & (own == which)].mean(0) for which in (0, 1)]
        right.append(np.argmin([np.linalg.norm(row - mean) for mean in means]) == own[k])
    return np.mean(right)


def test_photos_of_two_places_lie_apart_and_those_of_one_do_not(shared_data):
    weights = str(shared_data / "weights" / "squeezenet1_0.safetensors")
    with Features(weights=weights, size=224).open() as extract:
        camvid, kitti = (extract(photos(shared_data / d, 40)) for d in ("camvid/train", "kitti"))
    assert told_apart(camvid, kitti) >= 0.85
    assert told_apart(camvid[::2], camvid[1::2]) <= 0.65
