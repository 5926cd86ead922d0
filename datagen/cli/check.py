"""datagen check"""

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Context, Exit

from datagen import language, pipeline, plugins, recipe
from datagen.cli.options import Json
from datagen.derivation import outgrown
from datagen.grammar import Grammar

Source = Annotated[
    str, Argument(metavar="GRAMMAR|RECIPE", help="A .scene file, a recipe, or the name of one.")
]


def command(context: Context, source: Source, json: Json = False) -> None:
    """Of a recipe, its assets, generator and renderers are opened as well, if they can be yet."""
    grammar = _grammar(source)
    findings = language.check(grammar)
    for finding in findings:
        context.obj.say(f"{source}:{finding}")
    expected = language.expected_things(grammar)
    lines = [f"  {category:<16} {number:8.2f}" for category, number in expected.items()]
    shares = outgrown(grammar)
    for cap, share in shares.items():
        limit = f"{cap} {getattr(grammar, cap)}"
        context.obj.say(f"{100 * share:.1f} % of scenes outgrow {limit} and are drawn again")
    head = "an image holds on average" + (", before scenes are drawn again" if shares else "")
    text = "\n".join([language.write(grammar), head, *lines])
    summary = _summary(grammar, findings, expected) | {"outgrown": shares}
    context.obj.result(text, summary, as_json=json)
    if any(finding.severity == "error" for finding in findings):
        raise Exit(2)


def _grammar(source: str) -> Grammar:
    if source.endswith(".scene"):
        return language.load(Path(source))
    if source in plugins.names("grammars") and source not in plugins.names("configs"):
        return language.named(source)
    loaded = recipe.load(source, allow_empty=True)
    if loaded.untaught():
        return loaded.world()
    loaded.check_worth()
    with pipeline.opened(loaded):
        return loaded.world()


def _summary(
    grammar: Grammar, findings: list[language.Finding], expected: dict[str, float]
) -> dict[str, Any]:
    return {
        "world": grammar.world,
        "canvas": grammar.canvas,
        "rules": len(grammar.rules),
        "digest": grammar.digest,
        "expected": expected,
        "findings": [vars(finding) for finding in findings],
    }
