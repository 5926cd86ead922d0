"""What a user installs: the wheel, the lock, and the recipes that come with it."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from datagen.cli import VERBS

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
NO_PYTHON = {
    *(".lark", ".bib", ".html", ".jinja", ".css", ".js", ".svg", ".webp", ".scene", ".txt"),
}
PLUG_IN_FOLDERS = ("renderers", "detectors", "grammars", "configs")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, unpacked as an installer would."""
    folder = tmp_path_factory.mktemp("wheel")
    build = "import hatchling.build, sys; print(hatchling.build.build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", build, str(folder)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_the_plug_in_folders_nest_inside_the_package(wheel):
    top = {path.name for path in wheel.iterdir() if not path.name.endswith(".dist-info")}
    assert top == {"datagen"}
    for folder in PLUG_IN_FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert (wheel / "datagen" / path.relative_to(ROOT)).is_file()


def test_every_folder_that_is_to_be_packed_is_there():
    build = PROJECT["tool"]["hatch"]["build"]["targets"]
    listed = [
        *build["wheel"]["only-include"],
        *build["wheel"]["sources"],
        *build["sdist"]["include"],
    ]
    assert all((ROOT / name.lstrip("/")).exists() for name in listed)


def test_files_that_are_not_python_are_in_the_wheel(wheel):
    for path in (ROOT / "datagen").rglob("*"):
        if path.is_file() and path.suffix in NO_PYTHON:
            assert (wheel / path.relative_to(ROOT)).is_file(), path


def test_the_wheel_works_away_from_the_checkout(wheel, tmp_path):
    def run(*args):
        return subprocess.run(
            [sys.executable, "-m", "datagen", *args],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(wheel)},
            capture_output=True,
            text=True,
        )

    where = subprocess.run(
        [sys.executable, "-c", "import datagen; print(datagen.__file__)"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(wheel)},
        capture_output=True,
        text=True,
    )
    assert Path(where.stdout.strip()).is_relative_to(wheel)
    done = run("generate", "colored_shapes", "--count", "2", "--out", "o")
    assert done.returncode == 0, done.stderr
    assert run("verify", "o").returncode == 0


def lock():
    return (ROOT / "requirements.lock").read_text().splitlines()


def test_the_lock_pins_names_and_nothing_else():
    for line in lock():
        requirement = Requirement(line)
        assert requirement.url is None
        assert [s.operator for s in requirement.specifier] == ["=="], line


def test_the_lock_satisfies_what_the_package_asks_for():
    pins = {canonicalize_name(r.name): r for r in map(Requirement, lock())}
    wanted = PROJECT["project"]["dependencies"] + PROJECT["project"]["optional-dependencies"]["dev"]
    for requirement in map(Requirement, wanted):
        pin = pins[canonicalize_name(requirement.name)]
        version = next(iter(pin.specifier)).version
        assert requirement.specifier.contains(version), f"{requirement} against {pin}"


def test_no_two_packages_of_the_lock_own_the_same_files():
    names = {canonicalize_name(Requirement(line).name) for line in lock()}
    assert not {"opencv-python", "opencv-python-headless"} <= names
    assert not {"pyrender", "scikit-robot-pyrender"} <= names


def test_every_file_that_a_newcomer_runs_is_there_and_executable():
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    for target in ("setup", "demo", "test", "lint", "bench", "clean"):
        done = subprocess.run(
            ["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.toml")), ids=lambda p: p.stem)
def test_every_recipe_says_first_how_to_run_it_and_what_to_expect(path):
    from datagen.recipe import load

    head = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert re.match(rf"# datagen (generate|learn|train) {path.stem} .*--out ", head[0])
    assert " 2 cores" in " ".join(head)
    assert "Expect" in " ".join(head)
    assert load(path.stem).count > 0


def test_the_example_of_the_readme_is_a_sound_world(cli, tmp_path):
    text = (ROOT / "README.md").read_text()
    world = text[text.index("world crossing") :].partition("```")[0]
    (tmp_path / "crossing.scene").write_text(world)
    recipe = text[text.index('grammar = "crossing.scene"') :].partition("```")[0]
    (tmp_path / "crossing.toml").write_text(recipe)
    done = cli("check", tmp_path / "crossing.toml")
    assert done.code == 0, done.err
    assert done.err == ""
    made = cli("generate", tmp_path / "crossing.toml", "--count", 20, "--out", tmp_path / "o")
    assert made.code == 0, made.err


def test_every_command_that_the_readme_names_is_one():
    text = (ROOT / "README.md").read_text()
    named = set(re.findall(r"^datagen ([a-z]+)", text, re.M))
    named |= set(re.findall(r"`datagen ([a-z]+)", text))
    assert named <= set(VERBS)
    assert len(named) >= 8
