"""The table of painters, and the painter of each symbol of a grammar."""

from collections.abc import Mapping

import cv2

from datagen.errors import InputError
from datagen.grammar import Grammar, Symbol
from datagen.scene import Transform

from ._aerial import Car, House, Road, Tree
from ._attributes import Number, Values, check_attributes
from ._canvas import Drawing, Patch, tint
from ._flat import Ellipse, Ground, Polygon, Rect
from ._painting import Painter, Site
from ._sprites import Pictures, exemplars, load_pack
from ._street import STREET
from ._textures import Picture

PAINTERS: Mapping[str, type[Painter]] = {
    "rect": Rect,
    "ellipse": Ellipse,
    "polygon": Polygon,
    "ground": Ground,
    "road": Road,
    "car": Car,
    "house": House,
    "tree": Tree,
    **STREET,
}


class Sprite:
    """One label of a pack: number floor(exemplar * n) of its n exemplars in a square of `size` px.

    A picture that is not square keeps its proportions; `size` is then its longer side.
    """

    reads = (
        Number("size", 28.0),
        Number("exemplar", 0.0, 0.0, 1.0),
        Number("brightness", 1.0, 0.0, 1.0),
    )

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures

    def draw(self, at: Transform, values: Values, site: Site) -> Drawing:
        size, exemplar, brightness = self.reads
        pixels = self._pictures[exemplar.pick(values, len(self._pictures))]
        rows, columns = pixels.shape[:2]
        unit, light = size.of(values) / max(rows, columns), brightness.of(values)
        x, y, patch = Picture(pixels).warp(at, columns * unit, rows * unit)
        if pixels.ndim == 2:
            grey = round(255 * light)
            return Drawing(Patch(x, y, patch, tint(patch, (grey, grey, grey))))
        ink = cv2.cvtColor(patch, cv2.COLOR_RGBA2RGB)
        if light < 1:
            ink = cv2.convertScaleAbs(ink, alpha=light)
        return Drawing(Patch(x, y, cv2.extractChannel(patch, 3), ink))


def painters_of(grammar: Grammar) -> dict[str, Painter]:
    """Asset of a scene node ("car", "digits:7") -> its painter, after checking every symbol."""
    packs = {name: load_pack(a) for name, a in grammar.assets.items() if _is_drawn(grammar, name)}
    painters: dict[str, Painter] = {}
    for symbol in grammar.symbols.values():
        if symbol.draw is None:
            continue
        name, label = symbol.draw.painter, symbol.draw.label
        if label is not None and name in packs:
            painter: Painter = Sprite(exemplars(packs[name], name, label, symbol.name))
        elif label is None and name in PAINTERS:
            painter = painters.get(name) or PAINTERS[name]()
        else:
            raise _unknown(symbol, grammar)
        check_attributes(symbol, name, painter.reads)
        painters[str(symbol.draw)] = painter
    return painters


def _is_drawn(grammar: Grammar, asset: str) -> bool:
    """True when some symbol needs the asset: packs are large, and a recipe may leave one out."""
    draws = (symbol.draw for symbol in grammar.symbols.values() if symbol.draw is not None)
    return any(draw.painter == asset and draw.label is not None for draw in draws)


def _unknown(symbol: Symbol, grammar: Grammar) -> InputError:
    packs = ", ".join(f'{name}("...")' for name in grammar.assets)
    known = ", ".join(PAINTERS) + (f"; sprites: {packs}" if packs else "; the grammar has no asset")
    return InputError(
        f"symbol `{symbol.name}` (line {symbol.line}): nothing draws `{symbol.draw}`; "
        f"painters: {known}"
    )
