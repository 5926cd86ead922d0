"""A benchmark's command: its runs side by side, each a process of one thread, with a log.

A run whose file lies in docs/measured is not made again; one that was cut off goes on from what it
left under OUT. The pages are written anew after each.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import measured
from measured import Result
from pages import Page

_SHARED = "shared"  # the name of what is made before the runs
_PAUSE = 0.2  # seconds between two looks at the processes


@dataclass(frozen=True)
class Benchmark:
    """One command."""

    script: str
    given: Sequence[str]  # paths that follow OUT, as its usage names them
    pages: Sequence[Page]

    @property
    def command(self) -> str:
        return f"python tests/benchmarks/{Path(self.script).name} {' '.join(('OUT', *self.given))}"


def main(benchmark: Benchmark, words: Sequence[str] | None = None) -> None:
    asked = _asked(benchmark, words)
    paths = [path.resolve() for path in asked.paths]
    out = paths[0]
    out.mkdir(parents=True, exist_ok=True)
    if asked.one is not None:
        _one(benchmark, paths, asked.one, asked.only)
        return
    pages = [page for page in benchmark.pages if not page.arms.keys().isdisjoint(asked.only)]
    todo = _todo(pages, asked.only, asked.seeds)
    # Only what these runs share is made before them.
    arms = dict.fromkeys(name.rpartition("-")[0] for name in todo)
    command = [sys.executable, benchmark.script, *map(str, paths), "--only", *arms, "--one"]

    def write() -> None:
        for page in pages:
            page.write(out, benchmark.command)

    write()
    failed = _side_by_side(command, [_SHARED] if todo else [], out, 1, write)
    failed = failed or _side_by_side(command, todo, out, asked.jobs, write)
    if failed:
        logs = ", ".join(str(_log(out, name)) for name in failed)
        raise SystemExit(f"failed, see {logs}; the same command goes on")


def _asked(benchmark: Benchmark, words: Sequence[str] | None) -> argparse.Namespace:
    arms = [arm for page in benchmark.pages for arm in page.arms]
    side = "runs side by side, of one thread each"
    parser = argparse.ArgumentParser(description=f"Usage: {benchmark.command}")
    for name in ("OUT", *benchmark.given):
        parser.add_argument("paths", type=Path, action="append", metavar=name)
    parser.add_argument(
        "--jobs", type=int, default=2, choices=range(1, 100), metavar="N", help=side
    )
    parser.add_argument("--seeds", type=int, nargs="+", help="of every arm; else those of the page")
    parser.add_argument("--only", nargs="+", choices=arms, default=arms, metavar="ARM")
    parser.add_argument("--one", metavar="ARM-SEED", help="only this run, in this process, no page")
    asked = parser.parse_args(words)
    if asked.one not in (None, _SHARED) and asked.one.rpartition("-")[0] not in arms:
        parser.error(f"--one {asked.one}: is no arm with a seed, such as {arms[0]}-0")
    return asked


def _todo(pages: Sequence[Page], arms: Sequence[str], seeds: Sequence[int] | None) -> list[str]:
    """Runs whose files are not there, one seed after the other."""
    asked = [
        (seed, page.name, arm)
        for page in pages
        for arm in page.arms
        if arm in arms
        for seed in seeds or page.arms[arm]
    ]
    asked.sort(key=lambda run: run[0])
    names = [(page, f"{arm}-{seed}") for seed, page, arm in asked]
    return [name for page, name in names if not measured.file_of(page, name).is_file()]


# -------------------------------------------------------------------------------- processes


def _one(benchmark: Benchmark, paths: Sequence[Path], name: str, arms: Sequence[str]) -> None:
    """One run, or what the runs of the arms share, in this process."""
    arm, _, seed = name.rpartition("-")
    for page in benchmark.pages:
        if name == _SHARED and not page.arms.keys().isdisjoint(arms):
            page.share(*paths)
            for other, make in page.others.items():
                measured.measure(page.name, other, partial(make, *paths))
        elif arm in page.arms:
            measured.measure(page.name, name, partial(_run, page, paths, arm, int(seed)))


def _run(page: Page, paths: Sequence[Path], arm: str, seed: int) -> Result:
    """In a folder of its own under OUT."""
    folder = paths[0] / f"{arm}-{seed}"
    folder.mkdir(exist_ok=True)
    return {"arm": arm, "seed": seed, **page.run(*paths, folder, arm, seed)}


def _side_by_side(
    command: Sequence[str], names: Sequence[str], out: Path, jobs: int, done: Callable[[], None]
) -> list[str]:
    """Those that failed; `done` is called after each of the others."""
    waiting, failed = list(names), []
    running: dict[str, subprocess.Popen[bytes]] = {}
    while waiting or running:
        while waiting and len(running) < jobs:
            name = waiting.pop(0)
            running[name] = _start([*command, name], _log(out, name))
        time.sleep(_PAUSE)
        for name in [name for name, process in running.items() if process.poll() is not None]:
            if running.pop(name).returncode:
                failed.append(name)
            else:
                done()
    return failed


def _log(out: Path, name: str) -> Path:
    return out / f"{name}.log"


def _start(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    # Several threads in one process wait for one another on cores that are shared.
    alone = os.environ | {"OMP_NUM_THREADS": "1"}
    with log.open("ab") as file:
        return subprocess.Popen(command, stdout=file, stderr=file, env=alone)
