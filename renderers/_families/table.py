"""The table of families, and the family of each symbol of a grammar."""

from collections.abc import Mapping

from datagen.errors import InputError
from datagen.freezing import MODELS
from datagen.grammar import Grammar, Symbol

from .._attributes import Number, check_attributes
from .buildings import Building
from .cyclists import Cyclist
from .family import Family
from .files import Models, load_models
from .furniture import Bench, Bin, LampPost, Pole, Sign, TrafficLight
from .ground import Carriageway, Land, Marking, Pavement
from .people import Pedestrian
from .plants import Barrier, StreetTree
from .procedural import Procedural
from .sky import Sky, Skyline
from .solids import Arrow, Ball, Block, Bowl, Cylinder
from .vehicles import Vehicle

FAMILIES: Mapping[str, type[Family]] = {
    "sky": Sky,
    "skyline": Skyline,
    "land": Land,
    "pavement": Pavement,
    "carriageway": Carriageway,
    "marking": Marking,
    "building": Building,
    "barrier": Barrier,
    "street_tree": StreetTree,
    "lamp_post": LampPost,
    "pole": Pole,
    "sign": Sign,
    "traffic_light": TrafficLight,
    "bin": Bin,
    "bench": Bench,
    "vehicle": Vehicle,
    "pedestrian": Pedestrian,
    "cyclist": Cyclist,
    "ball": Ball,
    "block": Block,
    "cylinder": Cylinder,
    "bowl": Bowl,
    "arrow": Arrow,
}

_SPEED = Number("speed", 0.0, -60.0, 60.0)  # m/s along a thing's own y; of any thing


def families_of(grammar: Grammar) -> dict[str, Family]:
    """Asset of a scene node ("vehicle", "cars:sedan") -> its family, after checking each symbol."""
    models = _loaded(grammar)
    families: dict[str, Family] = {}
    for symbol in grammar.symbols.values():
        if symbol.draw is None:
            continue
        name, label = symbol.draw.painter, symbol.draw.label
        if label is not None and name in models:
            family: Family = models[name].family(label, symbol.name)
        elif label is None and name in FAMILIES:
            family = families.get(name) or FAMILIES[name]()
        else:
            raise _unknown(symbol, grammar)
        check_attributes(symbol, name, (*family.reads, _SPEED))
        families[str(symbol.draw)] = family
    return families


def _loaded(grammar: Grammar) -> dict[str, Models | Procedural]:
    """The sources of models that some symbol needs."""
    drawn = {s.draw.painter for s in grammar.symbols.values() if s.draw and s.draw.label}
    return {
        name: load_models(asset)
        for name, asset in grammar.assets.items()
        if asset.kind == MODELS and name in drawn
    }


def _unknown(symbol: Symbol, grammar: Grammar) -> InputError:
    packs = ", ".join(f'{name}("...")' for name in grammar.assets)
    known = ", ".join(FAMILIES) + (f"; models: {packs}" if packs else "; the grammar has no asset")
    return InputError(
        f"symbol `{symbol.name}` (line {symbol.line}): nothing draws `{symbol.draw}` in 3D; "
        f"families: {known}"
    )
