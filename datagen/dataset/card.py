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
    limits = _LIMITS + "".join(f"{line}\n" for line in _learned(recipe, totals))
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
    return f"""# {_title(recipe)}

{totals.images:,} synthetic images of {width} x {height} pixels with {totals.annotations:,} labelled
things; {totals.empty:,} images hold none. `annotations.json` is in COCO's format, with a mask
(compressed run lengths), a box and an area for each thing. The labels are computed from the same
drawing as the pixels: they are exact, and every image was audited before it was written
(`audit.json`). Check the files with `datagen verify`.
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
        share = totals.rejected / max(1, totals.rejected + totals.images)
        lines.append(
            "- A picture in which a second network did not find its layout again was rejected, and "
            "the\n  image made anew: "
            f"{totals.rejected:,} of {totals.rejected + totals.images:,} attempts ({share:.1%}). "
            "What is hard to draw is\n  therefore rarer here than in the layouts."
        )
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

_LIMITS = """## Known limits

- The images are drawn: a model trained on them alone sees a gap to photographs. Measure it on
  photographs with labels before relying on it.
- What the grammar cannot express does not occur, and its frequencies are the grammar's (or those
  of the model that was learned), not those of a place that nobody measured.
- Things without a visible pixel have no label; `visible_fraction` and `truncation` tell how much
  of the others can be seen, so that a task can set its own limit.
"""
