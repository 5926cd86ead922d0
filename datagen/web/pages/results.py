"""What came of learning, teaching and scoring: lists, and one of them with its report."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from datagen.web import results, types
from datagen.web.pages import curves, ordering
from datagen.web.pages.contact import complete
from datagen.web.pages.rendering import nothing_new, page, tag_of
from datagen.web.results import Kind
from datagen.web.service import Here, Service

router = APIRouter(include_in_schema=False)


LEARNED = "learned.scene"  # the grammar that a run has tuned


@dataclass(frozen=True)
class Made:
    """One of them, and the job that makes it or has made it."""

    kind: Kind
    name: str
    has_report: bool
    made: float  # seconds since 1970
    job: types.Job | None

    @property
    def is_under_way(self) -> bool:
        return self.job is not None and not self.job.state.is_final


def listed(service: Service, kind: Kind) -> list[Made]:
    """All of a kind, the newest first."""
    return [_made(service, run) for run in results.listed(service.home, kind)]


@router.get("/{kind}/{name}")
def result(kind: Kind, name: types.Name, request: Request, service: Here) -> Response:
    """One of them: its report, or how far it is."""
    folder = service.home.find(kind, name)
    return page(
        request,
        "result.html",
        datasets=complete(service.home) if kind == "detectors" else [],
        has_grammar=kind == "runs" and (folder / LEARNED).is_file(),
        key=ordering.new_key(),
        **_shown(service, kind, name),
    )


@router.get("/{kind}/{name}/live")
def live(
    kind: Kind,
    name: types.Name,
    request: Request,
    service: Here,
    seen: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Its curves as they stand now."""
    shown = _shown(service, kind, name)
    if seen == shown["tag"]:
        return nothing_new()
    return page(request, "_result.html", **shown)


def _shown(service: Service, kind: Kind, name: str) -> dict[str, Any]:
    made = _made(service, results.shown(service.home, kind, name))
    phase = None if made.has_report else curves.phase(service.home.find(kind, name))
    state = made.job and made.job.model_dump(mode="json")
    tag = tag_of([state, made.has_report, phase and [phase.name, phase.iteration]])
    return {"result": made, "phase": phase, "tag": tag}


def _made(service: Service, run: types.Run) -> Made:
    jobs = (job for job in service.overview.all() if job.makes == f"{run.kind}/{run.name}")
    return Made(run.kind, run.name, run.report, run.made, next(jobs, None))
