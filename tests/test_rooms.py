"""The rooms: who may import whom, and what may not be loaded before it is needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from faulty import ROOT

# From the ground up; a module may import from its own room and from those before it.
ROOMS = [
    ["errors", "progress", "rng", "threads"],
    ["files", "digest", "distributions", "plugins", "allowed", "tensors", "storage"],
    ["grammar", "scene", "edits", "clearance", "frame", "labelled", "decoding", "rle"],
    ["derivation", "placement", "rolling", "labels", "audit", "language", "interfaces", "dataset"],
    ["freezing"],
    ["parts"],
    ["taught"],
    ["settings"],
    ["motion"],
    ["recipe"],
    ["reading"],
    ["scoring"],
    ["rendering", "report"],
    ["clips"],
    ["frames"],
    ["editing"],
    ["shards"],
    ["jobs"],
    ["pipeline", "estimating"],
    ["models"],
    ["features"],
    ["learning"],
    ["metrics"],
    ["comparing"],
    ["detecting"],
    ["advising"],
    ["generators"],
    ["demo"],
    ["web"],
    ["client"],
    ["cli", "doctor", "__main__"],
]
# Modules of a room that stand on another floor than their room does.
ABOVE = {
    "dataset.totals": "recipe",
    "dataset.shelves": "recipe",
    "dataset.sites": "recipe",
    "dataset.card": "recipe",
    "dataset.claim": "recipe",
    "dataset.manifest": "recipe",
    "dataset.verify": "recipe",
    "dataset.versions": "recipe",
    "dataset.weights": "recipe",
    "dataset.export.job": "pipeline",
}
HEAVY = (
    *("torch", "torchvision", "torchmetrics", "cv2", "OpenGL", "celery", "matplotlib"),
    *("pycocotools", "scipy", "s3fs", "fsspec", "botocore", "aiohttp"),
    *("fastapi", "starlette", "uvicorn", "httpx2"),
)


def modules():
    return sorted((ROOT / "datagen").rglob("*.py"))


def name_of(path: Path) -> str:
    """datagen/dataset/store.py -> dataset.store"""
    parts = path.relative_to(ROOT / "datagen").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def floor(name: str) -> int:
    """How high a module stands; packages' own names stand where their room does."""
    room = ABOVE.get(name, name).split(".")[0]
    found = [k for k, rooms in enumerate(ROOMS) if room in rooms]
    assert found, f"{name} has no place yet: give it one in ROOMS"
    return found[0]


def imported(path: Path) -> set[str]:
    """Modules of datagen that a file imports, wherever in the file, as dataset.store."""
    return imported_by(ast.parse(path.read_text()))


def imported_by(tree: ast.Module) -> set[str]:
    known = {name_of(module) for module in modules()}
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            deeper = {name for name in inner if name.removeprefix("datagen.") in known}
            found |= deeper or {node.module}
    ours = {name.removeprefix("datagen.") for name in found if name.startswith("datagen.")}
    return ours & known


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_point_down(path):
    name = name_of(path)
    if name == "":
        # The front door names everything for type checkers, and imports nothing when it runs.
        tree = ast.parse(path.read_text())
        tree.body = [node for node in tree.body if not isinstance(node, ast.If)]
        assert imported_by(tree) == set()
        return
    above = {other for other in imported(path) if floor(other) > floor(name)}
    assert not above, f"{name} imports from above: {sorted(above)}"


def test_modules_do_not_import_each_other_in_a_circle():
    graph = {name_of(path): imported(path) - {name_of(path)} for path in modules()}
    # A package's __init__ stands for what it shows; its members may not need it.
    while free := [name for name, needs in graph.items() if not needs & graph.keys()]:
        for name in free:
            del graph[name]
    assert not graph, f"in a circle, or above one: {sorted(graph)}"


def test_generators_and_renderers_are_loaded_by_name_only():
    """What is a plug-in is never imported by the rooms that use it."""
    for path in modules():
        if name_of(path).split(".")[0] == "generators":
            continue
        tree = ast.parse(path.read_text())
        names = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        strangers = {n for n in names if n.split(".")[0] in ("renderers", "detectors")}
        strangers |= {n for n in names if n.startswith("datagen.generators")}
        assert not strangers, path


PLUG_INS = [*(ROOT / "renderers").glob("*.py"), *(ROOT / "detectors").glob("*.py")]


@pytest.mark.parametrize("path", sorted(PLUG_INS), ids=lambda p: f"{p.parent.name}.{p.stem}")
def test_plugins_import_datagen_by_its_full_name_and_siblings_by_a_dot(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and not node.level:
            assert (node.module or "").split(".")[0] not in ("renderers", "detectors"), path


@pytest.mark.parametrize(
    "module",
    [
        "datagen",
        "datagen.cli",
        "datagen.language",
        "datagen.grammar",
        "datagen.derivation",
        "datagen.recipe",
        "datagen.plugins",
        "datagen.interfaces",
        *(f"datagen.features.{name}" for name in ("squeezenet", "inception", "mask_rcnn")),
    ],
)
def test_nothing_heavy_is_loaded_before_it_is_needed(module):
    code = f"import sys, {module}; print(*({set(HEAVY)!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


def test_a_grammar_is_learned_without_what_networks_of_photos_need():
    code = "import sys, datagen.learning.job; print('torchvision' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("library", HEAVY)
def test_a_heavy_library_is_imported_at_the_top_of_its_own_rooms_only(library):
    """`cv2` by whoever reads or writes pixels, `torch` by models and learning, and so on."""
    rooms = {
        "torch": {
            *(
                "tensors",
                "models",
                "features",
                "learning",
                "metrics",
                "generators",
                "detecting",
                "doctor",
            ),
        },
        "torchvision": {"models", "learning", "doctor"},
        "torchmetrics": {"metrics"},
        "cv2": {"dataset", "report", "learning", "metrics", "reading", "doctor", "web.errands"},
        "OpenGL": {"doctor"},
        "celery": {"jobs.celery", "doctor"},
        "matplotlib": {"report", "doctor"},
        "pycocotools": {"rle", "audit", "dataset", "reading", "scoring", "doctor"},
        "scipy": {"learning", "metrics", "advising", "doctor"},
        "s3fs": {"storage.objects"},
        "fsspec": {"storage.objects"},
        "botocore": {"storage.objects"},
        "aiohttp": {"storage.objects"},
        "fastapi": {"web"},
        "starlette": {"web"},
        "uvicorn": {"web"},
        "httpx2": {"client"},
    }[library]
    for path in modules():
        name = name_of(path)
        if library in libraries(path):
            assert name in rooms or name.split(".")[0] in rooms, name


def libraries(path: Path) -> set[str]:
    """Top-level packages that a file imports, wherever in the file."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    parts = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.split(".")[0] for name in plain | parts}
