"""What a run that taught parts leaves behind: weights, sheets, the report, a recipe to go on."""

import json
from collections.abc import Mapping
from itertools import chain
from pathlib import Path

from datagen import __version__
from datagen.errors import DatagenError
from datagen.files import write_atomic
from datagen.learning.parts.material import Material, first_images
from datagen.learning.statements import Statement
from datagen.recipe import Recipe
from datagen.report.learning import write_report
from datagen.report.sheet import save_png
from datagen.taught import Section


def publish(
    recipe: Recipe, material: Material, run: Path, weights: Mapping[Section, Path]
) -> tuple[list[Statement], bool]:
    """Write the results into the run folder, each at once.

    What can be said of them, and whether images can be made.
    """
    taught = recipe.with_weights(weights)
    shown, failed = _sheets(material, taught, run)
    said = material.statements(taught)
    if failed and not any(failed in one.text for one in said):
        said.append(Statement("warning", f"These images cannot be made: {failed}."))
    width, height = material.size
    report = {
        "title": f"{recipe.grammar.name}: what was learned from {len(material)} {material.given}",
        "opening": material.opening,
        "grammar": recipe.grammar.name,
        "statements": [one.to_json() for one in said],
        "sheets": [{"title": title, "file": file} for file, title in shown.items()],
        "facts": {
            material.given: len(material),
            "files left out": len(material.rejected),
            "width": width,
            "height": height,
            "seed": recipe.learn.seed,
            "recipe": recipe.digest,
            "datagen": __version__,
        },
    }
    write_atomic(run / "report.json", json.dumps(report, indent=1, allow_nan=False))
    write_report(run)
    write_atomic(run / "recipe.json", json.dumps(_frozen(taught, weights), indent=1))
    return said, not failed


def _sheets(material: Material, taught: Recipe, run: Path) -> tuple[dict[str, str], str]:
    """File in the run folder -> title; and why some cannot be drawn, or nothing."""
    shown: dict[str, str] = {}
    try:
        for sheet in chain(material.sheets(taught), first_images(taught)):
            save_png(run / sheet.file, sheet.pixels)
            shown[sheet.file] = sheet.title
    except DatagenError as error:  # what was learned is there all the same
        return shown, str(error).replace(f"{run.resolve()}/", "")  # wherever the run lies
    return shown, ""


def _frozen(taught: Recipe, weights: Mapping[Section, Path]) -> dict[str, object]:
    """The recipe with the run's own files by their names alone: the folder may be moved."""
    frozen = taught.encode()
    files = {str(file.resolve()): file.name for file in weights.values()}
    for part in (frozen["generator"], *frozen["renderers"]):
        if part["weights"] is not None:
            source = part["weights"]["source"]
            part["weights"]["source"] = files.get(str(Path(source).resolve()), source)
    return frozen
