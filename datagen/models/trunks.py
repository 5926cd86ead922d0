"""Networks that others have trained, cut off where a picture becomes features.

Architectures are torchvision's, so that its weights fit; they are made without weights, on the
meta device, and hold none until `load_state_dict(..., assign=True)`.
"""

from collections import OrderedDict
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, interpolate
from torchvision.models import inception_v3, squeezenet1_0, squeezenet1_1, vgg19
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

# Of ImageNet's pixels in 0..1, as torchvision trains with them.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

SqueezeNetVersion = Literal["1_0", "1_1"]


class Extractor(nn.Module):
    """Pictures resized, normalised, sent through a trunk, its maps averaged in grid x grid cells.

    A map of C channels gives C * grid * grid features: channel by channel, rows of cells from the
    top. `size` is the shorter side that pictures are brought to, or (height, width), or nothing.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        trunk: nn.Module,
        *,
        grid: int = 1,
        size: int | tuple[int, int] | None = None,
        mean: tuple[float, ...] = MEAN,
        std: tuple[float, ...] = STD,
    ) -> None:
        super().__init__()
        self.trunk, self.grid, self.size = trunk, grid, size
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))
        self.dtype = torch.float32

    def reduced(self) -> "Extractor":
        """Convolutions in bfloat16; normalisation and what is given out stay float32."""
        self.dtype = torch.bfloat16
        for module in self.trunk.modules():
            if isinstance(module, nn.Conv2d):
                module.to(torch.bfloat16)
        return self

    def forward(self, pictures: Tensor) -> Tensor:
        """float [N, 3, H, W] in 0..1 -> float32 [N, dim]; differentiable."""
        x = (self._resized(pictures) - self.mean) / self.std
        maps = self.trunk(x.to(self.dtype, memory_format=torch.channels_last))
        cells = [adaptive_avg_pool2d(m.float(), self.grid) for m in maps]
        return torch.cat([c.flatten(1) for c in cells], 1)

    def shape(self, height: int, width: int) -> tuple[int, int]:
        """What the trunk sees of pictures of this height and width."""
        if self.size is None:
            return height, width
        if isinstance(self.size, tuple):
            return self.size
        scale = self.size / min(height, width)
        return max(1, round(height * scale)), max(1, round(width * scale))

    def _resized(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        shape = self.shape(height, width)
        if shape == (height, width):
            return x
        # Antialiased: what is made smaller would else lose lines and edges between its pixels.
        return interpolate(x, shape, mode="bilinear", align_corners=False, antialias=True)


def squeezenet(version: SqueezeNetVersion, layer: str) -> "Maps":
    """SqueezeNet (Iandola et al., 2016) up to "conv1" after its ReLU, or "fire2" ... "fire9"."""
    with torch.device("meta"):
        net = squeezenet1_0() if version == "1_0" else squeezenet1_1()
    steps = list(net.features)
    fires = [k for k, step in enumerate(steps) if type(step).__name__ == "Fire"]
    last = 1 if layer == "conv1" else fires[int(layer.removeprefix("fire")) - 2]
    return Maps(nn.Sequential(*steps[: last + 1]))


def inception() -> "Maps":
    """Inception-V3 (Szegedy et al., 2016) up to the 2048 channels before its last pooling."""
    with torch.device("meta"):
        net = inception_v3(weights=None, aux_logits=False, init_weights=False)
    beyond = ("avgpool", "dropout", "fc")
    children = [(name, child) for name, child in net.named_children() if name not in beyond]
    return Maps(nn.Sequential(OrderedDict(children)))


def pyramid() -> "Maps":
    """ResNet-50 with a feature pyramid (Lin et al., 2017): 256 channels at strides 4, 8, 16, 32.

    The trunk of torchvision's maskrcnn_resnet50_fpn, whose COCO weights want eps = 0.
    """
    with torch.device("meta"):
        norm = partial(nn.BatchNorm2d, eps=0.0)
        return Maps(resnet_fpn_backbone(backbone_name="resnet50", weights=None, norm_layer=norm))


class Maps(nn.Module):
    """A trunk that gives a list of maps, the extra one above a pyramid's top left out."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = self.body(x)
        return [maps] if isinstance(maps, Tensor) else [m for k, m in maps.items() if k != "pool"]


class Stages(nn.Module):
    """Maps of several depths of a trunk, which a perceptual distance compares."""

    mean: Tensor
    std: Tensor

    def __init__(self, body: nn.Sequential, kept: tuple[int, ...]) -> None:
        super().__init__()
        self.body, self.kept = body, kept
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """float [N, 3, H, W] -> a map for each number in `kept`, of the step that gives it.

        Of small pictures the deepest are left out: there is nothing left to pool.
        """
        x = ((pictures - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        maps = []
        for k, step in enumerate(self.body):
            if isinstance(step, nn.MaxPool2d | nn.AvgPool2d) and min(x.shape[2:]) < 2:
                break
            x = step(x)
            if k in self.kept:
                maps.append(x)
        return maps


def squeezenet_stages() -> Stages:
    """SqueezeNet 1.0 at conv1, fire2, fire3, fire5 and fire9, all after their ReLU."""
    with torch.device("meta"):
        body = squeezenet1_0().features[:13]
    return Stages(body, (1, 3, 4, 7, 12))


def vgg19_stages() -> Stages:
    """VGG-19 (Simonyan and Zisserman, 2015) at conv1_2 ... conv5_2 after their ReLU.

    Pooling is by averages, as Gatys et al. (2016) and Chen and Koltun (2017) have it.
    """
    with torch.device("meta"):
        steps = list(vgg19().features.children())[:32]
    averaged = [nn.AvgPool2d(2) if isinstance(s, nn.MaxPool2d) else s for s in steps]
    return Stages(nn.Sequential(*averaged), (3, 8, 13, 22, 31))
