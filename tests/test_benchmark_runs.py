"""Runs of benchmarks: what they came to is kept, and pages are made of that alone."""

import importlib
import json
import os
import subprocess
import sys
from textwrap import dedent

import pytest
from conftest import ROOT

BENCHMARKS = ROOT / "tests" / "benchmarks"
SCRIPTS = (
    "gnm_bowls", "gnm_mnist4", "imle_camvid", "imle_modes", "relate_bowls", "relate_clips",
    "relate_detector", "semgan_shapes",
)  # fmt: skip

TOY = """
    from pathlib import Path

    import measured

    measured.DOCS = Path(__file__).parent / "docs"

    import runs
    from pages import Page


    def noted(out, name):
        with (out / "made").open("a") as file:
            file.write(f"{name}\\n")


    def run(out, folder, arm, seed):
        assert arm != "bad", "it went wrong"
        noted(out, folder.name)
        return {"value": seed + 1 / 3, "many": [2 / 3]}


    def real(out):
        return {"value": 1.0}


    def text(found, others):
        return f"{[(one['arm'], one['seed']) for one in found]} {others['real']['value']}\\n"


    arms = {"good": (0, 1), "bad": (0,)}
    page = Page("toy", arms, run, text, {}, lambda out: noted(out, "shared"), {"real": real})
    runs.main(runs.Benchmark(__file__, (), (page,)))
"""


class Toy:
    """A checkout with a benchmark of two arms, one of which fails."""

    def __init__(self, folder):
        self.folder, self.kept = folder, folder / "docs" / "measured" / "toy"
        (folder / "docs").mkdir()
        (folder / "toy.py").write_text(dedent(TOY))
        self.git("init", "-q")
        self.git("add", "toy.py")
        self.git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "toy")

    def git(self, *words):
        done = subprocess.run(
            ["git", *words], cwd=self.folder, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def run(self, *words):
        path = os.pathsep.join(map(str, (ROOT, BENCHMARKS)))
        return subprocess.run(
            [sys.executable, self.folder / "toy.py", self.folder / "out", *words],
            env=os.environ | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=120,
        )

    def made(self):
        """Which runs were made, in whatever order."""
        return sorted((self.folder / "out" / "made").read_text().split())

    def page(self):
        return (self.folder / "docs" / "results-toy.md").read_text()


@pytest.fixture
def toy(tmp_path):
    return Toy(tmp_path)


def test_what_a_run_came_to_is_kept_with_its_commit_and_not_made_again(toy):
    done = toy.run("--only", "good")
    assert done.returncode == 0, done.stderr
    assert toy.made() == ["good-0", "good-1", "shared"]
    held = json.loads((toy.kept / "good-1.json").read_text())
    stamp = held.pop("measured")
    assert held == {"arm": "good", "seed": 1, "value": 1.3333, "many": [0.66667]}
    assert stamp["commit"] == toy.git("rev-parse", "--short", "HEAD")
    assert toy.page().startswith("[('good', 0), ('good', 1)] 1.0\n")
    told = f"Measured at commit {stamp['commit']} (good 0 1, real). Machine: {stamp['machine']};"
    assert told in toy.page()

    (toy.kept / "good-1.json").unlink()
    toy.run("--only", "good")
    assert toy.made() == ["good-0", "good-1", "good-1", "shared", "shared"]
    toy.run("--only", "good")
    assert len(toy.made()) == 5


def test_a_run_that_failed_is_told_at_the_end_and_the_others_are_kept(toy):
    done = toy.run()
    assert done.returncode == 1
    log = toy.folder / "out" / "bad-0.log"
    assert f"failed, see {log};" in done.stderr
    assert "it went wrong" in log.read_text()
    assert {path.stem for path in toy.kept.iterdir()} == {"good-0", "good-1", "real"}
    assert "**Not run to the end yet:** 1 of 3 runs: bad 0.\n" in toy.page()


def test_a_run_of_changed_code_says_so_and_the_page_says_which_run_it_was(toy):
    toy.run("--one", "shared")
    toy.run("--only", "good", "--seeds", "0")
    with (toy.folder / "toy.py").open("a") as file:
        file.write("# changed\n")
    toy.run("--only", "good", "--seeds", "1")
    commit = toy.git("rev-parse", "--short", "HEAD")
    assert f"commit {commit} (good 0, real); {commit}-dirty (good 1)." in toy.page()


def test_a_run_that_is_none_is_refused(toy):
    done = toy.run("--one", "god-0")
    assert done.returncode == 2
    assert done.stderr.endswith("--one god-0: is no arm with a seed, such as good-0\n")


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_page_of_a_benchmark_is_what_its_files_make(name, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(BENCHMARKS)
    benchmark = importlib.import_module(name).BENCHMARK
    assert f"\n{benchmark.command}" in (ROOT / "docs" / "benchmarks.md").read_text()
    monkeypatch.setattr(sys.modules["pages"], "DOCS", tmp_path)  # where it is written to
    for page in benchmark.pages:
        there = (ROOT / "docs" / f"results-{page.name}.md").read_text()
        found, _ = page.kept()
        if found:  # the others were measured before results were kept
            page.write(tmp_path, benchmark.command)
            run = f"--only {found[0]['arm']} --seeds {found[0]['seed']}"
            again = f"write it again: {benchmark.command} {run}"
            assert (tmp_path / f"results-{page.name}.md").read_text() == there, again
