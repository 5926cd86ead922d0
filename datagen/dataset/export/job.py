"""An export as a job, which workers carry out."""

from pathlib import Path
from typing import Any

from datagen.dataset import export
from datagen.dataset.export.selection import Policy
from datagen.decoding import decode
from datagen.files import make_folder
from datagen.interfaces import Component
from datagen.jobs.conducted import Conducted, Order
from datagen.storage.address import quoted, unquoted


class _Ordered(Component):
    """The arguments of a job. Paths are percent-encoded."""

    dataset: str
    format: str
    out: str
    min_visible_fraction: float
    min_pixels: int
    merge: dict[str, str]
    splits: dict[str, float]
    link: bool


def order(
    dataset: Path,
    format: str,
    out: Path,
    policy: Policy,
    *,
    link: bool = False,
    resume: bool = False,
) -> Order:
    """The job of `export.export`; `out` is made for it, and stays empty until all is there."""

    def claim() -> None:
        export.check(dataset, format, out, resume=resume)
        if not (resume and export.there(dataset, format, out, policy)):
            make_folder(out)

    places = {"dataset": quoted(dataset.resolve()), "out": quoted(out.resolve())}
    arguments = {**places, "format": format, **policy.to_json(), "link": link}
    return Order("export", arguments, claim)


def conduct(arguments: dict[str, Any], means: Conducted) -> dict[str, Any]:
    """Carry out a job of `order`; gives the report as plain data."""
    asked = decode(_Ordered, arguments, "job")
    given = asked.model_dump(exclude={"dataset", "out"})
    report = export.export(
        unquoted(asked.dataset),
        out=unquoted(asked.out),
        **given,
        resume=True,
        progress=means.progress,
    )
    return report.to_json()
