"""Plug-ins: the folder is the registry, in a checkout and in a wheel."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from faulty import ROOT

from datagen import plugins
from datagen.errors import MissingError, RecipeError


def run(code: str, *path: Path) -> subprocess.CompletedProcess[str]:
    """Code in a fresh interpreter that sees only `path` besides what is installed."""
    paths = ":".join(map(str, path))
    return subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": paths, "PATH": "/usr/bin:/bin"},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
    )


def copy(kind: str, target: Path) -> None:
    shutil.copytree(ROOT / kind, target, ignore=shutil.ignore_patterns("__pycache__"))


def test_a_folder_is_the_registry():
    assert "raster" in plugins.names("renderers")
    assert "prior" in plugins.names("generators")
    assert {"counts", "squeezenet"} <= set(plugins.names("features"))
    assert {"aerial", "multi_mnist"} <= set(plugins.names("grammars"))
    assert plugins.home("renderers") == ROOT / "renderers"


def test_private_modules_are_no_plugins():
    for kind in ("renderers", "features"):
        assert not [name for name in plugins.names(kind) if name.startswith("_")]


@pytest.mark.parametrize("kind", ["renderers", "generators", "features"])
def test_every_shipped_plugin_has_its_class(kind):
    for name in plugins.names(kind):
        assert plugins.load(kind, name).__name__ == plugins.CLASSES[kind]


def test_every_shipped_feature_extractor_says_its_name_and_its_units():
    for name in plugins.names("features"):
        found = plugins.load("features", name)
        assert found.name == name
        assert isinstance(found.standardise, bool)


def test_a_name_that_is_not_there_is_answered_with_the_nearest():
    with pytest.raises(RecipeError, match="did you mean `raster`"):
        plugins.load("renderers", "rastre")
    with pytest.raises(RecipeError, match="known: .*raster"):
        plugins.load("renderers", "zzz")


@pytest.mark.parametrize("use", [":", "x:", ":x", "..:X", "a b:C"])
def test_nonsense_is_refused_without_a_traceback(use):
    with pytest.raises((RecipeError, MissingError)) as caught:
        plugins.load("renderers", use)
    assert "use = " in str(caught.value)


def test_a_plugin_whose_dependency_is_missing_says_so(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "needy.py").write_text("import a_package_that_nobody_has\n")
    with pytest.raises(MissingError, match="needs the Python package `a_package_that_nobody_has`"):
        plugins.load("renderers", "needy:Renderer")


def test_a_plugin_that_fails_to_import_is_named_with_its_fault(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "torn.py").write_text("def half(\n")
    with pytest.raises(RecipeError, match=r'use = "torn:Renderer": importing .* SyntaxError'):
        plugins.load("renderers", "torn:Renderer")


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("no_such:Task", "there is no module `no_such`; correct the name, or put"),
        ("json:Task", "no class `Task` there"),
        ("a b:Task", "is not of the form"),
    ],
)
def test_what_is_wrong_with_a_task_is_told_by_its_own_key(task, words):
    with pytest.raises(RecipeError) as caught:
        plugins.load("tasks", task)
    text = str(caught.value)
    assert text.startswith(f'learn.attributes.task = "{task}"')
    assert words in text
    assert "use =" not in text


def test_a_strangers_package_is_refused_with_both_paths(tmp_path):
    (tmp_path / "renderers").mkdir()
    (tmp_path / "renderers" / "__init__.py").write_text("")
    code = (
        "from datagen import plugins, errors\n"
        "try: plugins.load('renderers', 'raster')\n"
        "except errors.MissingError as error: print(error)"
    )
    done = run(code, tmp_path, ROOT)
    assert str(tmp_path / "renderers") in done.stdout, done.stderr
    assert str(ROOT / "renderers") in done.stdout


def test_plugins_work_from_a_wheels_layout(tmp_path):
    copy("datagen", tmp_path / "datagen")
    for kind in ("renderers", "grammars", "configs"):
        copy(kind, tmp_path / "datagen" / kind)
    code = (
        "from datagen import plugins, recipe\n"
        "print(plugins.load('renderers', 'raster').__module__, plugins.home('grammars'))\n"
        "print(recipe.load('aerial').world().world)"
    )
    done = run(code, tmp_path)
    expected = f"datagen.renderers.raster {tmp_path}/datagen/grammars\naerial\n"
    assert done.stdout == expected, done.stderr


def test_a_checkout_that_is_not_installed_still_finds_its_folders(tmp_path):
    for kind in ("datagen", "renderers", "grammars", "configs"):
        copy(kind, tmp_path / kind)
    (tmp_path / "pyproject.toml").write_text("")
    done = run("from datagen import plugins; print(plugins.load('renderers','raster'))", tmp_path)
    assert "renderers.raster.Renderer" in done.stdout, done.stderr


def test_a_broken_installation_is_told(tmp_path):
    copy("datagen", tmp_path / "datagen")
    done = run("from datagen import plugins; plugins.home('renderers')", tmp_path)
    assert "install datagen again" in done.stderr
