"""The trunk of Mask R-CNN: torchvision's own backbone, with names new and old."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from structures import rng
from torchvision.models.detection import MaskRCNN_ResNet50_FPN_Weights
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops import FrozenBatchNorm2d
from torchvision.transforms.functional import normalize

from datagen.features import mask_rcnn
from datagen.features.mask_rcnn import Features
from datagen.models.trunks import MEAN, STD

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def backbone():
    """An untrained backbone, built as torchvision builds it for its COCO weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        net = resnet_fpn_backbone(
            backbone_name="resnet50", weights=None, norm_layer=FrozenBatchNorm2d
        ).eval()
        for module in net.modules():
            if isinstance(module, FrozenBatchNorm2d):
                module.eps = 0.0
                module.running_mean.copy_(torch.randn(len(module.running_mean)) * 0.1)
                module.running_var.copy_(torch.rand(len(module.running_var)) + 1.5)
    return net


def old(name):
    """Names as torchvision wrote them when it published the weights."""
    return name.replace(".0.weight", ".weight").replace(".0.bias", ".bias")


@pytest.mark.parametrize("renamed", [str, old])
def test_the_features_are_the_levels_of_torchvisions_pyramid_averaged(backbone, renamed, tmp_path):
    state = {
        "backbone." + (renamed(name) if name.startswith("fpn") else name): tensor
        for name, tensor in backbone.state_dict().items()
    }
    path = tmp_path / "net.safetensors"
    save_file(state | {"roi_heads.box_head.fc6.bias": torch.zeros(3)}, path)
    images = rng().integers(0, 256, (2, 64, 96, 3), np.uint8)
    with torch.no_grad():
        maps = backbone(normalize(torch.tensor(images).permute(0, 3, 1, 2) / 255, MEAN, STD))
    expected = np.concatenate([maps[k].mean((2, 3)).numpy() for k in "0123"], 1)
    with Features(weights=str(path)).open() as extract:
        found = extract(images)
        alone = extract(images[1:])
    assert found.shape == (2, 1024) and found.dtype == np.float32
    scale = expected.std()
    assert scale > 1e-3
    np.testing.assert_allclose(found, expected, atol=1e-3 * scale)
    np.testing.assert_allclose(alone, found[1:], atol=1e-3 * scale)
    with Features(weights=str(path), precision="bfloat16").open() as extract:
        assert np.linalg.norm(extract(images) - found) < 0.05 * np.linalg.norm(found)


def test_the_cached_file_is_the_one_that_torchvision_downloads():
    assert MaskRCNN_ResNet50_FPN_Weights.COCO_V1.url.endswith("/" + mask_rcnn._CACHED)
