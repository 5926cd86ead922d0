"""What goes wrong in a chaos run, and when: a plan that is a function of its seed alone."""

from collections.abc import Mapping
from dataclasses import dataclass

from datagen.rng import Stream, rng_for

# Kind -> share of all faults, in percent.
KINDS: Mapping[str, int] = {
    "kill child": 14,
    "kill worker": 12,
    "kill conductor": 11,
    "kill client": 8,
    "kill broker": 9,
    "empty broker": 6,  # killed, and its folder emptied
    "term worker": 8,
    "stop child": 7,
    "stop worker": 6,
    "stop broker": 6,
    "flush": 7,
    "disk full": 3,
    "kill all": 3,
}
DEPLOYED, EMBEDDED = "deployed", "embedded"
_DEPLOYED = 0.7  # share of the faults that hit a Redis of its own
_AMID = 0.75  # share of the faults that hit a job which makes shards
_LONGEST = 6  # one stop in so many is of the greatest length
_DOWN = (0.5, 5.0)  # seconds until what died is started again; systemd's own pause is 5 s here
_STOP = (2.0, 12.0)  # seconds
_FULL = 20.0  # seconds at most until there is room again


@dataclass(frozen=True)
class Fault:
    number: int
    part: str  # of which place
    kind: str
    gap: float  # seconds since the fault before it
    pick: float  # 0 to 1: which of the processes that could be hit
    seconds: float  # how long it lasts: until a start, until SIGCONT, until there is room
    amid: bool  # while shards are made; else also while a job begins or ends


def plan(faults: int, seed: int, gap: float, longest: float) -> list[Fault]:
    """`gap` is the mean time between two faults, `longest` the greatest length of a stop; s."""
    rng = rng_for(seed, 0, Stream.BOOTSTRAP)
    kinds = [str(kind) for kind in rng.permutation(_shares(faults))]
    made, stops = [], dict.fromkeys(KINDS, 0)
    for number, kind in enumerate(kinds):
        stops[kind] += 1
        # Half of the moments come in bursts, so that faults meet.
        pause = rng.exponential(gap) if rng.random() < 0.5 else gap * rng.uniform(0.5, 1.5)
        long = stops[kind] % _LONGEST == 1
        seconds = _seconds(kind, float(rng.random()), longest if long else 0.0)
        part = DEPLOYED if number < round(_DEPLOYED * faults) else EMBEDDED
        pick, amid = float(rng.random()), bool(rng.random() < _AMID)
        made.append(Fault(number, part, kind, float(pause), pick, seconds, amid))
    return made


def _shares(faults: int) -> list[str]:
    """So many kinds, each by its share; all of them where there is room for all."""
    least = int(faults >= len(KINDS))
    wanted = {kind: faults * share / sum(KINDS.values()) for kind, share in KINDS.items()}
    numbers = {kind: max(least, int(number)) for kind, number in wanted.items()}
    while (missing := faults - sum(numbers.values())) != 0:
        step = 1 if missing > 0 else -1
        kind = max(wanted, key=lambda kind: step * (wanted[kind] - numbers[kind]))
        numbers[kind] += step
    return [kind for kind, number in numbers.items() for _ in range(number)]


def _seconds(kind: str, share: float, longest: float) -> float:
    if kind == "disk full":
        return _FULL
    if not kind.startswith("stop"):
        return _DOWN[0] + share * (_DOWN[1] - _DOWN[0])
    return longest or _STOP[0] + share * (_STOP[1] - _STOP[0])
