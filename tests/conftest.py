"""What several test modules share: the command line in this process, small worlds, a training."""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from ctypes.util import find_library
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest
from brief import shorten
from hypothesis import settings

from datagen.cli import main
from datagen.threads import one_thread as held

# A shell's background jobs ignore Ctrl-C, and so would every process that a test starts there.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine must not fail a test that is right.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"

SMALL_WORLD = """
    world small
    canvas 48 x 32
    start Scene
    Scene -> ground car * uniform_int(1, 3)
    ground { draw: ground }
    car { draw: car  category: "car"  x: uniform(0, 1) width  y: uniform(0, 1) height }
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files come first: whole files go to processes, and one that is last is waited for.

    Who has no OpenGL can still test everything else; CI has to have it.
    """
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])
    if find_library("EGL") or find_library("OSMesa") or os.environ.get("CI"):
        return
    skip = pytest.mark.skip(reason="no OpenGL here: apt install libegl1 libgl1-mesa-dri")
    for item in items:
        if item.get_closest_marker("opengl"):
            item.add_marker(skip)


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def refused(self, code: int, *words: str) -> None:
        """It ended with `code`, one message that holds the words, and no traceback."""
        assert self.code == code, self.err
        assert self.err.startswith("error: ") or "\nerror: " in self.err, self.err
        assert "Traceback" not in self.err
        assert "please report" not in self.err, self.err
        for word in words:
            assert word.lower() in self.err.lower(), self.err


Cli = Callable[..., Outcome]


@pytest.fixture
def cli(capsys) -> Cli:
    """Run a command as the shell would, without the cost of a process."""

    def run(*args: object) -> Outcome:
        capsys.readouterr()
        code = main([str(arg) for arg in args])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


@pytest.fixture
def write_recipe(tmp_path) -> Callable[..., Path]:
    """Write a world and a recipe for it into a folder of their own; gives the recipe's path."""

    def write(world: str = SMALL_WORLD, recipe: str = "count = 3\nshard_size = 2\n") -> Path:
        folder = tmp_path / f"recipe{len(list(tmp_path.glob('recipe*')))}"
        folder.mkdir()
        (folder / "small.scene").write_text(dedent(world))
        path = folder / "small.toml"
        path.write_text('grammar = "small.scene"\n' + dedent(recipe))
        return path

    return write


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Torch on one thread while a module is tested: the same bits, whatever else the machine does.

    Of a module that imports torch, and asks for it as `pytestmark`.
    """
    with held():
        yield


@pytest.fixture(scope="module")
def brief() -> Iterator[None]:
    """Runs of `learn` in this process draw less for their report."""
    with pytest.MonkeyPatch.context() as patch:
        shorten(patch)
        yield


@pytest.fixture
def shared_data() -> Path:
    """Real images for tests; they may not be redistributed and so are not part of the project."""
    if not SHARED.is_dir():
        pytest.skip("the folder ../shared/data with real images is not there")
    return SHARED


@pytest.fixture(scope="session")
def squares(tmp_path_factory) -> Path:
    """A dozen pictures with a labelled square each; read-only."""
    from taught import write_squares  # loads torch

    return write_squares(tmp_path_factory.mktemp("squares") / "squares")


@pytest.fixture(scope="session")
def trained_run(squares, tmp_path_factory) -> Path:
    """A run of `train` on them that nothing disturbed; read-only."""
    from trainings import taught

    out = tmp_path_factory.mktemp("runs") / "run"
    taught(squares, out)
    return out
