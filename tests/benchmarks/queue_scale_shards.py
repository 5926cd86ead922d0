"""Shards without pictures, as like real ones as the joining at the end of a job looks."""

import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from datagen import recipe
from datagen.dataset import store
from datagen.dataset.store import FolderShelf, Shard
from datagen.frames import opened
from datagen.shards import make_shard

SHARD = 64  # images


class Shards:
    """Publishes shards in the place of who renders them."""

    def __init__(self, made: recipe.Recipe, out: Path, whole: bool) -> None:
        self.out = out
        self._texts = _texts(made) if whole else {"shard.json": "{}"}
        self.twice = 0

    def publish(self, payload: dict[str, Any]) -> None:
        shard = Shard(payload["start"], payload["stop"])
        if store.is_published(self.out, shard):
            self.twice += 1
            return
        target = self.out / shard.place
        target.parent.mkdir(exist_ok=True)
        aside = self.out / "tmp" / shard.name
        aside.mkdir(parents=True)
        for name, text in self._texts.items():
            (aside / name).write_text(_moved(text, shard))
        os.rename(aside, target)


def _texts(made: recipe.Recipe) -> dict[str, str]:
    """The files of a real first shard but its pictures, with marks for what others have instead."""
    first, texts = Shard(0, SHARD), {}
    with tempfile.TemporaryDirectory() as place, opened(made) as make_frame:
        make_shard(made, make_frame, FolderShelf(Path(place)), first, 0, lambda done: None)
        for name in ("shard.json", "records.jsonl", "scenes.jsonl"):
            text = (Path(place) / first.place / name).read_text()
            text = re.sub(r"\b000000(\d\d)\.png", r"\0name \1\0.png", text)
            text = re.sub(r'"index":(\d+)([,}])', r'"index":\0number \1\0\2', text)
            texts[name] = text.replace(first.name, "\0shard\0")
    return texts


def _moved(text: str, shard: Shard) -> str:
    """The text for another shard; the last one of a dataset may be smaller."""
    pieces = text.split("\0")
    for k in range(1, len(pieces), 2):
        kind, _, index = pieces[k].partition(" ")
        number = shard.start + int(index or 0)
        pieces[k] = {"shard": shard.name, "name": f"{number:08d}"}.get(kind, str(number))
    moved = "".join(pieces)
    lines = moved.splitlines(keepends=True)
    if len(shard) < SHARD == len(lines):
        return "".join(lines[: len(shard)])
    if len(shard) < SHARD and "digests" in moved:
        facts = json.loads(moved)
        return json.dumps({**facts, "digests": facts["digests"][: len(shard)]})
    return moved
