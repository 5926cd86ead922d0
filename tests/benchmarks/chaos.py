"""Chaos: real jobs on a real Redis and real workers, while everything is killed again and again.

python tests/benchmarks/chaos.py OUT [--faults 200] [--seed 0]

Everything that is made must be what an undisturbed run makes, byte for byte. The faults are a
function of the seed; OUT/plan.json has them before, OUT/faults.jsonl with what followed. The page
docs/results-chaos.md is written at the end.
"""

import argparse
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from chaos_disk import disk
from chaos_page import page
from chaos_place import HERE, ROOT, Place, datagen
from chaos_plan import DEPLOYED, EMBEDDED, Fault, plan
from chaos_processes import ended
from chaos_run import Run, Stuck

from datagen.jobs.embedded import redis_server


def main(words: Sequence[str] | None = None) -> int:
    asked = _asked(words)
    if asked.out.exists():
        sys.exit(f"error: {asked.out} is there already; nothing is used again: remove it")
    asked.out.mkdir(parents=True)
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    began = time.time()
    faults = plan(asked.faults, asked.seed, asked.gap, asked.longest)
    _write(asked.out / "plan.json", [asdict(fault) for fault in faults])
    recipe, clean = _recipe(asked), asked.out / "clean"
    undisturbed = _undisturbed(recipe, clean)
    digest = undisturbed["dataset_digest"]
    say(f"undisturbed: {digest} in {undisturbed['seconds']:.0f} s")
    parts = []
    for part in (DEPLOYED, EMBEDDED):
        of_part = [fault for fault in faults if fault.part == part]
        if of_part:
            share = sum(fault.part == DEPLOYED for fault in faults) / len(faults)
            end = began + 60 * asked.minutes * (share if part == DEPLOYED else 1.0)
            parts.append(_part(asked.out, part, recipe, clean, digest, of_part, end))
    times = {"seconds": time.time() - began, "undisturbed_s": undisturbed["seconds"]}
    result = times | _result(asked, parts)
    _write(asked.out / "result.json", result)
    (asked.page or ROOT / "docs" / "results-chaos.md").write_text(page(result))
    for text in result["findings"]:
        say(f"finding: {text}")
    return 1 if result["findings"] else 0


def _asked(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path, metavar="OUT")
    for name, default, text in (
        ("faults", 200, "how many"),
        ("seed", 0, "of the plan"),
        ("gap", 5.0, "mean seconds between two faults"),
        ("longest", 60.0, "seconds that the longest stops take"),
        ("minutes", 30.0, "after which no fault happens any more"),
        ("count", 5000, "images of each job"),
        ("shard", 100, "images of a shard"),
        ("pause", 0.0, "seconds that each image takes beside what it needs"),
    ):
        parser.add_argument(f"--{name}", type=type(default), default=default, help=text)
    parser.add_argument("--world", default="aerial", help="a grammar in 2D")
    parser.add_argument("--page", type=Path, help="else docs/results-chaos.md")
    asked = parser.parse_args(words)
    asked.out = asked.out.absolute()
    return asked


def _leave(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def _recipe(asked: argparse.Namespace) -> Path:
    path = asked.out / "recipe.toml"
    path.write_text(
        f'grammar = "{asked.world}"\ncount = {asked.count}\nshard_size = {asked.shard}\n\n'
        f'[[renderers]]\nuse = "chaos_renderer:Renderer"\npause = {asked.pause}\n'
    )
    return path


def _undisturbed(recipe: Path, out: Path) -> dict[str, Any]:
    """The report on the dataset as two processes make it, without a queue."""
    words = datagen("generate", recipe, "--out", out, "--workers", 2, "--json")
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{HERE}"}
    done = subprocess.run(words, env=env, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def _part(
    out: Path,
    part: str,
    recipe: Path,
    clean: Path,
    digest: str,
    faults: list[Fault],
    end: float,
) -> dict[str, Any]:
    """All faults of one place."""
    with disk(out / f"{part}-disk") as is_mounted:
        if not is_mounted:  # nothing here can be filled without harm to others
            faults = [fault for fault in faults if fault.kind != "disk full"]
        place = Place(out / part, part, out / f"{part}-disk")
        with ended(place.folder), _told(out / "faults.jsonl") as tell:
            run, began = Run(place, recipe, clean, digest, faults, end), time.time()
            try:
                run()
            except (Stuck, AssertionError) as error:
                run.findings.append(f"stuck: {error}")
                _keep(place)
            finally:
                for hit in run.hits:
                    tell(hit.to_json())
            run.findings += _tracebacks(place)
            say(f"{part}: {len(run.hits)} faults in {time.time() - began:.0f} s")
            return {
                "part": part,
                "load": os.getloadavg()[1],  # over the last five minutes
                "seconds": time.time() - began,
                "hits": [hit.to_json() for hit in run.hits],
                "missed": [asdict(fault) for fault in run.missed],
                "made": [asdict(made) | {"out": None} for made in run.made],
                "findings": run.findings,
                "retries": dict(run.retries),
                "quarantined": run.quarantined,
                "forced": run.forced,
                "published": run.published,
                "rendered": run.rendered,
                "can_fill": is_mounted,
            }


@contextmanager
def _told(path: Path) -> Iterator[Any]:
    with path.open("a") as file:
        yield lambda data: file.write(json.dumps(data) + "\n")


def _keep(place: Place) -> None:
    """The jobs as they stood when nothing moved, for who looks for the cause."""
    shutil.copytree(place.jobs, place.folder / "stuck", ignore=shutil.ignore_patterns("redis"))


def _tracebacks(place: Place) -> list[str]:
    """What no log may hold, whatever happens."""
    logs = [*place.folder.glob("worker-*.log"), *place.jobs.glob("*/log.txt")]
    found = []
    for log in logs:
        text = log.read_text(errors="replace")
        ends = re.findall(r"^Traceback .*\n(?:[ \t].*\n|\n)*(\S.*)$", text, re.M)
        # A process that comes up finds that its worker was killed.
        ends = [end for end in ends if not end.startswith("BrokenPipeError")]
        shutil.copy(log, place.folder / f"kept-{log.parent.name}-{log.name}")
        found += [f"a traceback in {log.parent.name}/{log.name}: {end[:200]}" for end in ends]
    return found


def _result(asked: argparse.Namespace, parts: list[dict[str, Any]]) -> dict[str, Any]:
    names = ("datagen", "celery", "kombu", "redis")
    program = subprocess.run([redis_server(), "--version"], capture_output=True, text=True)
    found = re.search(r"v=(\S+)", program.stdout)
    return {
        "asked": {k: str(v) if isinstance(v, Path) else v for k, v in vars(asked).items()},
        "parts": parts,
        "findings": [f"{part['part']}: {text}" for part in parts for text in part["findings"]],
        "versions": {
            "Python": platform.python_version(),
            **{name: version(name) for name in names},
            "redis-server": found[1] if found else "unknown",
        },
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()} "
        f"{platform.release()}",
        "load": [part["load"] for part in parts],
    }


def _write(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data, indent=1) + "\n")


def say(text: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted; all processes of the run are ended")
