"""Our own vehicles as models: `asset vehicles: models "procedural"`, `draw: vehicles("van*")`."""

from dataclasses import dataclass

from datagen.errors import InputError

from .._attributes import Values
from .family import Piece
from .models.words import EXEMPLAR, TURN, meant
from .vehicles import KINDS, Vehicle

BUILT_IN = "procedural"
KNOWN = ", ".join(f'"{kind}"' for kind in sorted(KINDS))

_VEHICLE = Vehicle()


@dataclass(frozen=True)
class Kinds:
    """Some kinds of vehicle: number floor(exemplar * n) of n, in the order of their names.

    `turn` is for files and changes nothing: our own look ahead.
    """

    names: tuple[str, ...]
    reads = (
        *(entry for entry in Vehicle.reads if entry.name != "kind"),
        EXEMPLAR,
        TURN,
    )

    def pieces(self, values: Values, distance: float) -> list[Piece]:
        kind = self.names[EXEMPLAR.pick(values, len(self.names))]
        return _VEHICLE.pieces({**values, "kind": kind}, distance)


def kinds_of(label: str) -> Kinds | None:
    """The kinds that a label means, if any."""
    names = meant(label, KINDS)
    return Kinds(tuple(names)) if names else None


@dataclass(frozen=True)
class Procedural:
    """The source of models that is built in."""

    asset: str

    def family(self, label: str, symbol: str) -> Kinds:
        found = kinds_of(label)
        if found is None:
            raise InputError(
                f'symbol `{symbol}`: asset `{self.asset}` is "{BUILT_IN}", which has no '
                f'"{label}"; it has {KNOWN}; or name a folder of models under [assets]'
            )
        return found
