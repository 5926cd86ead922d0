"""docs/results-chaos.md from the result of a chaos run."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from chaos_plan import EMBEDDED, KINDS
from tables import table

Result = Mapping[str, Any]

_WORDS = {
    "kill child": "SIGKILL of a worker's process",
    "kill worker": "SIGKILL of a worker",
    "kill conductor": "SIGKILL of the conductor",
    "kill client": "SIGKILL of the client that follows",
    "kill broker": "SIGKILL of Redis",
    "empty broker": "SIGKILL of Redis, its folder emptied",
    "term worker": "SIGTERM of a worker",
    "stop child": "SIGSTOP of a worker's process",
    "stop worker": "SIGSTOP of a worker",
    "stop broker": "SIGSTOP of Redis",
    "flush": "FLUSHALL",
    "disk full": "disk full",
    "kill all": "SIGKILL of all of these at once",
}
assert _WORDS.keys() == KINDS.keys()

_HEAD = """# Chaos: what is lost when everything is killed

Jobs of `datagen generate` for two `datagen worker`s of one process each, one after the other, and
{faults} faults, one every {every:.1f} s on average.
{overlap}.
{deployed} of the faults hit a Redis with the settings of [docs/deploy](deploy/redis.conf), and a
jobs folder on another disk than the datasets; {embedded} hit the worker's own Redis, with all on
one disk. What dies is started again after 0.5 to 5 s, as systemd would; {jobs} jobs of
{count:,} images in shards of {shard}, {world}, PNG and COCO;
a shard takes one process about {shard_s:.1f} s.

"""
_FAULTS = """## Time to recover

Seconds from the fault, p50 / p95 / longest. "Next shard": until any shard is published. "New work":
until one is published that nobody was at when the fault came, or that was begun anew. "Lost piece":
until the shard is there that the process was at when it was killed or stopped; empty where none
was. For a full disk all three count from when there is room again (the job is then sent on with
`datagen jobs retry`). Faults overlap: seconds hold what other faults added, and where a job had
just begun also the start of its conductor. "Length": how long a stop took.

"""
_END = """
Every job's dataset was compared with one that `datagen generate --workers 2` made undisturbed: its
digest, every file and every byte of it, and `datagen verify`; each shard also the moment it was
first seen. "Lost": images that are not there; "twice": images or labels that are there more often;
"torn": images whose bytes differ. Repeated work is what processes noted while they rendered,
against what was published.

The faults, their moments and victims are a function of the seed; what they meet is not, since
processes take their own time.

Machine: {machine}; {versions}.
Other work on it was not excluded{load}.

