"""The front door: what `import datagen` shows, when it is loaded, and that it is what it says."""

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

import datagen
from datagen.cli import VERBS

DOOR = ROOT / "datagen" / "__init__.py"


def shown_to_type_checkers() -> dict[str, str]:
    """Public name -> the place that the `if TYPE_CHECKING` block gives for it."""
    block = next(node for node in ast.parse(DOOR.read_text()).body if isinstance(node, ast.If))
    return {
        alias.asname or alias.name: f"{node.module}:{alias.name}".removeprefix("datagen.")
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def in_a_fresh_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_datagen_loads_nothing_else_of_it():
    code = "import datagen, sys; print([m for m in sys.modules if m.startswith('datagen.')])"
    assert in_a_fresh_process(code) == "[]"


def test_every_public_name_can_be_had_and_is_listed():
    for name in datagen.__all__:
        assert getattr(datagen, name) is not None
    assert set(datagen.__all__) <= set(dir(datagen))


def test_type_checkers_are_shown_what_is_loaded():
    assert shown_to_type_checkers() == datagen._PLACES
    assert {*datagen._PLACES, "__version__"} == set(datagen.__all__)


@pytest.mark.parametrize("name", datagen._PLACES)
def test_a_public_name_is_the_very_object_of_its_module(name):
    module, _, attribute = datagen._PLACES[name].partition(":")
    found = importlib.import_module(f"datagen.{module}")
    assert getattr(datagen, name) is getattr(found, attribute)


def test_no_public_name_hides_a_module():
    modules = {path.stem for path in (ROOT / "datagen").iterdir()}
    assert not modules & set(datagen.__all__)


def test_modules_can_be_imported_as_before_once_the_door_is_open():
    code = (
        "import datagen; datagen.load_recipe, datagen.generate\n"
        "from datagen import labels, language, pipeline, recipe\n"
        "print(*(type(m).__name__ for m in (labels, language, pipeline, recipe)))"
    )
    assert in_a_fresh_process(code) == "module module module module"


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'generat'"):
        datagen.generat  # noqa: B018
    with pytest.raises(ImportError):
        exec("from datagen import generat")


def test_light_names_load_no_heavy_library():
    code = (
        "import sys, datagen as d\n"
        "d.parse_grammar, d.load_grammar, d.load_recipe, d.Grammar, d.Scene, d.Frame\n"
        "print({'torch', 'cv2', 'matplotlib', 'celery'} & sys.modules.keys())"
    )
    assert in_a_fresh_process(code) == "set()"


def test_what_the_command_line_does_to_datasets_has_a_name_here():
    verbs = {"generate", "learn", "verify", "export", "regen"}
    assert verbs <= set(VERBS)
    assert verbs <= set(datagen.__all__)


def test_a_dataset_made_through_the_door_is_that_of_the_command_line(cli, write_recipe, tmp_path):
    path = write_recipe()
    made = datagen.generate(datagen.load_recipe(path), tmp_path / "door")
    done = cli("generate", path, "--out", tmp_path / "line", "--json")
    assert json.loads(done.out)["dataset_digest"] == made.dataset_digest
    assert datagen.verify(tmp_path / "door").findings == ()
    scene, frame = datagen.regen(tmp_path / "door", 1)
    assert isinstance(scene, datagen.Scene)
    assert isinstance(frame, datagen.Layout)
    assert len(datagen.annotate(frame)) >= 1
    report = datagen.export(tmp_path / "door", "yolo", Path(tmp_path / "yolo"))
    assert report.images == 3
