"""docs/results-gnm-bowls.md from what benchmarks/gnm_bowls.py kept."""

from collections.abc import Callable, Mapping, Sequence

from measured import Result
from tables import spread, table

PICTURES = {
    "gnm_bowls_dense.png": ["dense-0/sample.png"],
    "gnm_bowls_sparse.png": ["sparse-0/sample.png"],
}

_HEAD = """# GNM before a background, measured

The balls in a bowl [that RELATE learned](results-relate.md), sparse and dense, 32 x 32 px, in
colours, before bowls of many shapes: 8,000 pictures without labels to learn from. GNM is not told
how many balls there are, but about how large. Objects hide each other and the background; grid of
4 x 4 cells. What is measured is the last step's model, never a better one on the way. Values are
medians of the seeds, in brackets the lowest and the highest.

As the paper teaches it (all objects are there and cover their boxes at first, while the background
is held back) it found nothing in our trials: objects painted the bowl, or the background painted
the balls and no object was left. Here lessons come first, 25 % of the steps (`learn.gnm.lessons`):
the background alone; then in each picture one more object, in the middle of a square as large as
it, where that picture is made again badly: first as a full box that looks like all others, then
with a shape and a look of its own.

What that needs, on small balls, seed 0, one run each of 4,000 steps unless said, told by the share
of balls that are found to an IoU of .5 (objects as they stand), in 256 pictures:

| lessons | after | found |
| --- | --- | --- |
| somewhere in the worst cell | 4,000 steps | .00 |
| on the worst pixel | 1,600 steps | .50: of two balls the red one |
| on one that is half as bad, at least, by luck; looks with noise from the start | 1,600 steps | .93, all in one mean colour |
| looks with a fifth of the noise from the start | 1,600 steps | .49: the red one |
| looks after boxes, without noise | 4,000 steps | .98, layout .9 nats |
| the same, but beta_g rises earlier, 5,000 steps: as below | 4,000 steps | .98, layout 3.8 nats |

What is taught of presence and places weighed a quarter of what it does now in all of them. In short
trials with two coins on plain grounds about half of the coins were found so, and all with today's
weights. And divergences of looks counted in all lessons, the last of which took a third of their
steps: of three whole runs made so on small balls the third found them as well as the others (boxes
AP50 .980), but never told their colours apart (both purple: valid .001, Frechet distance 26). Now
looks cost nothing while things are put somewhere, and half of the steps are for them.

Last, the monitor looks at balls at all (`learn.gnm.sharp` 1; a ball's look is 1.3 nats, and it waits
for 7.5 else). Without it seed 1 of the small balls never told in its layout which ball is which
(2.6 of 2.6 nats of looks untold; valid .32, Frechet distance 14.9); where the ramp began again at
half of the steps, it did (1.4 of 2.6; .82 and 1.5). The ramp of seed 2 begins again as well.
"""  # noqa: E501
_FOUND = """## Balls found in pictures

500 pictures that it has not seen, as `datagen predict` labels them, against true labels by COCO's
measures. Right number: share of pictures in which as many things are found as there are.

A pixel is of what hides more than half of it. Cut at .3, as light is, seed 0 of the dense balls had
an AP of .777 for boxes and .755 for masks (.808 and .861 now), seed 2 of the sparse ones .734 and
.609 (.829 and .771).
"""
_MADE = """## Pictures made anew

2,000 samples with their labels, as `datagen generate` makes them; none is left out. Valid, overlap
and Frechet distance as on [RELATE's page](results-relate.md#how-it-is-measured). Two: share with
two labelled things. Masks and boxes against the balls by colour, where both are seen.

Backgrounds are sampled: at their mode, as objects are, bowls came out nearly alike (seed 1 of the
dense balls, learned with beta 2: Frechet distance 16.9, and 2.6 sampled; valid .92 both times, no
overlap; boxes found AP .886).

As many objects are there as the layout expects, in the likeliest cells. In the paper there is
whatever is likelier than not: of a ball that may be in either of three cells that is nothing. What
else may be done with the same weights, 1,000 pictures of each seed:

| | two | valid | Frechet |
| --- | --- | --- | --- |
| sparse: likelier than not | .781 (.616 to .798) | .711 (.595 to .725) | 2.1 (1.7 to 3.8) |
| **as many as are expected** | .978 (.971 to .989) | .871 (.823 to .898) | 1.7 (1.3 to 1.9) |
| the same, in cells by their chances | .978 (.971 to .989) | .829 (.779 to .833) | 1.3 (1.0 to 1.4) |
| in likely cells, but places by their chances | .978 (.971 to .989) | .770 (.729 to .778) | .8 (.7 to .9) |
| dense: likelier than not | .894 (.811 to .899) | .891 (.830 to .911) | .8 (.5 to 1.5) |
| **as many as are expected** | .967 (.943 to .990) | .942 (.886 to .948) | .8 (.5 to 1.4) |
| the same, in cells by their chances | .967 (.943 to .990) | .930 (.870 to .937) | .8 (.5 to 1.4) |
| in likely cells, but places by their chances | .967 (.943 to .990) | .802 (.750 to .834) | .5 (.4 to .5) |

To let the layout tell more by the weight alone: with beta_g at .5, .25 and .1 at most, instead of
1, before the monitor looked, that of sparse 2 told 12 nats and more instead of 2.4, but then of the
pictures .759, .723 and .628 were valid (.891 at 1; Frechet distance 1.6, 1.1, 2.1 and 3.1). And
where its first 5 nats cost nothing (free bits) and the monitor looked, .832 of sparse 1 were (1.7;
500 pictures).
"""  # noqa: E501
_COST = """## What it costs

One thread a run, its own time; cores were shared with other runs. Frames with labels, one at a
time, of the process' own time.
"""


