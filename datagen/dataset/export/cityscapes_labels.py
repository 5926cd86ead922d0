"""Cityscapes' labels, and which of them our names mean."""

from collections.abc import Mapping

IGNORED = 255  # train id of what no network is trained on

LABELS: Mapping[str, int] = {
    "unlabeled": 0,
    "static": 4,
    "dynamic": 5,
    "ground": 6,
    "road": 7,
    "sidewalk": 8,
    "parking": 9,
    "rail track": 10,
    "building": 11,
    "wall": 12,
    "fence": 13,
    "guard rail": 14,
    "bridge": 15,
    "tunnel": 16,
    "pole": 17,
    "polegroup": 18,
    "traffic light": 19,
    "traffic sign": 20,
    "vegetation": 21,
    "terrain": 22,
    "sky": 23,
    "person": 24,
    "rider": 25,
    "car": 26,
    "truck": 27,
    "bus": 28,
    "caravan": 29,
    "trailer": 30,
    "train": 31,
    "motorcycle": 32,
    "bicycle": 33,
}
_TRAINED = (
    "road",
    "sidewalk",
    "building",
    "wall",
    "fence",
    "pole",
    "traffic light",
    "traffic sign",
    "vegetation",
    "terrain",
    "sky",
    "person",
    "rider",
    "car",
    "truck",
    "bus",
    "train",
    "motorcycle",
    "bicycle",
)
TRAIN_IDS: Mapping[int, int] = {LABELS[name]: k for k, name in enumerate(_TRAINED)}
COUNTED = frozenset(range(LABELS["person"], LABELS["bicycle"] + 1))  # labels with instances

_SYNONYMS: Mapping[str, str] = {
    "pavement": "sidewalk",
    "house": "building",
    "shop": "building",
    "hedge": "vegetation",
    "tree": "vegetation",
    "bush": "vegetation",
    "grass": "terrain",
    "verge": "terrain",
    "earth": "terrain",
    "lamp": "pole",
    "column pole": "pole",
    "light": "traffic light",
    "sign": "traffic sign",
    "sign symbol": "traffic sign",
    "pedestrian": "person",
    "cyclist": "rider",
    "bicyclist": "rider",
    "van": "car",
}


def label_id(name: str) -> int:
    """The label of a category or of stuff; 0, unlabeled, for a name that means none."""
    words = " ".join(name.lower().replace("_", " ").replace("-", " ").split())
    return LABELS.get(_SYNONYMS.get(words, words), 0)
