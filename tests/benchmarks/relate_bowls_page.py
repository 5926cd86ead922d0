"""docs/results-relate.md and results-relate-64.md from what benchmarks/relate_bowls.py kept."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from measured import DOCS, Result
from tables import spread, table

from datagen.learning.relate.toggling import CUT, PAINTED

PICTURE, SHOWN = "relate_bowls.jpg", ("sparse-centred", "dense-relate", "dense-blockgan2d")
LARGE_PICTURE, LARGE_SHOWN = "relate_bowls_64.jpg", ("large-centred",)

_NAMES = {
    "relate": "RELATE",
    "centred": "RELATE, centred",
    "no-position": "without position loss",
    "no-additive": "without additivity",
    "no-residual": "without residual",
    "window": "window of 5/16",
    "blockgan2d": "BlockGAN2D",
}
_WORLDS = {"sparse": "sparse", "dense": "dense", "large": "sparse 64 px"}

_HEAD = """# RELATE, measured

Two balls that never overlap, in a bowl that is round or oval (`grammars/balls_in_bowl.scene`;
"dense": balls half as large again, `balls_in_bowl_dense.scene`); 8,000 pictures without labels to
learn from, two objects. BlockGAN2D is the same networks without the interaction of objects, without
the position regressor and without additivity; all arms of a world have the same data, seeds, steps
and settings, and as many attempts.
Two things are not the paper's: the position regressor looks for each object in whole pictures, too,
and objects have to change pictures in the same way with the others there and without them. Where it
is centred there is a third: what an object changes has to lie, in the mean of all pictures, where
its pose is (`learn.relate.centred = 10`).
What is measured is the running average of the last step's generator, never a better one on the
way. Values are medians of the seeds, in brackets the lowest and the highest. Sparse balls at 64 px
have [a page of their own](results-relate-64.md).
"""
_HEAD_OF_LARGE = """# RELATE at 64 px, measured

The sparse balls of [the page for 32 px](results-relate.md), at 64 x 64 px: three times the cost.
What arms and numbers are is said there; here, too, values are medians of the seeds, in brackets the
lowest and the highest.
"""
_MEASURES = """## How it is measured

