"""Structure learning on pictures of real MNIST digits; writes docs/results-real-digits.md.

Run: python tests/benchmarks/real_digits.py PATH/train-images-idx3-ubyte.gz

The hidden target (grammars/multi_mnist_line.scene) is bimodal in its counts, lays its digits in a
row, and uses other exemplars of the digits than the prior. `datagen learn` sees its pictures
alone, through the same command that a user types; the labels are read afterwards, to score.
"""

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PICTURES = 1000
# Target -> seeds of learning. In "crowd" each digit lies anywhere in its part of the line, so that
# neighbours often cover each other.
TARGETS = {"row": (0, 1, 2), "crowd": (0,)}
PLACES = {"row": "spread(8, 120, 0.3)", "crowd": "spread(8, 120)"}
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "results-real-digits.md"


def main(mnist: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        runs = []
        for target, seeds in TARGETS.items():
            pictures, truth = make_target(mnist, scratch / target, PLACES[target])
            for seed in seeds:
                run = learn(mnist, pictures, truth, scratch / target / f"run-{seed}", seed)
                runs.append({"target": target, **run})
    PAGE.write_text(page(runs))
    sys.stdout.write(PAGE.read_text())


def make_target(mnist: Path, scratch: Path, place: str) -> tuple[Path, Path]:
    """A folder of pictures alone, and the labels that nothing learns from."""
    scratch.mkdir()
    shipped = (ROOT / "grammars" / "multi_mnist_line.scene").read_text()
    assert PLACES["row"] in shipped
    (scratch / "hidden.scene").write_text(shipped.replace(PLACES["row"], place))
    recipe = scratch / "target.toml"
    recipe.write_text(
        f'grammar = "hidden.scene"\ncount = {PICTURES}\nseed = 77\n'
        f"[assets]\ndigits = {json.dumps(str(mnist.resolve()))}\n"
    )
    datagen("generate", str(recipe), "--out", str(scratch / "labelled"))
    pictures = scratch / "pictures"
    pictures.mkdir()
    for picture in (scratch / "labelled").glob("shards/*/*.png"):
        shutil.copyfile(picture, pictures / picture.name)
    return pictures, scratch / "labelled" / "annotations.json"


def learn(mnist: Path, pictures: Path, truth: Path, run: Path, seed: int) -> dict[str, Any]:
    """The distances that the command reports, with its whole time."""
    start = time.monotonic()
    text = datagen(
        "learn", "multi_mnist", "--target", str(pictures), "--out", str(run), "--json",
        "--truth", str(truth), "--set", f"assets.digits={mnist.resolve()}",
        "--set", f"learn.seed={seed}",
    )  # fmt: skip
    return json.loads(text) | {"seed": seed, "seconds": time.monotonic() - start}


def datagen(*args: str) -> str:
    command = [sys.executable, "-m", "datagen", *args]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def page(runs: list[dict[str, Any]]) -> str:
    rows = [
        [
            run["target"],
            str(run["seed"]),
            f"{run['prior']['count_tv']:.3f}",
            f"**{run['learned']['count_tv']:.3f}**",
            f"{run['classify_and_count']['count_tv']:.3f}",
            f"{run['prior']['class_tv']:.3f}",
            f"{run['learned']['class_tv']:.3f}",
            f"{run['classify_and_count']['class_tv']:.3f}",
            f"{run['prior']['distance']:.4f}",
            f"{run['learned']['distance']:.4f}",
            f"{run['floor']['distance']:.4f}",
            f"{run['seconds']:.0f}",
        ]
        for run in runs
    ]
    head = [
        "target", "seed", "count TV prior", "count TV learned", "count TV classify-and-count",
        "class TV prior", "class TV learned", "class TV classify-and-count",
        "distance prior", "distance learned", "distance of halves (95 %)", "seconds",
    ]  # fmt: skip
    table = "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])
    learned = [run["learned"]["count_tv"] for run in runs if run["target"] == "row"]
    spread = f"median {statistics.median(learned):.3f}, {min(learned):.3f} to {max(learned):.3f}"
    machine = f"{len(os.sched_getaffinity(0))} cores, {platform.machine()}"
    return f"""# Learning how many digits there are, from pictures alone

{PICTURES} pictures of real MNIST digits in a row; two or seven of them as a rule, some digits more
often than others. `datagen learn multi_mnist` sees the pictures; the prior has none to ten digits
anywhere, drawn from other exemplars. TV: total variation to the labels of the target, which are
read after learning. Learned and prior histograms are over 10,000 scenes. "Classify-and-count" asks
the same counting network about each target picture and learns nothing. "Distance" is the energy
distance of the network's expected counts. "Seconds" is the whole command, with the training of the
counting network.

{table}

Learned count TV over seeds, digits in a row: {spread}. In "row" digits stand side by side (the
paper says "upright in a straight line"; how close, it does not say); in "crowd" each lies
anywhere in its part of the line, so that neighbours often
cover each other, and the network that counts them miscounts more.

Machine: {machine}, Python {platform.python_version()}; other work on it was not excluded.

Made by `python tests/benchmarks/real_digits.py PATH/train-images-idx3-ubyte.gz`.
"""


if __name__ == "__main__":
    main(Path(sys.argv[1]))
