"""What is advised, in sentences: what is made more of, what no rule controls, what more brings."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from datagen.advising.amounts import CUTS, SYMBOL
from datagen.advising.evaluations import Slice
from datagen.advising.wishes import LEAST, MOST, Wish
from datagen.report.evaluation import title_of

_NAMED = 5  # symbols, slices or reasons that are named
_WORTH = 1.05  # times as many, at least, for a symbol to be named
_WORSE = 0.05  # of recall: a slice this far below its factor's mean is worth a word
# Why a factor cannot be moved by weights and counts.
_UNCONTROLLED = {
    "visible_fraction": "what stands before what comes of where things are placed, by laws of "
    "attributes such as `gap`, `x` and `y`",
    "distance": "how far away things stand comes of laws of attributes such as `gap` and `y`",
    "crowding": "how many things overlap comes of all counts at once, and of where they stand",
    "things": "how many things a picture holds comes of all counts at once",
    "occluded": "what stands before what comes of where things are placed",
    "truncation": "what the border of the picture cuts off comes of where things are placed",
    "height": "how large things look comes of laws of attributes such as `gap`, `y` and sizes",
}
_OTHER = "no weight and no count of the grammar stands for it"


def summary(report: Mapping[str, Any], wished: Sequence[Wish], slices: Sequence[Slice]) -> Any:
    """{"about", "text"} for each part of the advice."""
    said = [("made more", _made_more(report, wished))]
    left = _left_alone(wished)
    said += [("left alone", left)] if left else []
    said += [("no rule for it", text) for text in [uncontrolled(slices)] if text]
    said += [("held back", text) for text in [_held_back(report)] if text]
    said += [("grammar", text) for text in [_estimated(report)] if text]
    said += [("after", text) for text in [_after(report)] if text]
    said += [("more pictures", text) for text in _more_pictures(report)]
    return [{"about": about, "text": text} for about, text in said]


def _made_more(report: Mapping[str, Any], wished: Sequence[Wish]) -> str:
    raised = [one for one in wished if (one.factor or 1.0) > _WORTH]
    if not report["changed"]:
        return f"Nothing: {_why_nothing(wished, raised)}. The proposed grammar is the old one."
    # A rule stands for what its symbols do not say: it is named where it is missed even more.
    raised.sort(key=lambda one: -(one.factor or 1.0) if one.key.factor != SYMBOL else -MOST - 1)
    reached = {(one["factor"], one["label"]): one["after"] for one in report["reached"]}
    parts = [
        f"{named(one)} ({one.missed:.0f} of {one.things:,} missed, {_percent(one.share_missed)} of "
        f"all that is missed and {_percent(one.share_made)} of what is made): {one.made or 0:.2f} "
        f"-> {reached[one.key]:.2f} a picture"
        for one in raised[:_NAMED]
    ]
    more = len(raised) - _NAMED
    return "; ".join(parts) + (f"; and {more} more." if more > 0 else ".")


def _why_nothing(wished: Sequence[Wish], raised: Sequence[Wish]) -> str:
    if raised:
        return "no weight or count can make more of what is missed, within supports and caps"
    if sum(not one.why and one.key.factor == SYMBOL for one in wished) == 1:
        return "only one symbol can be used, and there is nothing to weigh it against"
    return "nothing is missed by more than its share of what the recipe makes"


def named(one: Wish) -> str:
    """As a person calls the slice: `car`, things under `Parked`, by `Parked -> van`."""
    words = {"symbol": "{}", "under": "what is under {}", "rule": "what {} makes"}
    return words[one.key.factor].format(one.key.label)


def _left_alone(wished: Sequence[Wish]) -> str:
    """Symbols that are not used, by reason; of rules the table tells."""
    reasons: dict[str, list[str]] = {}
    for one in wished:
        if one.why and one.key.factor == SYMBOL:
            reasons.setdefault(one.why, []).append(one.key.label)
    parts = [f"{', '.join(names)}: {why}" for why, names in reasons.items()]
    return "; ".join(parts) + "." if parts else ""


def uncontrolled(slices: Sequence[Slice]) -> str:
    """The worst slice of each factor that no rule makes, and why nothing is proposed for it."""
    groups: dict[str, list[Slice]] = {}
    for one in slices:
        if one.factor not in CUTS and one.recall is not None and one.things >= LEAST:
            groups.setdefault(one.factor, []).append(one)
    parts = []
    for factor, group in groups.items():
        things = sum(one.things for one in group)
        mean = sum(one.things * (one.recall or 0.0) for one in group) / things
        worst = min(group, key=lambda one: one.recall or 0.0)
        noise = 2 * math.sqrt(mean * (1 - mean) / worst.things)
        if mean - (worst.recall or 0.0) >= max(_WORSE, noise):
            parts.append(
                f"{title_of(factor)}, {worst.label}: {_percent(worst.recall)} found, of all things "
                f"{_percent(mean)}; {_UNCONTROLLED.get(factor, _OTHER)}"
            )
    if not parts:
        return ""
    return ". ".join(parts) + (
        ". Weights and counts do not control these, and nothing is proposed for them: change those "
        "laws by hand, or learn them with `datagen learn`."
    )


def _held_back(report: Mapping[str, Any]) -> str:
    share = report["held_back"]
    if share == 1:
        return ""
    return (
        f"Levers are moved {_percent(share)} of the way only: farther, scenes would outgrow the "
        "grammar's max_nodes or max_depth, or never end."
    )


def _estimated(report: Mapping[str, Any]) -> str:
    if not report["estimated"]:
        return ""
    return (
        "The recipe's scenes come from a learned model. The proposal is of the grammar that comes "
        "closest to them, and its scenes are drawn from that: what depended on context is lost."
    )


def _after(report: Mapping[str, Any]) -> str:
    after = report["after"]
    if after is None:
        return ""
    old, new = after["AP50"]["before"], after["AP50"]["after"]
    if old is None or new is None:
        return "AP50 was not measured on one side."
    text = f"AP50 {100 * old:.1f} -> {100 * new:.1f} ({points(new - old)} points)."
    counts = [after["trained_on"][key] for key in ("before", "after")]
    if None in counts or counts[0] == counts[1]:
        return text
    return (
        f"{text} The detectors were trained on {counts[0]:,} and {counts[1]:,} pictures: part of "
        "the difference is that."
    )


def _more_pictures(report: Mapping[str, Any]) -> list[str]:
    budget = report["budget"]
    if budget is None:
        return []
    if "why" in budget:
        return [f"No curve: {budget['why']}."]
    return [gain_text(one) for one in budget["gains"]]


def gain_text(gain: Mapping[str, Any]) -> str:
    """10,000 more images: +0.4 (-0.1 to +0.9) points of AP50"""
    span = f"{points(gain['low'])} to {points(gain['high'])}"
    if gain["gain"] is None:
        return (
            f"{gain['more']:,} more images: not known; the evaluations allow {span} points of "
            "AP50, which is no answer. Evaluate detectors trained on more pictures, or more of them"
        )
    return f"{gain['more']:,} more images: {points(gain['gain'])} ({span}) points of AP50"


def _percent(share: float | None) -> str:
    return f"{100 * (share or 0.0):.0f} %"


def points(share: float) -> str:
    """A difference of AP50 in points, with its sign."""
    return f"{100 * share:+.1f}".replace("-0.0", "+0.0")


def rule_of() -> str:
    """The rule, in short, as the page has it."""
    return (
        "What is missed should be made more often: each symbol's share of all that is missed in "
        "the evaluated city is set against its share of what the recipe makes, and the same for "
        f"what is under a symbol or comes of a rule; at most {MOST:g} times as many, never fewer "
        f"on purpose. Slices of fewer than {LEAST} things are left alone."
    )
