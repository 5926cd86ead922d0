"""What a dataset holds, summed over its shards."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datagen.dataset import store
from datagen.dataset.store import Shard


@dataclass(frozen=True)
class Totals:
    """Counts, and `digest`, which depends on the content and not on how it was cut into shards."""

    images: int
    annotations: int
    categories: dict[str, int]  # labelled things of each class
    empty: int  # images without a label
    digest: str
    rejected: int | None = None  # attempts at images; None: no part turns any away


def add_up(out: Path, shards: Sequence[Shard], categories: Sequence[str]) -> Totals:
    """Totals from the shards' own summaries, in index order."""
    chain = hashlib.sha256()
    counts = Counter(dict.fromkeys(categories, 0))
    images = empty = 0
    rejected: int | None = None
    for shard in shards:
        facts = store.summary(out, shard)
        for index, digest in enumerate(facts["digests"], shard.start):
            chain.update(f"{index} {digest}\n".encode())
        counts.update(facts["categories"])
        images += len(facts["digests"])
        empty += facts["empty"]
        if "rejected" in facts:
            rejected = (rejected or 0) + sum(facts["rejected"])
    return Totals(images, counts.total(), dict(counts), empty, chain.hexdigest(), rejected)
