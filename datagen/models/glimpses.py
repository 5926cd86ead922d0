"""Small pictures of objects, put into a large one by matrices instead of sampling.

A box stretches a glimpse in rows and columns alone, so that a warp is a product of three matrices,
and the sum over all objects of a picture is one product.
"""

import torch
from torch import Tensor

_STRETCH = 4.0  # most of a box's log of width over height


def boxes_of(where: Tensor, grid: tuple[int, int], cell: int) -> Tensor:
    """Boxes [B, K, 4] in px: centre x, centre y, width, height; `where` likewise.

    The four numbers: logit of the side as a share of the picture's shorter side, log of width over
    height, and how far the centre is from its cell's, which tanh holds within a cell's side.
    `grid`: rows and columns of cells.
    """
    rows, columns = grid
    side = torch.sigmoid(where[..., 0]) * (min(grid) * cell)
    stretch = torch.exp(0.5 * where[..., 1].clamp(-_STRETCH, _STRETCH))
    k = torch.arange(rows * columns, device=where.device)
    home = torch.stack([k % columns, k // columns], 1) + 0.5  # K, 2
    centre = cell * (home + torch.tanh(where[..., 2:]))
    return torch.cat([centre, torch.stack([side / stretch, side * stretch], -1)], -1)


def hats(centre: Tensor, length: Tensor, start: int, stop: int, side: int) -> Tensor:
    """What each of `side` glimpse pixels gives to pixels start..stop of a line: [..., P, side].

    Linear interpolation, with nothing beyond the glimpse. `centre`, `length` of boxes, px.
    """
    pixels = torch.arange(start, stop, device=centre.device) + 0.5
    at = (pixels - centre[..., None]) / length[..., None] * side + (side - 1) / 2
    own = torch.arange(side, device=centre.device)
    return torch.relu(1 - (at[..., None] - own).abs())


def placed(glimpses: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Sum over objects of glimpses [B, K, C, g, g] in their boxes [B, K, 4] -> [B, C, H, W].

    `size`: height and width, px.
    """
    B, K, C, g, _ = glimpses.shape
    height, width = size
    x, y, w, h = boxes.unbind(-1)
    down, across = hats(y, h, 0, height, g), hats(x, w, 0, width, g)
    rows = glimpses @ across.transpose(2, 3)[:, :, None]  # B, K, C, g, W
    rows = rows.transpose(1, 2).reshape(B, C, K * g, width)
    columns = down.transpose(1, 2).reshape(B, 1, height, K * g)
    return columns @ rows


def layers(
    glimpses: Tensor, boxes: Tensor, rows: tuple[int, int], columns: tuple[int, int]
) -> Tensor:
    """Each object by itself: glimpses [K, C, g, g] -> [K, C, rows, columns], from..to px."""
    x, y, w, h = boxes.unbind(-1)
    g = glimpses.shape[-1]
    down, across = hats(y, h, *rows, g), hats(x, w, *columns, g)
    return down[:, None] @ glimpses @ across.transpose(1, 2)[:, None]
