"""What a folder that is given as pictures is: a dataset of ours, a run, a report, or photos."""

from pathlib import Path, PurePosixPath

from datagen.dataset import coco
from datagen.dataset.store import COMPLETE, read_json
from datagen.errors import InputError

# What a run of `learn` may leave weights of.
_LEARNED = ("model", "layout", "appearance", "relate", "relate_clips", "gnm")


def is_dataset(folder: Path) -> bool:
    """Is it a dataset folder of `datagen generate`, finished or not?"""
    return (folder / "recipe.json").is_file() and (
        (folder / "scenes.jsonl").is_file() or (folder / "shards").is_dir()
    )


def images_of_dataset(folder: Path) -> list[str]:
    """Names of its images; its passes are pictures too, and are not meant."""
    refuse_unfinished(folder)
    names = [str(image.get("file_name")) for image in coco.read(folder)["images"]]
    for name in names:
        place = PurePosixPath(name)
        if place.is_absolute() or ".." in place.parts or not name.isprintable():
            raise InputError(
                f"{folder}: names an image that lies outside of it or nowhere ({name!a}); "
                f"`datagen verify {folder}` says more"
            )
    return names


def refuse_unfinished(folder: Path) -> None:
    """A dataset of ours has labels only when it is finished."""
    if is_dataset(folder) and not (folder / COMPLETE).is_file():
        raise InputError(f"{folder}: is not finished; run `datagen generate` with --resume first")


def refuse_run(folder: Path) -> None:
    """A run of `learn` holds contact sheets, which are no pictures of its world."""
    weights = any((folder / f"{name}.safetensors").is_file() for name in _LEARNED)
    published = all((folder / name).is_file() for name in ("recipe.json", "metrics.jsonl"))
    if published and weights and not is_dataset(folder):
        raise InputError(
            f"{folder}: is a run of `datagen learn`, no set of pictures; "
            f"make some with `datagen generate {folder} --out DIR` and give that folder"
        )


def refuse_results(folder: Path) -> None:
    """Runs of `train` and evaluations hold JSON files and pictures, and no labelled ones."""
    if is_train_run(folder):
        raise InputError(
            f"{folder}: is a run of `datagen train`, no set of pictures; name the labelled pictures"
        )
    if is_evaluation(folder):
        raise InputError(
            f"{folder}: was written by `datagen evaluate`, and is no set of pictures; name the "
            "labelled pictures"
        )


def is_train_run(folder: Path) -> bool:
    """Is it a run of `datagen train`, ended or not? A `train.json` alone may be anyone's."""
    meta = folder / "meta.json"
    try:
        return meta.is_file() and read_json(meta).get("verb") == "train"
    except InputError:  # another tool's
        return False


def is_unfinished_run(folder: Path) -> bool:
    """Is it a run of `datagen learn` that has not ended?"""
    try:
        meta = read_json(folder / "meta.json")
    except InputError:  # none, or another tool's
        return False
    return {"recipe", "target"} <= meta.keys() and not (folder / "recipe.json").is_file()


def is_evaluation(folder: Path) -> bool:
    """Did `datagen evaluate` write this folder?"""
    return (folder / "detections.json").is_file() and (folder / "report.html").is_file()
