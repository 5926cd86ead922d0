"""Inception's features: torchvision's own forward from raw pictures to its last pooling."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from structures import rng
from torchvision.models import Inception_V3_Weights, inception_v3
from torchvision.transforms.functional import normalize, resize

from datagen.errors import InputError
from datagen.features import inception
from datagen.features.inception import Features
from datagen.models.trunks import MEAN, STD

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """An untrained network of torchvision, as it is built for its weights, and its file."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        net = inception_v3(weights=None, transform_input=True, init_weights=False).eval()
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):  # else maps fade from layer to layer
                module.running_var.fill_(0.1).mul_(torch.rand(module.num_features) + 0.5)
    path = tmp_path_factory.mktemp("inception") / "net.safetensors"
    save_file(net.state_dict(), path)
    return net, path


def pictures(count):
    return rng().integers(0, 256, (count, 40, 56, 3), np.uint8)


def test_the_features_are_torchvisions_last_pooling_at_299_pixels(saved):
    net, path = saved
    images = pictures(3)
    large = resize(torch.tensor(images).permute(0, 3, 1, 2) / 255, [299, 299], antialias=True)
    net.fc = torch.nn.Identity()
    with torch.no_grad():
        expected = net(normalize(large, MEAN, STD)).numpy()
    with Features(weights=str(path)).open() as extract:
        found = extract(images)
        alone = extract(images[1:2])
    assert found.shape == (3, 2048) and found.dtype == np.float32
    scale = expected.std()
    assert scale > 1e-3
    np.testing.assert_allclose(found, expected, atol=1e-3 * scale)
    np.testing.assert_allclose(alone, found[1:2], atol=1e-3 * scale)
    with Features(weights=str(path), precision="bfloat16").open() as extract:
        coarse = extract(images)
    assert np.linalg.norm(coarse - found) < 0.05 * np.linalg.norm(found)


def test_weights_of_the_fid_network_are_refused(tmp_path):
    path = tmp_path / "fid.safetensors"
    save_file({"fc.weight": torch.zeros(1008, 2048)}, path)
    with (
        pytest.raises(InputError, match="FID network of 2015, whose layers differ"),
        Features(weights=str(path)).open(),
    ):
        pass


def test_the_cached_file_is_the_one_that_torchvision_downloads():
    assert Inception_V3_Weights.IMAGENET1K_V1.url.endswith("/" + inception._CACHED)
