"""Tables of pages, in Markdown."""

import statistics
from collections.abc import Callable, Iterable, Sequence


def table(columns: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    lines = [" | ".join(map(str, row)) for row in (columns, ["---"] * len(columns), *rows)]
    return "".join(f"| {line} |\n" for line in lines)


def spread(
    values: Sequence[float],
    form: str,
    middle: Callable[[Sequence[float]], float] = statistics.median,
) -> str:
    """Their middle, and in brackets the lowest and the highest of several."""
    if not values:
        return "-"
    told = format(middle(values), form)
    if len(values) == 1:
        return told
    return f"{told} ({min(values):{form}} to {max(values):{form}})"