def page(results: Sequence[Result], others: Mapping[str, Result]) -> str:
    arms = list(dict.fromkeys(one["arm"] for one in results))
    held = {arm: [one for one in results if one["arm"] == arm] for arm in arms}
    pictures = [_shown(arm) for arm in arms if any(one["seed"] == 0 for one in held[arm])]
    parts = [_HEAD, _FOUND, _table(held, "found", _FOUND_COLUMNS), _MADE, _made(held, others)]
    return "\n".join([*parts, *pictures, _COST, _costs(held), _settings(results)])


_FOUND_COLUMNS = ("boxes AP50", "boxes AP", "masks AP50", "masks AP", "right number")
_MADE_COLUMNS = ("both", "valid", "overlap", "overlap shuffled", "frechet", "two")
_LABEL_COLUMNS = ("mask IoU", "box IoU")


def _values(results: Sequence[Result], of: str, name: str) -> list[float]:
    return [one[of][name] for one in results]


def _row(results: Sequence[Result], of: str, columns: Sequence[str]) -> list[str]:
    return [spread(_values(results, of, name), ".3f") for name in columns]


def _table(held: Mapping[str, Sequence[Result]], of: str, columns: Sequence[str]) -> str:
    rows = [(arm, len(ones), *_row(ones, of, columns)) for arm, ones in held.items()]
    return table(("", "seeds", *columns), rows)


def _made(held: Mapping[str, Sequence[Result]], others: Mapping[str, Result]) -> str:
    columns = (*_MADE_COLUMNS, *_LABEL_COLUMNS)
    rows: list[tuple[object, ...]] = []
    for arm, ones in held.items():
        rows.append((arm, len(ones), *_row(ones, "made", columns)))
        real = others.get(f"real-{arm}")
        if real is not None:
            told = [f"{real[name]:.3f}" if name in real else "" for name in _MADE_COLUMNS]
            rows.append((f"real {arm}", "", *told, "", ""))
    return table(("", "seeds", *columns), rows)


def _shown(arm: str) -> str:
    return f"""![{arm.capitalize()}](gnm_bowls_{arm}.png)

{arm.capitalize()}, seed 0, the first 12, not chosen: what is found in pictures that it has not
seen; pictures made anew; the same with their labels.
"""


def _costs(held: Mapping[str, Sequence[Result]]) -> str:
    columns: dict[str, Callable[[float], str]] = {
        "own ms": "{:.0f}".format,
        "minutes": "{:.1f}".format,
        "memory": "{:.0f}".format,
        "frames/s": "{:.0f}".format,
    }
    rows = [
        (
            arm,
            *(", ".join(map(told, _values(ones, "cost", name))) for name, told in columns.items()),
        )
        for arm, ones in held.items()
    ]
    return table(("", "ms a step", "minutes", "peak memory, MB", "frames/s"), rows)


def _settings(results: Sequence[Result]) -> str:
    told = ", ".join(f"{name} {value}" for name, value in results[0]["settings"].items())
    return f"Settings of {results[0]['arm']}: {told}.\n"
