"""datagen verify"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from typer import Argument, Context, Option

from datagen import audit, pipeline
from datagen.audit import Finding
from datagen.cli.options import Json, Moved
from datagen.errors import InputError, VerifyError

SHOWN = 20  # findings in the text; JSON has them all
Source = Annotated[
    Path, Argument(metavar="DIR|FILE", help="A dataset folder, or a COCO .json file of any tool.")
]
Repair = Annotated[
    bool, Option("--repair", help="Delete what is broken; generate --resume makes it again.")
]
Rerender = Annotated[
    float, Option("--rerender", metavar="SHARE", help="Make this share of the images again.")
]
Raycast = Annotated[
    float,
    Option("--raycast", metavar="SHARE", help="Of 3D worlds, check this share with rays as well."),
]


def command(
    context: Context,
    source: Source,
    repair: Repair = False,
    rerender: Rerender = 0.0,
    raycast: Raycast = 0.0,
    sets: Moved = None,
    json: Json = False,
) -> None:
    """Exits with 3 when anything is found."""
    if source.is_file():
        findings, data = _coco(source, changed=repair or rerender > 0 or raycast > 0 or bool(sets))
    else:
        report = pipeline.verify(
            source, repair=repair, rerender=rerender, raycast=raycast, sets=sets or ()
        )
        findings, data = report.findings, report.to_json()
        if report.repaired:
            gone = ", ".join(report.repaired)
            context.obj.say(f"taken away: {gone}; datagen generate --resume makes it again")
    context.obj.result(_text(source, findings), data, as_json=json)
    if findings:
        raise VerifyError(f"{source}: {len(findings)} findings; the first: {findings[0].message}")


def _coco(path: Path, *, changed: bool) -> tuple[list[Finding], dict[str, object]]:
    if changed:
        raise InputError(
            f"{path}: --repair, --rerender, --raycast and --set need a dataset of datagen"
        )
    findings = audit.audit_coco(path)
    return findings, {"file": str(path), "findings": [vars(finding) for finding in findings]}


def _text(source: Path, findings: Sequence[Finding]) -> str:
    if not findings:
        return f"{source}: sound"
    lines = [f"{finding.severity}: {finding.message}" for finding in findings[:SHOWN]]
    more = len(findings) - SHOWN
    return "\n".join([*lines, f"and {more} more, see --json"] if more > 0 else lines)
