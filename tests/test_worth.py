"""What has learned nothing of use is refused when a dataset begins, and is asked only then."""

import shutil
from pathlib import Path

import pytest
from faulty import WORLD

from datagen import pipeline
from datagen.errors import InputError
from datagen.recipe import load

WORDS = "worthless: learn again with another seed"


@pytest.fixture
def judged(write_recipe, tmp_path):
    """A recipe whose generator has learned; `verdict` is what is wrong with it."""

    def make(verdict=""):
        (tmp_path / "weights.bin").write_text("a network")
        (tmp_path / "verdict").write_text(verdict)
        lines = ["count = 7", "shard_size = 3", "renderers = []"]
        lines += ["[generator]", 'use = "gated:Judged"', f'weights = "{tmp_path}/weights.bin"']
        lines += [f'verdict = "{tmp_path}/verdict"']
        return write_recipe(WORLD, "\n".join(lines) + "\n")

    return make


def asked(tmp_path: Path) -> int:
    file = tmp_path / "verdict.asked"
    return len(file.read_text().splitlines()) if file.exists() else 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_generator_is_judged_once_and_not_again_for_what_was_begun(judged, tmp_path, workers):
    made, out = load(judged()), tmp_path / "d"
    whole = pipeline.generate(made, out, workers=workers)
    assert asked(tmp_path) == 1
    # Judged harder by a later datagen, it is what the dataset was begun with all the same.
    (tmp_path / "verdict").write_text(WORDS)
    shutil.rmtree(next((out / "shards").iterdir()))
    again = pipeline.generate(made, out, resume=True, workers=workers)
    assert again.dataset_digest == whole.dataset_digest
    assert pipeline.verify(out, rerender=1.0).findings == ()
    pipeline.regen(out, 0)
    assert asked(tmp_path) == 1


@pytest.mark.parametrize("resume", [False, True])
def test_one_that_is_worthless_is_refused_before_anything_is_written(judged, tmp_path, resume):
    made = load(judged(WORDS))
    with pytest.raises(InputError, match=WORDS):
        pipeline.generate(made, tmp_path / "d", resume=resume)
    with pytest.raises(InputError, match=WORDS):
        pipeline.order(made, tmp_path / "d", resume=resume).claim()
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize("command", ["check", "estimate", "preview"])
def test_nor_is_it_shown_how_its_dataset_would_be(judged, cli, tmp_path, command):
    sheet = ("-o", tmp_path / "sheet.png") if command == "preview" else ()
    cli(command, judged(WORDS), *sheet).refused(2, WORDS)
    assert not (tmp_path / "sheet.png").exists()


def test_weights_that_do_not_open_are_refused_before_anything_is_written(judged, tmp_path):
    made = load(judged())
    (tmp_path / "weights.bin").write_text("another network")
    with pytest.raises(InputError, match=r"generator\.weights: .* is not what this recipe"):
        pipeline.generate(made, tmp_path / "d")
    assert not (tmp_path / "d").exists()
