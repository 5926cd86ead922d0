"""docs/results-metasim2.md from the results that benchmarks/metasim2.py kept."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tables import table

Results = Mapping[str, Mapping[str, Any]]

_HEAD = """# Structure learning, measured

Every row is a run of `datagen learn` on a folder of pictures; their labels are read afterwards,
to score. TV: total variation to the labels of the target, of how many things a picture holds
(count) and of how they are shared among the classes (class), over 10,000 learned scenes.
"Classify-and-count" asks the same counting network about each target picture and learns nothing.
MMD: squared, of the features, with the 95 % quantile of random halves of the target beside it.
Settings are the defaults where nothing is said. They were chosen with labels in sight: on the
target of the first table, on the town, and on 13 targets with random laws that are not among those
below, which nobody had looked at before.
"""


def page(results: Results, ranked: Sequence[Mapping[str, Any]], machine: str) -> str:
    parts = [
        _HEAD,
        *_digits(results),
        *_arms(results),
        *_jagged(results),
        *_choosing(results, ranked),
        *_aerial(results),
        *_both(results),
        *_robust(results),
        _unfinished(results, ranked),
        f"Machine: {machine}. The runs of the first table were alone on it; other parts were "
        "run two at a time.\n\nMade by `python tests/benchmarks/metasim2.py OUT "
        "PATH/train-images-idx3-ubyte.gz`.\n",
    ]
    return "\n".join(parts)


_WHOLE = {"digits": 3, "arms": 24, "jagged": 10, "aerial": 5, "robust": 4, "both": 3}


def _unfinished(results: Results, ranked: Sequence[Mapping[str, Any]]) -> str:
    """What the table does not hold yet: a part can be stopped and gone on with."""
    found = {part: len(_under(results, part)) for part in _WHOLE}
    found["choosing"] = 8 if ranked else 0
    missing = [
        f"{part} ({found[part]} of {whole} runs)"
        for part, whole in {**_WHOLE, "choosing": 8}.items()
        if found[part] < whole
    ]
    if not missing:
        return ""
    return f"**Not run to the end yet:** {', '.join(missing)}.\n"


def _under(results: Results, prefix: str) -> list[Mapping[str, Any]]:
    return [result for name, result in results.items() if name.startswith(f"{prefix}/")]


def _digits(results: Results) -> Iterator[str]:
    runs = _under(results, "digits")
    if not runs:
        return
    yield """## Real MNIST digits, two or seven as a rule

The target lays its digits in a row; the prior puts them anywhere, and learned scenes are still
rendered so. Exemplars of prior and target are different ones.
"""
    yield table(
        ["seed", "count TV prior", "learned", "classify-and-count", "class TV prior", "learned",
         "classify-and-count", "MMD prior", "learned", "halves (95 %)", "iterations", "renders",
         "seconds, of these REINFORCE"],
        [
            [_last(r), *_tv(r, "count_tv"), *_tv(r, "class_tv"), *_mmd(r), r["iterations"],
             r["renders"], f"{r['seconds']:.0f}, {r['phases'].get('reinforce', 0):.0f}"]
            for r in runs
        ],
    )  # fmt: skip
    yield _spread("Learned count TV", [r["learned"]["count_tv"] for r in runs])
    yield _spread("Learned class TV", [r["learned"]["class_tv"] for r in runs])


def _arms(results: Results) -> Iterator[str]:
    runs = _under(results, "arms")
    if not runs:
        return
    yield """## Comparators at an equal number of renders

51,200 renders each, all new in every iteration. "kde" is the paper's reward with our kernels;
"mmd" the paper's comparator, one number for a batch; "witness" MMD with a cost for each picture;
the presence embedding with H = d I is the paper's choice to the letter. Over counting features
every arm also sees the total alone, with a kernel of its own (0.3 things), whatever the bandwidth
of the others. No arm is held to the prior. Each has the best of two learning rates for its hidden
count TV on seed 0, and both are shown. Prior and classify-and-count stand in the table above.
"""
    arms = dict.fromkeys(tuple(r["name"].split("/")[1:3]) for r in runs)
    rows = []
    for name, rate in sorted(arms, key=lambda arm: (arm[0], float(arm[1]))):
        mine = [r for r in runs if r["name"].split("/")[1:3] == [name, rate]]
        rows.append(
            [
                name,
                rate,
                _median([r["learned"]["count_tv"] for r in mine]),
                _median([r["learned"]["class_tv"] for r in mine]),
                _median([r["kernel_spread"] for r in mine]),
                len(mine),
            ]
        )
    columns = ["arm", "rate", "count TV: median (range)", "class TV", "kernel spread", "seeds"]
    yield table(columns, rows)


def _jagged(results: Results) -> Iterator[str]:
    runs = sorted(_under(results, "jagged"), key=lambda r: int(_last(r)))
    if not runs:
        return
    yield """## Random laws

