"""The dataset card: README.md with the front matter that dataset hubs read."""

import html
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import datagen
from datagen.dataset.totals import Totals
from datagen.recipe import Recipe

_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)


def render(recipe: Recipe, totals: Totals, licences: Sequence[Mapping[str, Any]] = ()) -> str:
    """Markdown; it names no path of the machine and no time, so that it can be made again."""
    parts = [_front_matter(recipe, totals), _summary(recipe, totals), _classes(totals)]
    drawn = _LEARNED if recipe.generator.use in _LABELS_OF else _DRAWN
    limits = f"{drawn}{_UNSEEN}" + "".join(f"{line}\n" for line in _learned(recipe, totals))
    return "\n".join([*parts, _origin(recipe), *_licensed(licences), limits])


def _front_matter(recipe: Recipe, totals: Totals) -> str:
    lines = [
        "license: other",
        "license_name: see-provenance",
        f"pretty_name: {json.dumps(_title(recipe))}",
        "task_categories:",
        "- object-detection",
        "- image-segmentation",
        "size_categories:",
        f"- {_size(totals.images)}",
        "tags:",
        "- synthetic",
        "- coco",
    ]
    return "\n".join(["---", *lines, "---", ""])


def _summary(recipe: Recipe, totals: Totals) -> str:
    width, height = recipe.world().canvas
    labels = _LABELS_OF.get(recipe.generator.use, _EXACT)
    return f"""# {_title(recipe)}

{totals.images:,} synthetic images of {width} x {height} pixels with {totals.annotations:,} labelled
things; {totals.empty:,} images hold none. `annotations.json` is in COCO's format, with a mask
(compressed run lengths), a box and an area for each thing. {labels}
{_clips(recipe, totals)}Check the files with `datagen verify`.
"""


def _clips(recipe: Recipe, totals: Totals) -> str:
    if recipe.clips is None:
        return ""
    frames = recipe.clips.frames
    return f"""The images are the frames of {totals.images // frames:,} clips of {frames:,} each, in
order; a thing keeps its `track_id` through its clip.
"""


def _classes(totals: Totals) -> str:
    rows = [f"| {name} | {count:,} |" for name, count in totals.categories.items()]
    return "\n".join(["| category | things |", "|---|---:|", *rows, ""])


def _origin(recipe: Recipe) -> str:
    rows = [
        ("made with", f"datagen {datagen.__version__}"),
        ("grammar", recipe.grammar.name),
        ("scenes from", recipe.generator.use),
        ("drawn by", ", ".join(part.use for part in recipe.renderers) or "the generator"),
        ("seed", str(recipe.seed)),
        ("recipe digest", f"`{recipe.digest}`"),
    ]
    rows += [
        (f"asset `{name}`", f"sha256 `{source.sha256}`" if source.sha256 else "built in")
        for name, source in recipe.assets.items()
    ]
    if recipe.generator.weights is not None:
        rows.append(("weights", f"sha256 `{recipe.generator.weights.sha256}`"))
    rows += [
        (f"weights of `{part.use}`", f"sha256 `{part.weights.sha256}`")
        for part in recipe.renderers
        if part.weights is not None
    ]
    table = [f"| {key} | {value} |" for key, value in rows]
    head = ["## Provenance", "", "| | |", "|---|---|"]
    return "\n".join([*head, *table, "", _REPEAT])


def _learned(recipe: Recipe, totals: Totals) -> list[str]:
    """What is to be known of layouts and pictures that networks make."""
    lines = []
    if recipe.generator.use == "semgan":
        lines.append(
            "- Layouts are a network's, which learned them from label maps: things of one class "
            "that\n  touch are one instance."
        )
    if totals.rejected is not None:
        attempts = totals.rejected + totals.images
        share = totals.rejected / max(1, attempts)
        counted = f"{totals.rejected:,} of {attempts:,} attempts ({share:.1%})"
        lines.append(_REJECTED.get(recipe.generator.use, _REJECTED_BY_GATE).format(counted))
    return lines


def _licensed(licences: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names come from strangers' files, so they are text here and never markup."""
    if not licences:
        return []
    lines = [f"- {_escaped(one['name'])} {_escaped(one['url'])}".rstrip() for one in licences]
    return ["## Licences of the models", "", *lines, ""]


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*\[\]])", r"\\\1", html.escape(text, quote=False))


def _title(recipe: Recipe) -> str:
    return f"{recipe.grammar.name}: {recipe.count:,} synthetic images"


def _size(images: int) -> str:
    return next((name for limit, name in _SIZES if images < limit), "10M<n<100M")


_REPEAT = """`recipe.json` holds the grammar and every setting; `manifest.json` the versions of the
packages and the sha256 of every file. The licence is that of the grammar and of the assets.
"""

_EXACT = """The labels are computed from the same
drawing as the pixels: they are exact, and every image was audited before it was written
(`audit.json`)."""

_BY_TOGGLING = """**The labels are
the model's own and not exact**: RELATE learned from photos without labels what the objects are, and
a mask holds the pixels that change when an object is left out of its picture. That masks and boxes
fit each other was audited for every image (`audit.json`); that they fit the pixels was not."""

# The generators that learned from photos what a thing is: nobody drew it, so nobody knows it.
_LABELS_OF = {
    "relate": _BY_TOGGLING,
    "relate_clips": _BY_TOGGLING,
    "gnm": """**The labels are
the model's own and not exact**: GNM learned from photos without labels what the objects are, and a
mask holds the pixels that an object of its scene draws. That masks and boxes fit each other was
audited for every image (`audit.json`); that they fit the pixels was not.""",
}

_REJECTED_BY_GATE = """- A picture in which a second network did not find its layout again was
  rejected, and the image made anew: {}. What is hard to draw
  is therefore rarer here than in the layouts."""

_BY_ITSELF = """- A picture of which the model could not tell its objects apart was rejected,
  and the image made anew: {}. What the model draws badly
  is therefore rarer here than among its samples."""
_REJECTED = {"relate": _BY_ITSELF, "relate_clips": _BY_ITSELF, "gnm": _BY_ITSELF}

_DRAWN = """## Known limits

- The images are drawn: a model trained on them alone sees a gap to photographs. Measure it on
  photographs with labels before relying on it.
- What the grammar cannot express does not occur, and its frequencies are the grammar's (or those
  of the model that was learned), not those of a place that nobody measured.
"""

_LEARNED = """## Known limits

- The images are a network's, which learned them from photos; how good they and their labels are
  was not measured here: train on them, and score on photographs with labels.
- Of the grammar nothing is used but the canvas and the name of a category. The licence of the
  photos may bind what was learned from them.
"""

_UNSEEN = """- Things without a visible pixel have no label; `visible_fraction` and `truncation`
  tell how much of the others can be seen, so that a task can set its own limit.
"""
