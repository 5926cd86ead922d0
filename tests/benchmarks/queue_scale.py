"""What a job costs its conductor: 1,000 workers, up to ten million images, rendering left out.

Run: python tests/benchmarks/queue_scale.py OUT [whole] [IMAGES ...]

The conductor is the real one, on real files and a real Redis: `pipeline.generate` with the executor
`Queue` and the job's `Meter`. The workers are played by a Fleet in the same process, which takes
real messages out of Redis, and writes real markers, reports and shards; instead of rendering, it
lets a clock of its own go on. Only what the conductor does is counted, as CPU time: whenever it
sleeps, the clock goes on and the workers have their turn.

Of jobs of more than a million images, only as many shards are carried out, at the beginning and at
the end; those between are told to be done all at once. With `whole`, all are carried out.

Each size is kept in OUT/<images>.json, and not measured again; the table of all is printed.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from queue_scale_measure import MOST, measure, say
from queue_scale_table import table

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)  # images


def main(out: Path, most: int, sizes: Sequence[int]) -> None:
    kept = []
    for images in sizes:
        path = out / f"{images}.json"
        if not path.exists():  # in a process of its own, for its memory's sake
            code = [sys.executable, __file__, str(out), "alone", str(most), str(images)]
            subprocess.run(code, check=True)
        kept.append(json.loads(path.read_text()))
    say(table(kept))


def alone(out: Path, most: int, images: int) -> None:
    place = out / f"{images}.scratch"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    try:
        found = measure(place, images, most)
        (out / f"{images}.json").write_text(json.dumps(found, indent=1))
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    folder, *words = sys.argv[1:]
    if words[:1] == ["alone"]:
        alone(Path(folder), int(words[1]), int(words[2]))
    else:
        is_whole = words[:1] == ["whole"]
        chosen = [int(word) for word in words[is_whole:]] or SIZES
        main(Path(folder), max(chosen) if is_whole else MOST, chosen)