Counts 0 to 10 by Dirichlet(0.6), classes by Dirichlet(1.5); none of these targets was looked at
before.
"""
    yield table(
        ["target", "count TV prior", "learned", "classify-and-count", "class TV prior", "learned",
         "classify-and-count", "renders"],
        [[_last(r), *_tv(r, "count_tv"), *_tv(r, "class_tv"), r["renders"]] for r in runs],
    )  # fmt: skip
    better = sum(r["learned"]["count_tv"] < r["classify_and_count"]["count_tv"] for r in runs)
    yield f"Better than classify-and-count in counts on {better} of {len(runs)} targets.\n"
    yield _spread("Learned count TV", [r["learned"]["count_tv"] for r in runs])


def _choosing(results: Results, ranked: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not ranked:
        return
    yield """## Choosing among eight recipes without labels

`datagen.learning.gap.rank` orders the runs by their pictures alone; the hidden TV is read
afterwards.
"""
    hidden = {_last(r): r["learned"]["count_tv"] for r in _under(results, "choosing")}
    rows = [[one["name"], f"{one['distance']:.2f}", f"{hidden[one['name']]:.3f}"] for one in ranked]
    yield table(
        ["recipe, the first is chosen", "distance, in the target's noise", "hidden count TV"], rows
    )
    chosen, best = hidden[ranked[0]["name"]], min(hidden.values())
    yield f"The chosen one is {chosen - best:.3f} behind the best.\n"


def _aerial(results: Results) -> Iterator[str]:
    for kind, text in (
        ("declared", "The grammar declares `max 4` roads: a fifth lies below the picture."),
        ("not declared", "The same without `max`."),
        ("spread", "The same with cars as `learn` advised after the runs above: `x: spread(...)`."),
    ):
        runs = _under(results, f"aerial/{kind}")
        if not runs:
            continue
        if kind == "declared":
            yield """## Aerial views: the first road is busy

First road Poisson(9) cars, others Poisson(3); the prior has one kind of road with 0 to 8. "Best
PCFG" is the best context-free grammar, fitted in closed form to the true scenes, which nothing
else here sees. "Joint": roads, cars on the first and cars on the second, in pairs.
"""
        yield text + "\n"
        columns = ["law", "roads TV", "cars on road 1: mean (true), TV"]
        columns += ["road 2", "road 3", "road 4", "joint TV", "MMD (95 % of halves)"]
        rows = []
        for law in ("prior", "best PCFG", "learned"):
            for r in runs if law == "learned" else runs[:1]:
                score = r["roads"][law]
                cars = [
                    f"{m:.2f} ({t:.2f}), {v:.3f}"
                    for m, t, v in zip(score["mean"], score["true mean"], score["TV"], strict=True)
                ]
                name = f"learned, seed {_last(r)}" if law == "learned" else law
                mmd = f"{r[law]['mmd']:.4f} ({r['floor']['mmd']:.4f})" if law in r else ""
                whole = (f"{score['roads TV']:.3f}", *cars, f"{score['joint TV']:.3f}")
                rows.append([name, *whole, mmd])
        yield table(columns, rows)


def _both(results: Results) -> Iterator[str]:
    runs = _under(results, "both")
    if not runs:
        return
    yield """## Structure and attributes

The digits of the first table, with `x` and `y` mutable in the prior. The pictures of each run are
compared by mean colours of 16 x 16 cells, which none of the structure runs learned from, and by the
counting features. One seed.
"""
    rows = []
    for r in sorted(runs, key=lambda r: -r["cells"]["mmd"]["value"]):
        mmd, frechet = r["cells"]["mmd"], r["cells"]["frechet"]
        rows.append(
            [
                _last(r),
                f"{mmd['value']:.4f} ({mmd['floor']['high']:.4f})",
                f"{frechet['value']:.2f} ({frechet['floor']['high']:.2f})",
                f"{r['learned']['mmd']:.4f} ({r['floor']['mmd']:.4f})",
                f"{r['learned']['count_tv']:.3f}",
            ]
        )
    columns = ["learned", "MMD by cells (95 % of halves)", "Frechet distance by cells"]
    yield table([*columns, "MMD by counts", "count TV"], rows)


def _robust(results: Results) -> Iterator[str]:
    runs = _under(results, "robust")
    if not runs:
        return
    yield """## Hard cases end with a statement

What `learn` printed at the end of each run, beside the hidden TV.
"""
    for r in runs:
        before, after = r["prior"]["count_tv"], r["learned"]["count_tv"]
        yield f"**{_last(r).capitalize()}.** Count TV {before:.3f} -> {after:.3f}.\n"
        yield "".join(f"- *{one['kind']}*: {one['text']}\n" for one in r["statements"])


def _tv(result: Mapping[str, Any], key: str) -> list[str]:
    learned = f"**{result['learned'][key]:.3f}**"
    return [f"{result['prior'][key]:.3f}", learned, f"{result['classify_and_count'][key]:.3f}"]


def _mmd(result: Mapping[str, Any]) -> list[str]:
    return [f"{result[law]['mmd']:.4f}" for law in ("prior", "learned", "floor")]


def _last(result: Mapping[str, Any]) -> str:
    return result["name"].rsplit("/", 1)[1]


def _median(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def _spread(what: str, values: Sequence[float]) -> str:
    return f"{what}: median {_median(values)}.\n"
