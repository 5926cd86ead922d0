"""datagen check"""

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Context, Exit

from datagen import language, pipeline, plugins, recipe
from datagen.cli.options import Json
from datagen.cli.screen import Screen
from datagen.derivation import outgrown
from datagen.grammar import Grammar
from datagen.scene import Scene

Source = Annotated[
    str, Argument(metavar="GRAMMAR|RECIPE", help="A .scene file, a recipe, or the name of one.")
]


def command(context: Context, source: Source, json: Json = False) -> None:
    """Of a recipe, its assets, generator and renderers are opened as well, if they can be yet."""
    grammar, learner = _looked_at(source)
    findings = language.check(grammar)
    for finding in findings:
        context.obj.say(f"{source}:{finding}")
    if learner:
        told = f"`{learner}` takes names and the canvas from this grammar, and samples none of it"
        text = f"{language.write(grammar)}\n{told}"
        context.obj.result(text, _summary(grammar, findings), as_json=json)
    else:
        _tell_scenes(context.obj, grammar, findings, json)
    if any(finding.severity == "error" for finding in findings):
        raise Exit(2)


def _tell_scenes(
    screen: Screen, grammar: Grammar, findings: list[language.Finding], json: bool
) -> None:
    """The grammar, and what an image of it will hold."""
    expected = language.expected_things(grammar)
    lines = [f"  {category:<16} {number:8.2f}" for category, number in expected.items()]
    shares = outgrown(grammar)
    for cap, share in shares.items():
        limit = f"{cap} {getattr(grammar, cap)}"
        screen.say(f"{100 * share:.1f} % of scenes outgrow {limit} and are drawn again")
    head = "an image holds on average" + (", before scenes are drawn again" if shares else "")
    text = "\n".join([language.write(grammar), head, *lines])
    summary = _summary(grammar, findings) | {"expected": expected, "outgrown": shares}
    screen.result(text, summary, as_json=json)


def _looked_at(source: str) -> tuple[Grammar, str]:
    """The grammar, and the generator of a recipe that does not sample it."""
    if source.endswith(".scene"):
        return language.load(Path(source)), ""
    if source in plugins.names("grammars") and source not in plugins.names("configs"):
        return language.named(source), ""
    loaded = recipe.load(source, allow_empty=True)
    if not loaded.untaught():
        loaded.check_worth()
        with pipeline.opened(loaded):
            pass
    is_sampled = loaded.generator.component("generators").gives is Scene
    return loaded.world(), "" if is_sampled else loaded.generator.use


def _summary(grammar: Grammar, findings: list[language.Finding]) -> dict[str, Any]:
    return {
        "world": grammar.world,
        "canvas": grammar.canvas,
        "rules": len(grammar.rules),
        "digest": grammar.digest,
        "findings": [vars(finding) for finding in findings],
    }
