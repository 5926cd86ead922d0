"""A fault of a chaos run that happened, and what followed it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from chaos_plan import Fault


@dataclass
class Hit:
    """A fault that happened, and what followed; seconds since 1970, or since it happened."""

    fault: Fault
    at: float
    job: int
    victims: list[str]
    published: int  # shards of the job at that moment
    begun: frozenset[int] = frozenset()  # shards, by their first image, that were under way
    pieces: frozenset[int] = frozenset()  # those of them that the victims were at
    until: float | None = None  # when it was over, where that took its time
    next: float | None = None  # to the next shard that was published
    fresh: float | None = None  # to the next one that was not under way, or was begun anew
    again: float | None = None  # to the last of `pieces`
    paused: bool | None = None  # a full disk: whether the job noticed

    def to_json(self) -> dict[str, Any]:
        data = asdict(self) | {"fault": None} | asdict(self.fault)
        del data["fault"]
        return data | {"begun": sorted(self.begun), "pieces": sorted(self.pieces)}

    def settle(self, seen: Mapping[int, float]) -> None:
        """Note what has followed by now, from the shards of its job and when they were there."""
        after = {start: when for start, when in seen.items() if when > self.at}
        if after and self.next is None:
            self.next = min(after.values()) - self.at
        fresh = [when for start, when in after.items() if start not in self.begun - self.pieces]
        if fresh and self.fresh is None:
            self.fresh = min(fresh) - self.at
        if self.pieces and self.again is None and self.pieces <= seen.keys():
            self.again = max(0.0, max(seen[start] for start in self.pieces) - self.at)

    def close(self, now: float) -> None:
        """The end of the job is what follows a fault that no shard follows."""
        self.next = self.next or now - self.at
        self.fresh = self.fresh or now - self.at
