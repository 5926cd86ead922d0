"""`datagen advise`: evaluations in, a proposed grammar, its recipe and a report out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from datagen import __version__, labels, language, pipeline, recipe
from datagen.advising.amounts import SYMBOL, Key, amounts
from datagen.advising.budget import budget
from datagen.advising.evaluations import (
    Evaluation,
    Slice,
    best_trained,
    check_same_target,
    load,
    mean_of,
    pooled,
)
from datagen.advising.origin import Origin, origin, proposed
from datagen.advising.reweighting import DRAWS, Proposal, reweighted
from datagen.advising.wishes import Wish, wishes
from datagen.advising.words import rule_of, summary
from datagen.advising.writing import as_toml
from datagen.dataset.targets import display_name
from datagen.errors import InputError, MissingError
from datagen.files import make_folder, refuse_filled, write_atomic
from datagen.grammar import Grammar
from datagen.progress import Advance
from datagen.recipe import Recipe
from datagen.report.advice import write_advice
from datagen.report.sheet import contact_sheet, save_png

SCENE, RECIPE = "proposed.scene", "recipe.toml"
_SHOWN = 12  # pictures on a contact sheet


@dataclass(frozen=True)
class Request:
    """`source`: the recipe to change; None: the one that the detector was trained on."""

    evaluations: Sequence[Path]
    source: str | None = None
    strength: float = 1.0
    after: Path | None = None  # the evaluation of a detector trained on what was proposed


def advise(
    request: Request, out: Path, progress: Advance = lambda done, total, what: None
) -> dict[str, Any]:
    """Write proposed.scene, recipe.toml, report.json, report.html and the sheets; the report.

    InputError for what cannot be read or re-weighted, and for an `out` that is not empty.
    """
    refuse_filled(out)
    _check_once(request.evaluations)
    evaluations = [load(folder) for folder in request.evaluations]
    after = None if request.after is None else load(request.after)
    check_same_target([*evaluations, *([after] if after else [])])
    best = best_trained(evaluations)
    slices = pooled(best)
    _check_symbols(best[0], slices)
    progress(0, 4, "reading the recipe")
    before = origin(request.source, best)
    progress(1, 4, "re-weighting")
    wished = wishes(slices, amounts(before.grammar), request.strength)
    factors = {one.key: one.factor for one in wished if one.factor is not None}
    proposal = reweighted(before.grammar, factors)
    report = _report(request, evaluations, before, proposal, wished)
    report["after"] = None if after is None else _compared(best, after)
    report["slices"] = [asdict(one) for one in slices]
    report["summary"] = summary(report, wished, slices)
    _publish(out, before, proposal, report, progress)
    return report


def _check_once(folders: Sequence[Path]) -> None:
    places = [folder.resolve() for folder in folders]
    for k, place in enumerate(places):
        if place in places[:k]:
            raise InputError(f"{folders[k]}: is given twice; name each evaluation once")


def _check_symbols(best: Evaluation, slices: Sequence[Slice]) -> None:
    if not any(one.factor == SYMBOL for one in slices):
        raise InputError(
            f"{best.folder}: has no slices by symbol, since {best.dataset} does not say which "
            "symbols of a grammar its things are (photos do not); evaluate on a dataset of "
            "`datagen generate`, such as one of the city's learned recipe"
        )


def _report(
    request: Request,
    evaluations: Sequence[Evaluation],
    before: Origin,
    proposal: Proposal,
    wished: Sequence[Wish],
) -> dict[str, Any]:
    grammar = before.grammar
    return {
        "format": "datagen-advice-1",
        "datagen": __version__,
        "title": f"{grammar.world}: what to make more of",
        "rule": rule_of(),
        "evaluations": [_described(one) for one in evaluations],
        "facts": {
            "recipe": display_name(before.name),
            "evaluated on": display_name(evaluations[0].dataset),
            "evaluated pictures": evaluations[0].pictures,
            "things in them": evaluations[0].things,
            "AP50 of boxes, %": _percent(mean_of([one.ap50 for one in best_trained(evaluations)])),
            "strength": float(request.strength),
            "numbers of things made": "calculated"
            if proposal.exact
            else f"means of {DRAWS:,} scenes",
        },
        "changed": proposal.after != proposal.before,
        "estimated": before.estimated,
        "held_back": proposal.held_back,
        "exact": proposal.exact,
        "reached": _reached(proposal, wished),
        "symbols": {"before": dict(proposal.made), "after": dict(proposal.made_after)},
        "categories": {
            "before": _by_category(grammar, proposal.made),
            "after": _by_category(grammar, proposal.made_after),
        },
        "diff": language.diff(proposal.before, proposal.after),
        "budget": budget(evaluations) if len(evaluations) > 1 else None,
    }


def _reached(proposal: Proposal, wished: Sequence[Wish]) -> list[dict[str, Any]]:
    """The wishes, with what the proposed grammar makes of them."""
    after = amounts(proposal.after)
    return [{**asdict(one), **_made(one, after)} for one in wished]


def _made(one: Wish, after: Mapping[Key, float]) -> dict[str, Any]:
    return {**one.key._asdict(), "wished": one.factor, "after": after.get(one.key)}


def _described(one: Evaluation) -> dict[str, Any]:
    return {
        "folder": display_name(str(one.folder)),
        "run": display_name(one.run),
        "trained_on": one.trained_on,
        "AP50": one.ap50,
    }


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 1)


def _by_category(grammar: Grammar, made: Mapping[str, float]) -> dict[str, float]:
    """Category -> things in a scene on average."""
    found = dict.fromkeys(grammar.categories, 0.0)
    for name, symbol in grammar.symbols.items():
        if symbol.category is not None:
            found[symbol.category] += made[name]
    return found


def _compared(best: Sequence[Evaluation], after: Evaluation) -> dict[str, Any]:
    """AP50 and recall of every slice that both sides have, and of the whole."""
    new = {(one.factor, one.label): one for one in after.slices}
    rows = []
    for old in pooled(best):
        other = new.get((old.factor, old.label))
        if other is not None:
            pair = {"before": old.ap50, "after": other.ap50}
            recall = {"before": old.recall, "after": other.recall}
            head = {"factor": old.factor, "label": old.label, "things": old.things}
            rows.append(head | {"AP50": pair, "recall": recall})
    trained = [one.trained_on for one in best if one.trained_on is not None]
    return {
        "folder": display_name(str(after.folder)),
        "AP50": {"before": mean_of([one.ap50 for one in best]), "after": after.ap50},
        "trained_on": {
            "before": round(fmean(trained)) if trained else None,
            "after": after.trained_on,
        },
        "slices": rows,
    }


# -------------------------------------------------------------------------------------- publishing


def _publish(
    out: Path, before: Origin, proposal: Proposal, report: dict[str, Any], progress: Advance
) -> None:
    make_folder(out)
    notes = [
        f"Proposed by datagen {__version__} from {report['facts']['recipe']}, by "
        f"{', '.join(one['folder'] for one in report['evaluations'])}.",
        report["rule"],
    ]
    text = language.written(proposal.after, notes)
    write_atomic(out / SCENE, text)
    toml = as_toml(proposed(before, text), SCENE, _remarks(out))
    write_atomic(out / RECIPE, toml)
    after = recipe.load(out / RECIPE, allow_empty=True)  # what is published can be read back
    report["sheets"] = []
    for step, (title, name, one) in enumerate(
        (("before", "before.png", before.recipe), ("after", "after.png", after)), 2
    ):
        progress(step, 4, f"drawing {_SHOWN} pictures {title}")
        try:
            save_png(out / name, _sheet(one))
            report["sheets"].append({"title": title.capitalize(), "file": name})
        except MissingError as error:
            text = f"The pictures {title} cannot be drawn here: {error}"
            report["summary"].append({"about": "pictures", "text": text})
    write_atomic(out / "report.json", json.dumps(report, indent=1, allow_nan=False))
    write_advice(out)


def _remarks(out: Path) -> list[str]:
    command = f"datagen generate {display_name(str(out / RECIPE))} --out DATASET"
    plain = "".join(c if c.isprintable() else "?" for c in command)  # it stands in a comment
    return [plain, "The old recipe with the proposed grammar."]


def _sheet(one: Recipe) -> Any:
    with pipeline.opened(one) as make_frame:
        frames = [make_frame(index)[1] for index in range(_SHOWN)]
    things = [labels.annotate(frame) for frame in frames]
    return contact_sheet([frame.image for frame in frames], things, masks=False)
