"""What was learned and what was not, in sentences: a run never ends in silence."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Literal

from datagen.learning.arranging import preferred
from datagen.learning.evaluation import Comparison
from datagen.learning.gap import Marginal, Reading, Verdict, verdict

_SAME = (Verdict.WITHIN, Verdict.SMALL)
_NAMED = 6  # quantities that are named; the others are counted
_FEW = 200  # target pictures below which histograms mean little
_BLUNT = 0.02  # kernel spread below which the reward is nearly linear
_UNSURE = 0.5  # share of right totals below which counts are guesses
_OFTEN = 0.5  # failed tries for each scene


@dataclass(frozen=True)
class Statement:
    """`kind`: learned, not learned, unknown (cannot be told), or a warning about the run."""

    kind: Literal["learned", "not learned", "unknown", "warning"]
    text: str

    def to_json(self) -> dict[str, str]:
        return asdict(self)


def statements(
    comparison: Comparison,
    last: Mapping[str, Mapping[str, float]],
    strangers: Sequence[str],
    spacing: Mapping[str, float] = MappingProxyType({}),
) -> list[Statement]:
    """`last`: the mean of each phase's last readings; `strangers`: pictures unlike the rest.

    `spacing`: what the model keeps of how things keep apart; see `arranging.settled`.
    """
    return [
        *_whole(comparison),
        *_columns(comparison),
        *_spacing(spacing),
        *_limits(comparison),
        *_warnings(comparison, last, strangers),
    ]


def _whole(comparison: Comparison) -> Iterator[Statement]:
    prior, learned = (comparison.gaps[law].distances["mmd"] for law in ("prior", "learned"))
    said = verdict(learned, prior)
    share = max(0.0, learned.value) / prior.value if prior.value > 0 else 1.0
    if verdict(prior) in _SAME:
        yield Statement(
            "unknown",
            "Taken together, these features could not tell the prior's pictures from the target's "
            "to begin with: there was little that they could teach.",
        )
    elif said in _SAME:
        yield Statement(
            "learned", "These features cannot tell the learned pictures from the target's."
        )
    elif said == Verdict.CLOSER:
        yield Statement(
            "learned", f"The distance to the target fell to {share:.0%} of the prior's."
        )
        yield Statement("not learned", "What is left of it is more than the target's own noise.")
    else:
        yield Statement("not learned", "The learned pictures are as far from the target as before.")


def _columns(comparison: Comparison) -> Iterator[Statement]:
    """Column by column, as the network counts."""
    pairs = zip(
        comparison.gaps["prior"].marginals, comparison.gaps["learned"].marginals, strict=True
    )
    learned, missed = [], []
    for before, after in pairs:
        if verdict(_main(after), _main(before)) in _SAME:
            if verdict(_main(before)) not in _SAME:
                learned.append((before, after))
        else:
            missed.append((before, after))
    if learned:
        yield Statement("learned", f"Counts that are now as in the target: {_listed(learned)}.")
    if missed:
        missed.sort(key=lambda pair: -_excess(_main(pair[1])))
        yield Statement("not learned", f"Counts still unlike the target's: {_listed(missed)}.")


def _listed(pairs: Sequence[tuple[Marginal, Marginal]]) -> str:
    """Names with the total variation before, after, and of the target's own noise."""
    named = [
        f"{before.name} ({_main(before).value:.2f} -> {_main(after).value:.2f}, "
        f"noise {_main(after).floor.high:.2f})"
        for before, after in pairs[:_NAMED]
    ]
    more = len(pairs) - len(named)
    return ", ".join(named) + (f", and {more} more" if more else "")


def _main(marginal: Marginal) -> Reading:
    """The reading that says most of the quantity."""
    return next(iter(marginal.readings.values()))


def _excess(reading: Reading) -> float:
    return reading.value - reading.floor.high


def _spacing(spacing: Mapping[str, float]) -> Iterator[Statement]:
    """Whether things keep apart; see `arranging.preferred`."""
    for axis, times in preferred(spacing).items():
        yield Statement(
            "learned",
            f"Things of a kind keep apart along {axis}: learning preferred that {times:.1f} to 1 "
            "to where the grammar puts them, and generated scenes do so. In a grammar it would be "
            f"`{axis}: spread(...)`.",
        )


def _limits(comparison: Comparison) -> Iterator[Statement]:
    count = len(comparison.target.features)
    if count < _FEW:
        floor = comparison.gaps["learned"].distances["mmd"].floor.high
        yield Statement(
            "unknown",
            f"With {count} target pictures, differences below a squared MMD of {floor:.2g} are "
            "within their noise; some hundred more would show more.",
        )
    if not comparison.columns:
        yield Statement(
            "unknown",
            "These features have no names for what they see: which things there are, and how many, "
            "can only be judged by the contact sheets.",
        )
    else:
        yield Statement(
            "unknown", "What the features do not count, such as colours, they cannot compare."
        )


def _warnings(
    comparison: Comparison,
    last: Mapping[str, Mapping[str, float]],
    strangers: Sequence[str],
) -> Iterator[Statement]:
    features, structure = last.get("features", {}), _newest(last, "reinforce")
    if strangers:
        share = len(strangers) / len(comparison.target.features)
        yield Statement(
            "warning",
            f"{len(strangers)} target pictures ({share:.0%}) look unlike the rest and were learned "
            "from as well; they are listed in strangers.txt: take out what does not belong.",
        )
    if features.get("accuracy_all", 1.0) < _UNSURE:
        yield Statement(
            "warning",
            f"The network counts only {features['accuracy_all']:.0%} of the prior's own pictures "
            "right: raise learn.features.images.",
        )
    if structure.get("kernel_spread", 1.0) < _BLUNT:
        yield Statement(
            "warning",
            "All kernels have nearly the same value: the reward is linear and matches means only. "
            "Use narrower kernels (learn.reinforcement.bandwidth, scales).",
        )
    if structure.get("rejected", 0.0) > _OFTEN:
        yield Statement(
            "warning",
            f"{structure['rejected']:.1f} tries failed for each scene: raise learn.max_steps.",
        )


def _newest(last: Mapping[str, Mapping[str, float]], phase: str) -> Mapping[str, float]:
    """Readings of a phase, the last time that it came: `reinforce-2` after `reinforce`."""
    times = [name for name in last if name == phase or name.startswith(f"{phase}-")]
    return last[times[-1]] if times else {}


def last_readings(records: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """The mean of each phase's last twenty readings; a single one is noisy."""
    phases: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        phases.setdefault(record["phase"], []).append(record)
    return {phase: _means(mine[-20:]) for phase, mine in phases.items()}


def _means(records: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    keys = records[-1].keys() - {"phase", "iteration"}
    return {key: sum(r[key] for r in records) / len(records) for key in keys}
