"""How one check came out."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"  # something optional is missing
    FAIL = "fail"  # the core cannot work


@dataclass(frozen=True)
class Check:
    """One line of the table."""

    name: str
    state: State
    found: str
    remedy: str = ""

    def to_json(self) -> dict[str, str]:
        fields = {"name": self.name, "state": str(self.state), "found": self.found}
        return fields | ({"remedy": self.remedy} if self.remedy else {})
