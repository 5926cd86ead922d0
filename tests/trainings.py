"""Short trainings of the detector that learns in no time; for tests only."""

import json

from safetensors.torch import load_file

from datagen.detecting.job import train
from datagen.detecting.lessons import lesson

QUICK = (
    "train.detector.use=taught:Detector",
    "train.steps=20",
    "train.validate_every=5",
    "train.checkpoint_every=4",
    "train.holdout=0.25",
)


def sets(*more):
    return [word for text in (*QUICK, *more) for word in ("--set", text)]


def taught(folder, out, *more, **options):
    return train(lesson(str(folder), (*QUICK, *more)), out, **options)


def readings(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def kept_shift(run):
    return float(load_file(run / "model.safetensors")["shift"])
