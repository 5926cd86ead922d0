"""datagen: labelled synthetic datasets for a place you have only unlabelled photos of."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datagen.dataset.export import export as export
    from datagen.errors import DatagenError as DatagenError
    from datagen.frame import Frame as Frame
    from datagen.frame import Layout as Layout
    from datagen.grammar import Grammar as Grammar
    from datagen.labels import annotate as annotate
    from datagen.language import load as load_grammar
    from datagen.language import parse as parse_grammar
    from datagen.learning.job import learn as learn
    from datagen.pipeline import generate as generate
    from datagen.pipeline import regen as regen
    from datagen.pipeline import verify as verify
    from datagen.recipe import Recipe as Recipe
    from datagen.recipe import load as load_recipe
    from datagen.scene import Scene as Scene

__version__ = "0.1.0"

__all__ = [
    "DatagenError",
    "Frame",
    "Grammar",
    "Layout",
    "Recipe",
    "Scene",
    "__version__",
    "annotate",
    "export",
    "generate",
    "learn",
    "load_grammar",
    "load_recipe",
    "parse_grammar",
    "regen",
    "verify",
]

# Public name -> where it lives. None of these is also the name of a module of ours.
_PLACES = {
    "DatagenError": "errors:DatagenError",
    "Frame": "frame:Frame",
    "Grammar": "grammar:Grammar",
    "Layout": "frame:Layout",
    "Recipe": "recipe:Recipe",
    "Scene": "scene:Scene",
    "annotate": "labels:annotate",
    "export": "dataset.export:export",
    "generate": "pipeline:generate",
    "learn": "learning.job:learn",
    "load_grammar": "language:load",
    "load_recipe": "recipe:load",
    "parse_grammar": "language:parse",
    "regen": "pipeline:regen",
    "verify": "pipeline:verify",
}


def __getattr__(name: str) -> Any:
    """A public name, loaded when it is first asked for: torch and OpenCV take seconds."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _PLACES[name].partition(":")
    found = getattr(import_module(f"{__name__}.{module}"), attribute)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
