"""What a clerk does for the server, in its own process: orders, checks, previews, verdicts."""

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from datagen.errors import GrammarError, ImageError, InputError
from datagen.frame import Frame
from datagen.grammar import Grammar
from datagen.jobs.conducted import Order
from datagen.jobs.work import Payload, Run
from datagen.web import types
from datagen.web.home import MADE, Home, NotHere
from datagen.web.worlds import grammar_of, refuse_sets, world_of

_MOST_FOUND = 1000  # of one dataset that are told


@contextmanager
def errands() -> Iterator[Run]:
    """Does one errand after the other; `what` names it, `home` tells of the server's folder."""

    def run(payload: Payload, progress: Callable[[int], None]) -> Any:
        home = Home(
            Path(payload["home"]),
            Path(payload["jobs"]),
            {name: Path(path) for name, path in payload["shared"].items()},
        )
        try:
            return ERRANDS[payload["what"]](home, payload["asked"])
        except NotHere as error:
            raise InputError(str(error)) from error

    yield run


def order(home: Home, asked: dict[str, Any]) -> dict[str, Any]:
    """Check an order and take the folder of what it makes: the job's verb and arguments."""
    request, name = asked["order"], asked["name"]
    out = home.place(MADE[request["verb"]], name)
    made = _ORDERS[request["verb"]](home, request, out)
    made.claim()
    return {"verb": made.verb, "arguments": made.arguments}


def _generate(home: Home, request: dict[str, Any], out: Path) -> Order:
    from datagen import pipeline

    asked = types.Generate.model_validate(request)
    keys = ("count", "seed", "shard_size")
    sets = [f"{key}={getattr(asked, key)}" for key in keys if getattr(asked, key) is not None]
    # What is there is of a request that died before its job was made; another recipe is refused.
    return pipeline.order(world_of(home, asked.world, sets), out, resume=out.exists())


def _learn(home: Home, request: dict[str, Any], out: Path) -> Order:
    asked = types.Learn.model_validate(request)
    target = home.find("targets", asked.target)
    from datagen.learning import job  # takes seconds, and a name that is none is told before

    return job.order(world_of(home, asked.world), target, out, resume=out.exists())


def _train(home: Home, request: dict[str, Any], out: Path) -> Order:
    from datagen.detecting import job
    from datagen.detecting.lessons import lesson

    asked = types.Train.model_validate(request)
    refuse_sets(asked.sets)
    dataset = home.find("datasets", asked.dataset)
    val = home.find("datasets", asked.val) if asked.val else None
    start = home.find("detectors", asked.start) if asked.start else None
    given = lesson(str(dataset), asked.sets, start)
    return job.order(given, dataset, out, val=val, resume=out.exists())


def _evaluate(home: Home, request: dict[str, Any], out: Path) -> Order:
    from datagen.detecting import evaluation

    asked = types.Evaluate.model_validate(request)
    detector = home.find("detectors", asked.detector)
    dataset = home.find("datasets", asked.dataset)
    options = {"official": asked.kitti_official, "merge": asked.merge}
    whole = evaluation.Request(detector, dataset, **options)
    return evaluation.order(whole, out, resume=out.exists())


def _export(home: Home, request: dict[str, Any], out: Path) -> Order:
    from datagen.dataset.export import job
    from datagen.dataset.export.selection import Policy

    asked = types.Export.model_validate(request)
    policy = Policy(asked.min_visible_fraction, asked.min_pixels, asked.merge, asked.splits)
    dataset = home.find("datasets", asked.dataset)
    return job.order(dataset, asked.format, out, policy, resume=out.exists())


_ORDERS: dict[str, Callable[[Home, dict[str, Any], Path], Order]] = {
    "generate": _generate,
    "learn": _learn,
    "train": _train,
    "evaluate": _evaluate,
    "export": _export,
}


def check(home: Home, asked: dict[str, Any]) -> dict[str, Any]:
    """What `datagen check` says of a grammar's text."""
    return _checked(grammar_of(asked["text"], asked["name"]))


def grammar(home: Home, asked: dict[str, Any]) -> dict[str, Any]:
    """The same; a finding that makes `datagen check` fail is raised as a GrammarError."""
    found = grammar_of(asked["text"], asked["name"])
    _refuse_findings(found, asked["text"], asked["name"])
    return _checked(found)


def recipe(home: Home, asked: dict[str, Any]) -> None:
    """As `datagen check` checks a recipe: its parts are opened, if they can be yet."""
    from datagen import pipeline

    world = world_of(home, types.WorldOf(toml=asked["text"]))
    _refuse_findings(world.world(), world.grammar.text, world.grammar.name)
    if not world.untaught():
        with pipeline.opened(world):
            pass


def _checked(found: Grammar) -> dict[str, Any]:
    """types.Checked as plain data."""
    from datagen import language

    findings = [
        {"severity": one.severity, "text": one.message, "line": one.line, "column": one.column}
        for one in language.check(found)
    ]
    return {
        "world": found.world,
        "canvas": found.canvas,
        "rules": len(found.rules),
        "digest": found.digest,
        "expected": language.expected_things(found),
        "findings": findings,
    }


def _refuse_findings(found: Grammar, text: str, name: str) -> None:
    from datagen import language

    for one in language.check(found):
        if one.severity == "error":
            place = {"path": f"{name}.scene", "line": one.line, "column": one.column}
            raise GrammarError(one.message, source=text, **place)


def preview(home: Home, asked: dict[str, Any]) -> str:
    """A contact sheet as `datagen preview` draws it: PNG, base64."""
    import cv2

    from datagen import labels
    from datagen.report.sheet import contact_sheet

    request = types.Preview.model_validate(asked)
    images, things = [], []
    for frame in _first(home, request):
        images.append(frame.image)
        things.append(labels.annotate(frame))
    sheet = contact_sheet(images, things, boxes=request.boxes, masks=request.masks)
    return base64.b64encode(cv2.imencode(".png", sheet[..., ::-1])[1].tobytes()).decode()


def sketches(home: Home, asked: dict[str, Any]) -> dict[str, Any]:
    """The same images one by one, with their labels beside them, as a page shows them."""
    from datagen.web.sketches import drawn

    return drawn(_first(home, types.Preview.model_validate(asked)))


def _first(home: Home, request: types.Preview) -> Iterator[Frame]:
    """The first images of what a preview is asked for."""
    from datagen import pipeline

    sets = [] if request.seed is None else [f"seed={request.seed}"]
    try:
        yield from pipeline.first(world_of(home, request.world, sets), request.number)
    except ImageError as error:  # the recipe asks for what cannot be drawn
        raise InputError(str(error)) from error


def verify(home: Home, asked: dict[str, Any]) -> dict[str, Any]:
    """What `datagen verify` says of a dataset: a types.Verdict, of which findings may be many."""
    from datagen import pipeline

    folder = home.find("datasets", asked["dataset"])
    try:
        findings = pipeline.verify(folder).findings
        found = [{"severity": one.severity, "text": one.message} for one in findings]
    except InputError as error:  # what it begins with is broken; the server's path is nobody's
        found = [{"severity": "error", "text": home.named(str(error))}]
    more = len(found) - _MOST_FOUND
    shown = found[:_MOST_FOUND]
    if more > 0:
        shown.append({"severity": "error", "text": f"and {more:,} findings more"})
    return {"sound": not found, "findings": shown}


ERRANDS: dict[str, Callable[[Home, dict[str, Any]], Any]] = {
    "order": order,
    "check": check,
    "grammar": grammar,
    "recipe": recipe,
    "preview": preview,
    "sketches": sketches,
    "verify": verify,
}
