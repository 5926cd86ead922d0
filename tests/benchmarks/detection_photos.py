"""A detector that never saw a photo, on photos: trained on the prior, and on what was learned.

Run: python tests/benchmarks/detection_photos.py OUT CAMVID KITTI

OUT: that of `streets_learning.py OUT SQUEEZENET camvid PHOTOS`. CAMVID: the folder of labelled
frames that nothing was learned from, such as camvid/val. KITTI: a folder of photos, whose
detections are drawn into OUT/kitti-SCENES.jpg (photos of others do not go into the project). What
is there under OUT is not made again; each call writes docs/results-detection-photos.md anew.
"""

import json
import statistics
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
from streets_learning import once, seconds

from datagen.detecting.snapshot import snapshot

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "results-detection-photos.md"
SEEDS = (0, 1, 2)
TRAIN = 1000  # pictures
CANVAS = (480, 360)  # CamVid's
STEPS, BATCH = 250, 8
SURE = 0.5  # of detections that are drawn
SCENES = {"prior": "prior", "made": "learned"}  # name under OUT -> on the page
# CamVid's label maps call everything on four wheels a car.
TRAINING = (
    "train.categories={car=['car','van','truck','bus'], pedestrian=['pedestrian'], "
    "cyclist=['cyclist']}",
    f"train.steps={STEPS}",
    f"train.batch={BATCH}",
)


def trained(out: Path, scenes: str, seed: int) -> Path:
    """The run of a detector on the prior's or the learned pictures."""
    pictures, run = out / f"photos-{scenes}", out / f"photos-detector-{scenes}-{seed}"
    source = out / "camvid.toml" if scenes == "prior" else out / "camvid-run"
    once(pictures, "generate", source, "--set", f"canvas={list(CANVAS)}", "--count", TRAIN,
         "--seed", 1000, "--workers", 2)  # fmt: skip
    sets = [word for text in (*TRAINING, f"train.seed={seed}") for word in ("--set", text)]
    once(run, "train", pictures, *sets)
    return run


def drawn(run: Path, photos: Path, path: Path) -> None:
    """What a detector finds in the first photos of a folder, as one picture."""
    colours = ((60, 60, 255), (0, 220, 255), (255, 220, 0))
    rows = []
    with snapshot(run).described.open() as detect:
        for file in sorted(photos.iterdir())[::4][:12]:
            image = cv2.imread(str(file))
            image = cv2.resize(image, (1242, 375), interpolation=cv2.INTER_AREA)
            found = detect([cv2.cvtColor(image, cv2.COLOR_BGR2RGB)])[0]
            for box, score, category in zip(
                found.boxes, found.scores, found.categories, strict=True
            ):
                if score >= SURE:
                    x, y, w, h = (round(float(v)) for v in box)
                    cv2.rectangle(image, (x, y), (x + w, y + h), colours[category], 2)
            rows.append(cv2.resize(image, (828, 250), interpolation=cv2.INTER_AREA))
    left, right = cv2.vconcat(rows[::2]), cv2.vconcat(rows[1::2])
    cv2.imwrite(str(path), cv2.hconcat([left, right]))


# ------------------------------------------------------------------------------------------ page

HEAD = f"""# A detector that never saw a photo, on photos

Made by `python tests/benchmarks/detection_photos.py OUT CAMVID KITTI` after `streets_learning.py
OUT SQUEEZENET camvid PHOTOS`, on 2 cores without a GPU.

The small Mask R-CNN is trained from random weights on {TRAIN:,} drawn pictures of {CANVAS[0]} x
{CANVAS[1]} px for {STEPS} steps of {BATCH}: of the prior `street_urban` (with traffic on the left),
and of what `street_3d_photos` learned from CamVid's 367 training frames without labels. It is
tested on CamVid's 101 validation frames, whose boxes are made from label maps by the rule of
[labelled pictures](labelled-data.md): what hangs together is a thing, and what has not the shape of
one is ignored. Vans, lorries and buses count as cars there. AP50 of boxes, in per cent. ImageNet
weights for the backbone were not to be had on this machine, so there is no row with them.
"""


def page(out: Path) -> str:
    lines = [
        HEAD,
        "| scenes | seed | car | pedestrian | cyclist | mean | minutes to train |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    means: dict[str, list[float]] = {}
    for scenes, told in SCENES.items():
        for seed in SEEDS:
            if (out / f"photos-evaluation-{scenes}-{seed}.seconds").is_file():
                report = json.loads(
                    (out / f"photos-evaluation-{scenes}-{seed}" / "report.json").read_text()
                )
                minutes = seconds(out / f"photos-detector-{scenes}-{seed}") / 60
                means.setdefault(told, []).append(report["bbox"]["AP50"])
                lines.append(f"| {told} | {seed} | {_cells(report)} | {minutes:.1f} |")
    for told, values in means.items():
        spread = f"{100 * min(values):.1f} to {100 * max(values):.1f}"
        mean = f"{100 * statistics.mean(values):.1f}"
        lines += ["", f"{told.capitalize()}: mean {mean} ({spread}), seeds: {len(values)}."]
    return "\n".join([*lines, ""])


def _cells(report: Mapping[str, Any]) -> str:
    per = report["bbox"]["per_category"]
    values = [per.get(name, {}).get("AP50") for name in ("car", "pedestrian", "cyclist")]
    told = [*values, report["bbox"]["AP50"]]
    return " | ".join("-" if v is None else f"{100 * v:.1f}" for v in told)


def main(out: Path, camvid: Path, kitti: Path) -> None:
    for seed in SEEDS:
        for scenes in SCENES:
            run = trained(out, scenes, seed)
            once(out / f"photos-evaluation-{scenes}-{seed}", "evaluate", run, camvid)
            PAGE.write_text(page(out))
            if seed == SEEDS[0]:
                drawn(run, kitti, out / f"kitti-{scenes}.jpg")


if __name__ == "__main__":
    main(*(Path(word).resolve() for word in sys.argv[1:4]))
