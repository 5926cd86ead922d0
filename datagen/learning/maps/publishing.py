"""What a run on label maps leaves behind: weights, sheets, the report, a recipe to go on with."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from datagen import __version__
from datagen.errors import DatagenError
from datagen.files import write_atomic
from datagen.learning.maps import sheets
from datagen.learning.statements import Statement
from datagen.reading.maps import LabelMaps
from datagen.recipe import Recipe
from datagen.report.learning import write_report
from datagen.report.sheet import save_png
from datagen.taught import Section


def publish(
    recipe: Recipe,
    maps: LabelMaps,
    run: Path,
    weights: Mapping[Section, Path],
    said: Sequence[Statement],
) -> list[Statement]:
    """Write the results into the run folder, each at once; what can be said of them."""
    taught = recipe.with_weights(weights)
    shown, failed = _sheets(recipe, taught, maps, run)
    said = [*said, *failed]
    report = {
        "title": f"{recipe.grammar.name}: what was learned from {len(maps)} label maps",
        "opening": "Learned from label maps, in the classes of the scene grammar",
        "grammar": recipe.grammar.name,
        "statements": [one.to_json() for one in said],
        "sheets": [{"title": title, "file": file} for file, title in shown.items()],
        "facts": {
            "label maps": len(maps),
            "files left out": len(maps.rejected),
            "width": maps.size[0],
            "height": maps.size[1],
            "seed": recipe.learn.seed,
            "recipe": recipe.digest,
            "datagen": __version__,
        },
    }
    write_atomic(run / "report.json", json.dumps(report, indent=1, allow_nan=False))
    write_report(run)
    write_atomic(run / "recipe.json", json.dumps(_frozen(taught, weights), indent=1))
    return said


def _sheets(
    recipe: Recipe, taught: Recipe, maps: LabelMaps, run: Path
) -> tuple[dict[str, str], list[Statement]]:
    """File in the run folder -> title; and what is to be said where images cannot be made."""
    save_png(run / "maps.png", sheets.given_maps(maps))
    shown = {"maps.png": "Label maps of the target"}
    for key, section in recipe.untaught().items():
        if section == "layout":
            save_png(run / "layouts.png", sheets.learned_layouts(taught))
            shown["layouts.png"] = "Learned layouts, as they come"
        else:
            save_png(run / "pairs.png", sheets.learned_pairs(taught, taught.parts[key], maps))
            shown["pairs.png"] = "A label map, its photo, and three styles of what was learned"
    try:
        save_png(run / "images.png", sheets.first_images(taught))
    except DatagenError as error:  # what was learned is there all the same
        return shown, [Statement("warning", f"These images cannot be made: {error}.")]
    return shown | {"images.png": "The first images that the run generates, with labels"}, []


def _frozen(taught: Recipe, weights: Mapping[Section, Path]) -> dict[str, object]:
    """The recipe with the run's own files by their names alone: the folder may be moved."""
    frozen = taught.encode()
    files = {str(file.resolve()): file.name for file in weights.values()}
    for part in (frozen["generator"], *frozen["renderers"]):
        if part["weights"] is not None:
            source = part["weights"]["source"]
            part["weights"]["source"] = files.get(str(Path(source).resolve()), source)
    return frozen
