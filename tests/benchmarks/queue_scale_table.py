"""The table of what jobs of several sizes cost their conductors."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from queue_scale_fleet import WORKERS


def table(kept: Sequence[dict[str, Any]]) -> str:
    head = (
        "images", "shards", "carried out", "a shard, CPU ms", "first to last tenth of them",
        "of one core", "workers busy", "begin, s", "look again, s", "join, ms an image",
        "memory, MB",
    )  # fmt: skip
    lines = [head, ["---"] * len(head), *map(_row, kept)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(one: dict[str, Any]) -> list[str]:
    costs = _costs_of_parts(one["parts"])
    join = "-" if one["finish_s"] is None else f"{1e3 * one['finish_s'] / one['images']:.3f}"
    return [
        f"{one['images']:,}",
        f"{one['shards']:,}",
        f"{one['carried']:,}",
        f"{1e3 * one['render_s'] / one['carried']:.2f}",
        f"{1e3 * costs[0]:.2f} to {1e3 * costs[-1]:.2f}",
        f"{one['render_s'] / one['render_clock']:.3f}",
        f"{one['worked_s'] / one['render_clock'] / WORKERS:.3f}",
        f"{one['begin_s']:.2f}",
        f"{one['look_s']:.2f}",
        join,
        f"{one['start_bytes'] / 1e6:.0f} to {one['peak_bytes'] / 1e6:.0f}",
    ]


def _costs_of_parts(parts: Sequence[dict[str, Any]]) -> list[float]:
    """CPU seconds a shard in each part of a run."""
    pairs = pairwise(parts)
    return [
        (b["cpu"] - a["cpu"]) / (b["shards"] - a["shards"])
        for a, b in pairs
        if b["shards"] > a["shards"]
    ]