**Distance**: from an object's pose to the pixel that changes most when the object is taken away,
median, in widths of the picture; **after offset**: once the median offset of each object is taken
off (one that is not centred has a constant one: what it paints need not lie in the middle of its
window).
**Clean**: share of toggles that leave exactly one ball. **Toggle IoU**: of what a toggle changes,
cut at {cut} of its largest change, with the ball's pixels by colour, where both balls are seen.
**Valid**: both balls are there once, of about their size, do not overlap and lie inside the bowl,
by colours, which say so of all real pictures. **Overlap**: share of pictures with centres nearer
than 1.8 radii, and what it would be if the blue ball came from another picture. **Frechet**:
distance of Gaussians fitted to features of a network that was taught where bowl and balls are
(not Inception's: no FID), those that 5 % of real pictures have at least; 2,000 pictures.
**Objects' strength**: how much an object changes the picture where it is, over how much two
pictures differ; generation refuses a model below {alarm},
and one of whose pictures the gate rejects more than 60 %.

How good pictures look says nothing of whether objects were found: on dense balls the arm that
paints them into its background can have the more valid pictures.
"""
_ASKED = """## What was asked

Asked before the runs, of RELATE: sparse: distance at most .10 and .03 after offset, clean .98,
valid .88, Frechet .6 of BlockGAN2D's; dense: clean .95 and toggle IoU .75 where BlockGAN2D paints
the balls into the background; labels: mask and box IoU .80 on the samples that the gate lets pass.
"""
_ASKED_OF_LARGE = """## What was asked

Asked before the runs, of RELATE: distance at most .06, clean .98, valid .85, pixels' spread within
15 % of the real one; labels: mask and box IoU .80 on the samples that the gate lets pass.
"""
_LABELS = """## Labels by toggling

Visible masks and boxes as `datagen generate` makes them, against those by colour, of 500 samples
less those that the gate (.9) rejects. A ball that a picture does not show at all counts as IoU 0.
"""
_MORE = """## Other numbers of objects

Objects asked of a model that has learned with two; objects 3 and 4 are copies of the first two.
Share of 250 pictures that show exactly as many balls and nothing else, then of those that the gate
lets pass, and the share that it rejects.
"""
_COST = """## What it costs

One thread a run, its own time; cores were shared with other runs. Samples with all their toggles.
Attempts, of each seed: how often training began; after a third of the steps it begins again where
toggling finds the objects in less than 40 % of samples, three times at most, in every arm. Minutes
include attempts that were given up.
"""
_CENTRED = """## Centred or not

Large balls were found less often when they are centred: seed 0 was, seed 1 was not, and of seed 2,
which is not in the table, training was given up after a third of its steps, twice, and then stopped
by hand. To centre only after a third of the steps found them in 2 of 2 seeds (1 and 2: distance
.052 and .060, valid .941 and .940, clean 1.000); but sparse seeds 0 and 1 were then no better than
they are not centred, but for the distance (.022 and .019; valid .858 and .931).
"""
_CUTS = """## Where masks are cut

Where the change is cut decides how large masks are. Masks and boxes against the balls by colour,
and a mask's pixels; 137 to 149 pictures of each model, three seeds of each, by a script that is not
kept. A ball has 20.6, 46.3 and 82.4 px. The cut was .35 before: boxes were half a pixel too large.

| cut | sparse, centred | px | dense | px | 64 px, centred | px |
| --- | --- | --- | --- | --- | --- | --- |
| .35 | .86, .86 | 22.0 | .90, .90 | 49.8 | .91, .89 | 87.4 |
| .40 | .92, .92 | 20.2 | .94, .94 | 47.3 | .95, .93 | 83.4 |
| .42 | .93, .93 | 19.6 | .95, .94 | 46.4 | .96, .95 | 81.9 |
| .44 | .94, .94 | 19.0 | .95, .94 | 45.5 | .96, .95 | 80.4 |
| .50 | .89, .89 | 17.3 | .92, .92 | 42.7 | .94, .94 | 76.1 |
"""
_TRIED = """## What was tried against it

**With the paper's losses alone**, dense seed 0 came out right (clean 1.00, toggle IoU .90), as did
sparse seeds 0 and 1, and dense seed 1 did not (clean .20, toggle IoU .31): both objects lay in one
place and painted the red ball together, each half as strong, and the background painted the blue
one. It began before step 500: both objects were red, and each painted away the blue that the
background had in the bowl. The position regressor was content, for it saw lone objects only, each
where it should be; so were the gate (19 % rejected) and the refusal, for each object changed one
compact place. What is changed by two objects is no object's now: of that model's pictures the gate
lets 9 % pass (64 samples), so that it is refused.

Against it, dense, after 750 or 1,000 steps, one run each, 100 samples:

| | seed | steps | clean | toggle IoU |
| --- | --- | --- | --- | --- |
| the paper's losses | 1 | 1,000 | .24 | .25 |
| each object looked for in whole pictures | 1 | 1,000 | 1.00 | .83 |
| the same | 2 | 1,000 | .39 | .47 |
| that, and objects have to add up | 2 | 750 | 1.00 | .80 |
| lone pictures of both objects with noise, and their places apart | 1 | 750 | .82 | .39 |

In the third row the background painted a blue ball in one place, which objects painted away where
they came near it: that does not add up. The last was worse on its seed, and is not in the code.

Windows that fade to their border, so that objects keep to the middle of theirs and poses lie nearer
to what is painted: one of the two balls was painted by the background in 2 of 2 runs (sparse, seed
0), in the second although the range of the background's latents grew from 0 over 1,000 steps. The
position regressor's error stayed low meanwhile: it can read a pose out of noise too faint to be
seen, so that error does not tell whether an object is painted. Toggling does: the gate let none of
their samples pass. Neither is in the code.

Three minutes a run were asked for, and a run takes five to six here. Half of the steps (1,500,
sparse, centred, seed 0) do not do it: after a third of them objects were not found yet, training
began again, took 5.4 minutes in all, and ended with .83 of pictures valid, clean .984, boxes .88.
"""
_SHOWN = """![Samples]({picture})

From above, seed 0, not chosen: {arms}; of each the pictures, their backgrounds alone, the same
without one object, and the labels.
"""


def page(results: Sequence[Result], others: Mapping[str, Result]) -> str:
    parts = [_HEAD, _MEASURES.format(alarm=PAINTED, cut=CUT), _ASKED, _targets(results)]
    parts += [*_world("sparse", results, others), *_world("dense", results, others)]
    parts += [*_shown(PICTURE, SHOWN), _CENTRED, *_rest(results), _CUTS, _TRIED]
    return "\n".join(parts)


def page_of_large(results: Sequence[Result], others: Mapping[str, Result]) -> str:
    parts = [_HEAD_OF_LARGE, _ASKED_OF_LARGE, _targets(results)]
    parts += [*_world("large", results, others), *_shown(LARGE_PICTURE, LARGE_SHOWN)]
    return "\n".join([*parts, *_rest(results)])


def _shown(picture: str, arms: Sequence[str]) -> Iterator[str]:
    if (DOCS / picture).is_file():
        yield _SHOWN.format(picture=picture, arms=", ".join(arms))


def _rest(results: Sequence[Result]) -> Iterator[str]:
    yield from (_LABELS, _labels(results), _MORE, _more(results), _COST, _costs(results))
    yield from _settings(results)


def _of(results: Sequence[Result], arm: str) -> list[Result]:
    return [r for r in results if r["arm"] == arm]


def _read(results: Sequence[Result], name: str) -> list[float]:
    return [r["read"][name] for r in results]


def _targets(results: Sequence[Result]) -> str:
    """Seed by seed, whichever way it fell."""
    rows = []
    for key, world in _WORLDS.items():
        others = {r["seed"]: r["read"] for r in _of(results, f"{key}-blockgan2d")}
        for name in ("relate", "centred"):
            for result in _of(results, f"{key}-{name}"):
                read, other = result["read"], others.get(result["seed"])
                met = _met(key, read, other)
                told = ", ".join(one for one, fine in met.items() if not fine) or "-"
                count = f"{sum(met.values())} of {len(met)}"
                rows.append([f"{world}: {_NAMES[name]}", result["seed"], count, told])
    return table(["", "seed", "met", "not met"], rows)


def _met(key: str, read: Mapping[str, float], other: Mapping[str, float] | None) -> dict[str, bool]:
    found = {
        "label masks": read["label mask IoU"] >= 0.80,
        "label boxes": read["label box IoU"] >= 0.80,
    }
    if key == "dense":
        return found | {"clean": read["clean"] >= 0.95, "toggle IoU": read["toggle IoU"] >= 0.75}
    found["clean"] = read["clean"] >= 0.98
    if key == "large":
        return found | {
            "distance": read["distance"] <= 0.06,
            "valid": read["valid"] >= 0.85,
            "spread": abs(read["pixel std / real"] - 1) <= 0.15,
        }
    found |= {
        "distance": read["distance"] <= 0.10,
        "distance after offset": read["distance after offset"] <= 0.03,
        "valid": read["valid"] >= 0.88,
    }
    if other is not None:
        found["Frechet"] = read["frechet"] <= 0.6 * other["frechet"]
    return found


_COLUMNS = {
    "distance": ".3f",
    "distance after offset": ".3f",
    "clean": ".3f",
    "toggle IoU": ".2f",
    "valid": ".3f",
    "overlap": ".3f",
    "overlap shuffled": ".2f",
    "frechet": ".2f",
    "pixel std / real": ".2f",
    "painted": ".2f",
}
_TOLD = {"frechet": "Frechet", "pixel std / real": "spread / real", "painted": "objects' strength"}


def _world(key: str, results: Sequence[Result], others: Mapping[str, Result]) -> Iterator[str]:
    arms = {name: _of(results, f"{key}-{name}") for name in _NAMES}
    if not any(arms.values()):
        return
    steps = max(r["settings"]["steps"] for runs in arms.values() for r in runs)
    yield f"## {_WORLDS[key].capitalize()}, {steps:,} steps\n"
    rows = [
        [told, len(arms[name]), *(spread(_read(arms[name], c), f) for c, f in _COLUMNS.items())]
        for name, told in _NAMES.items()
        if arms[name]
    ]
    real = {**others[f"real-{key}"], "pixel std / real": 1.0}
    told = [format(real[name], form) if name in real else "" for name, form in _COLUMNS.items()]
    rows.append(["real", "", *told])
    yield table(["", "seeds", *(_TOLD.get(c, c) for c in _COLUMNS)], rows)


def _labels(results: Sequence[Result]) -> str:
    names = ("label mask IoU", "label box IoU", "rejected")
    columns = ["mask IoU", "box IoU", "rejected"]
    return _by_arm(results, columns, lambda r: [r["read"][n] for n in names])


def _more(results: Sequence[Result]) -> str:
    asked = [f"{k} balls" for k in (1, 3, 4)]
    parts = ("exact", "exact of the rest", "rejected")
    columns = [f"{k} {part}" for k in (1, 3, 4) for part in ("exact", "of the rest", "rejected")]
    return _by_arm(
        results, columns, lambda r: [r["read"][name][p] for name in asked for p in parts]
    )


def _costs(results: Sequence[Result]) -> str:
    rows = []
    for arm in dict.fromkeys(r["arm"] for r in results):
        runs = _of(results, arm)
        costs = [r["cost"] for r in runs]
        named = [
            spread([c[n] for c in costs if n in c], form)
            for n, form in (("own ms", ".0f"), ("minutes", ".1f"), ("memory", ".0f"))
        ]
        attempts = ", ".join(str(r["attempts"]) for r in runs)
        rows.append([arm, attempts, *named, spread(_read(runs, "samples/s"), ".0f")])
    columns = ["attempts", "ms a step", "minutes", "peak memory, MB", "samples/s"]
    return table(["", *columns], rows)


def _settings(results: Sequence[Result]) -> Iterator[str]:
    full = [r for r in results if r["arm"].endswith(("-relate", "-centred"))]
    if full:
        told = ", ".join(f"{name} {value}" for name, value in full[0]["settings"].items())
        yield f"Settings of {full[0]['arm']}: {told}.\n"


def _by_arm(
    results: Sequence[Result],
    columns: Sequence[str],
    values: Callable[[Result], Sequence[float]],
) -> str:
    rows = []
    for arm in dict.fromkeys(r["arm"] for r in results):
        lists = zip(*(values(r) for r in _of(results, arm)), strict=True)
        rows.append([arm, *(spread(found, ".2f") for found in lists)])
    return table(["", *columns], rows)