Made by `{command}`
in {minutes:.0f} minutes.
"""


def page(result: Result) -> str:
    parts, asked = result["parts"], result["asked"]
    hits = [hit for part in parts for hit in part["hits"]]
    made = [one for part in parts for one in part["made"]]
    shard_s = _shard_seconds(result)
    by_part = {part["part"]: len(part["hits"]) for part in parts}
    seconds = sum(part["seconds"] for part in parts)
    text = _HEAD.format(
        faults=len(hits),
        every=seconds / max(len(hits), 1),
        overlap=_overlap(parts),
        deployed=len(hits) - by_part.get(EMBEDDED, 0),
        embedded=by_part.get(EMBEDDED, 0),
        jobs=len(made),
        count=asked["count"],
        shard=asked["shard"],
        world=f"the grammar `{asked['world']}`",
        shard_s=shard_s,
    )
    text += table(("", "wanted", "measured"), _verdicts(result, hits, made, seconds))
    text += "\n" + _FAULTS + table(_COLUMNS, _recoveries(hits)) + _missed(parts, asked["faults"])
    words = [f"--{name} {asked[name]}" for name in _SAID if asked[name] != _SAID[name]]
    return text + _END.format(
        machine=result["machine"],
        versions=", ".join(f"{name} {text}" for name, text in result["versions"].items()),
        command=" ".join(["python tests/benchmarks/chaos.py OUT", *words]),
        minutes=result["seconds"] / 60,
        load=_load(result.get("load", ())),
    )


_OTHER = (
    "other findings: processes left, clients that failed, tracebacks in logs (but those of "
    "processes that come up for a worker that was killed)"
)
_SAID = {
    "faults": None, "seed": None, "gap": 5.0, "longest": 60.0, "minutes": 22.0, "count": 5000,
    "shard": 100, "pause": 0.0, "world": "aerial",
}  # fmt: skip


def _load(loads: Sequence[float]) -> str:
    said = " and ".join(f"{load:.1f}" for load in loads)
    return f": at the end of the parts, the load over five minutes was {said}" if said else ""


def _shard_seconds(result: Result) -> float:
    """Of one process, from the undisturbed run of two."""
    asked = result["asked"]
    return 2 * result["undisturbed_s"] / (asked["count"] / asked["shard"])


def _overlap(parts: Sequence[Result]) -> str:
    met = 0
    for part in parts:
        recovered = 0.0
        for hit in part["hits"]:
            met += hit["at"] < recovered
            recovered = max(recovered, hit["at"] + (hit["fresh"] or 0.0))
    return f"{met} of them came before another one was recovered from"


def _verdicts(
    result: Result, hits: Sequence[Result], made: Sequence[Result], seconds: float
) -> Iterable[Sequence[object]]:
    parts, count = result["parts"], result["asked"]["count"]
    images = count * len(made)
    yield "images lost", 0, _told(sum(one["lost"] for one in made), images)
    yield "images or labels twice", 0, _told(sum(one["twice"] for one in made), images)
    yield "images torn", 0, _told(sum(one["torn"] for one in made), images)
    equal = sum("another digest" not in one["findings"] for one in made)
    yield "digests equal to the undisturbed run's", "all", f"{equal} of {len(made)}"
    sound = sum(not one["findings"] for one in made)
    yield (
        "datasets without any finding of `verify` or byte that differs",
        "all",
        (f"{sound} of {len(made)}"),
    )
    retries = dict.fromkeys(("paused", "partial", "failed"), 0)
    for part in parts:
        for state, number in part["retries"].items():
            retries[state] = retries.get(state, 0) + number
    said = ", ".join(f"{number} {state}" for state, number in retries.items())
    yield "`datagen jobs retry` was needed for jobs that were", "", said
    yield "shards given up (and made after the retry)", "", sum(p["quarantined"] for p in parts)
    forced = sum(part["forced"] for part in parts)
    yield "workers that were killed 60 s after SIGTERM, as systemd does", "", forced
    rendered, published = (sum(part[key] for part in parts) for key in ("rendered", "published"))
    each = (rendered - published) / max(len(hits), 1)
    yield (
        "images rendered / published",
        "",
        (
            f"{rendered:,} / {published:,} = {rendered / max(published, 1):.3f}; "
            f"{each:.0f} images made again for each fault"
        ),
    )
    pace = 60 * result["asked"]["count"] / result["undisturbed_s"]
    yield "the same at one fault a minute, by these figures", "< 1.05", f"{1 + each / pace:.3f}"
    yield (
        _OTHER,
        0,
        (len(result["findings"]) - sum(len(one["findings"]) for one in made)),
    )


def _told(number: int, images: int) -> str:
    return f"{'**' * bool(number)}{number}{'**' * bool(number)} of {images:,}"


_COLUMNS = ("fault", "times", "length, s", "next shard, s", "new work, s", "lost piece, s")


def _recoveries(hits: Sequence[Result]) -> Iterable[Sequence[object]]:
    for kind, words in [*_WORDS.items(), ("", "all")]:
        of_kind = [hit for hit in hits if kind in ("", hit["kind"])]
        if not of_kind:
            continue
        is_stop = kind.startswith("stop")
        lasted = [hit["until"] for hit in of_kind] if is_stop else []
        figures = (_spread(of_kind, name) for name in ("next", "fresh", "again"))
        yield words, len(of_kind), _three(lasted), *figures


def _spread(hits: Sequence[Result], name: str) -> str:
    def seconds(hit: Result) -> float | None:
        since = hit["until"] or 0.0 if hit["kind"] == "disk full" else 0.0
        return None if hit[name] is None else max(0.0, hit[name] - since)

    return _three([seconds(hit) for hit in hits])


def _three(readings: Iterable[float | None]) -> str:
    """p50 / p95 / longest"""
    there = [reading for reading in readings if reading is not None]
    if not there:
        return ""
    p50, p95 = np.percentile(there, [50, 95])
    return f"{p50:.1f} / {p95:.1f} / {max(there):.1f}"


def _missed(parts: Sequence[Result], planned: int) -> str:
    missed = [fault["kind"] for part in parts for fault in part["missed"]]
    said = f"\n{len(missed)} faults of the plan met nobody whom they could hit.\n" if missed else ""
    left = planned - len(missed) - sum(len(part["hits"]) for part in parts)
    if left > 0:
        said += f"\nThe time was up before the other {left} of the {planned} that were planned.\n"
    if not all(part["can_fill"] for part in parts):
        said += "\nNo disk could be filled: this user may not mount one.\n"
    return said
