"""The first paragraph of a comparison: what differs, and what cannot be told apart."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from datagen.learning.gap import Verdict
from datagen.learning.gap.reading import ALPHA

_NAMED = 5  # quantities that are named
_PRIOR = "prior"
_SAME = (Verdict.WITHIN, Verdict.SMALL)


def summary(report: Mapping[str, Any]) -> list[dict[str, str]]:
    """{"about", "text"}: for each generated set, and for what the comparison cannot see."""
    sets = [{"about": name, "text": _of_set(report, name)} for name in report["generated"]]
    return [*sets, {"about": "features", "text": _limits(report)}]


def _of_set(report: Mapping[str, Any], name: str) -> str:
    distances = {one["key"]: one["readings"][name] for one in report["distances"]}
    # Several tests of one question: the first of them may err by chance.
    told = min(reading["p"] for reading in distances.values()) <= ALPHA / len(distances)
    sentences = [_judgement(told, distances.values())]
    if told and name != _PRIOR and _PRIOR in report["generated"]:
        closer = sum(one["verdict"] == Verdict.CLOSER for one in distances.values())
        within = sum(one["verdict"] in _SAME for one in distances.values())
        sentences.append(_beside_prior(closer + within, len(distances)))
    for source, by in (("labels", "labels"), ("features", "features")):
        mine = [one for one in report["marginals"] if one["of"] == source]
        if mine:
            sentences.append(_one_by_one(mine, name, by))
    return " ".join(sentences)


def _judgement(told: bool, readings: Collection[Mapping[str, Any]]) -> str:
    outside = sum(reading["verdict"] not in _SAME for reading in readings)
    if told and outside:
        return (
            f"The pictures differ from the target's: {outside} of {len(readings)} distances lie "
            "outside the target's own noise."
        )
    if told:
        return (
            "The pictures differ from the target's, but by no more than halves of the target "
            "differ from each other."
        )
    return "These features cannot tell the pictures from the target's."


def _beside_prior(closer: int, total: int) -> str:
    if closer == total:
        return "They are closer than the prior by every distance."
    if closer == 0:
        return "They are closer than the prior by no distance."
    return f"They are closer than the prior by {closer} of {total} distances."


def _one_by_one(marginals: Sequence[Mapping[str, Any]], name: str, by: str) -> str:
    differing, alike = _split(marginals, name)
    if not differing:
        return f"By the {by} nothing stands out among {len(alike)} quantities."
    first = ", ".join(f"{what} ({times})" for what, times in differing[:_NAMED])
    more = len(differing) - _NAMED
    text = f"By the {by}, most unlike the target, in units of the noise floor: {first}"
    text += f", and {more} more." if more > 0 else "."
    return f"{text} Not told apart: {_some(alike)}." if alike else text


def _split(
    marginals: Sequence[Mapping[str, Any]], name: str
) -> tuple[list[tuple[str, str]], list[str]]:
    """(quantity, excess) of those outside the noise, the largest first; names of the others."""
    differing: list[tuple[float, str]] = []
    alike: list[str] = []
    for one in marginals:
        reading = next(iter(one["readings"].values()))[name]
        if reading["verdict"] in _SAME:
            alike.append(one["name"])
        else:
            differing.append((excess(reading), one["name"]))
    differing.sort(key=lambda pair: -pair[0])
    return [(what, _times(by)) for by, what in differing], alike


def excess(reading: Mapping[str, Any]) -> float:
    """Value in units of the noise floor."""
    return reading["value"] / max(reading["floor"]["high"], 1e-12)


def _times(by: float) -> str:
    return f"{by:.1f}" if by < 100 else "over 100"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    shown = ", ".join(names[:_NAMED])
    return f"{shown}, and {more} more" if more > 0 else shown


def _limits(report: Mapping[str, Any]) -> str:
    features = report["features"]
    few = min(one["pictures"] for one in [report["target"], *report["generated"].values()])
    sentences = [f"{features['name']}, which see {features['sees']}."]
    if few < 200:
        sentences.append(
            f"With {few} pictures on a side, small differences drown in the noise: not told apart "
            "does not mean equal."
        )
    if not any(one["of"] == "labels" for one in report["marginals"]):
        lacking = [
            name
            for name, one in [*report["generated"].items(), ("the target", report["target"])]
            if not one["labels"]
        ]
        if lacking:
            sentences.append(f"Labels are not compared, since {lacking[0]} has none.")
    return " ".join(sentences)
