"""Whose labels a folder holds, by its look."""

from pathlib import Path

from datagen.dataset.folders import is_dataset, refuse_results, refuse_run
from datagen.errors import InputError
from datagen.labelled import Kind
from datagen.reading import camvid, coco, kitti, yolo, yolo_names

_KNOWN = (
    "a dataset of `datagen generate`, a COCO file or its folder, KITTI (`image_2` beside "
    "`label_2`), YOLO (`images` beside `labels`), or CamVid's `train`, which has `trainannot` "
    "beside it"
)


def kind_of(path: Path) -> Kind:
    """The kind of labels at `path`, which exists."""
    if path.is_file():
        return _of_file(path)
    refuse_run(path)
    refuse_results(path)
    # COCO comes last: any tool may leave a JSON file in its folder.
    if is_dataset(path) or (path / coco.NAME).is_file():
        return "coco"
    if kitti.found(path) is not None:
        return "kitti"
    if camvid.maps_of(path).is_dir():
        return "camvid"
    if yolo.found(path):
        return "yolo"
    if coco.found(path):
        return "coco"
    raise InputError(f"{path}: no labelled pictures are found here; give {_KNOWN}")


def _of_file(path: Path) -> Kind:
    if path.suffix.lower() == ".json":
        return "coco"
    if path.suffix.lower() in yolo_names.HEADS:
        return "yolo"
    raise InputError(f"{path}: is a file that holds no list of labels; give {_KNOWN}")
