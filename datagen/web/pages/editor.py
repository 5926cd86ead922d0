"""The editor of grammars: what is wrong with a text, what it makes, and a dataset of it."""

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import Field, field_validator

from datagen import digest
from datagen.errors import DatagenError, GrammarError, InputError
from datagen.web import results, texts, types
from datagen.web.api import worlds as api
from datagen.web.pages import ordering
from datagen.web.pages.rendering import go, is_part, page
from datagen.web.pages.results import LEARNED
from datagen.web.service import By, Here, Service

router = APIRouter(prefix="/editor", include_in_schema=False)

_FIRST = Path(__file__).with_name("first.scene")  # for who comes without the name of a grammar


class Draft(types.Message):
    """What the form of the editor holds."""

    text: str = Field(default="", max_length=262_144)
    name: str = Field(default="", max_length=40)
    count: int = Field(default=200, ge=1, le=10_000_000)
    seed: int = Field(default=0, ge=0, lt=2**63)
    number: int = Field(default=12, ge=1, le=36)
    key: str = Field(default="", max_length=80)
    drawn: str = Field(default="", max_length=80)  # tag of what the preview on the page shows

    @field_validator("text")
    @classmethod
    def _plain_lines(cls, text: str) -> str:
        """Browsers send lines that end in two characters."""
        return text.replace("\r\n", "\n")

    @property
    def world(self) -> types.WorldOf:
        return types.WorldOf(grammar=self.text)

    @property
    def tag(self) -> str:
        """Tells two previews apart."""
        return digest.of_data([self.text, self.seed, self.number])[:16]


Filled = Annotated[Draft, Form()]
Begun = Annotated[str, Query(max_length=80)]


@router.get("")
def editor(request: Request, service: Here, start: Begun = "", run: Begun = "") -> Response:
    """The editor with a grammar that is there or that a run has tuned, or with a first one."""
    if run:
        text = results.file_of(service.home, "runs", run, LEARNED).read_text("utf-8")
    elif start:
        text = texts.text_of(service.home, "grammars", start)
    else:
        text = _FIRST.read_text("utf-8")
    return _page(request, service, Draft(text=text), start=start)


@router.post("/check")
async def check(draft: Filled, request: Request, service: Here, by: By) -> Response:
    """What `datagen check` says of the text."""
    found = await _checked(service, by, draft)
    if is_part(request):
        return page(request, "_checked.html", draft=draft, **found)
    return _page(request, service, draft, **found)


@router.post("/preview")
async def preview(draft: Filled, request: Request, service: Here, by: By) -> Response:
    """Some images of it, where the text can be read."""
    found = await _checked(service, by, draft)
    if found["grammar"] is not None:
        asked = types.Preview(world=draft.world, number=draft.number, seed=draft.seed)
        try:
            with service.checking(by):
                found["sheet"] = await service.errand("sketches", asked.model_dump(mode="json"))
        except DatagenError as error:
            found["refusal"] = service.home.named(str(error))
    if is_part(request):
        return page(request, "_preview.html", draft=draft, **found)
    return _page(request, service, draft, **found)


@router.post("/generate")
async def generate(draft: Filled, request: Request, service: Here, by: By) -> Response:
    """Ask for a dataset of it."""
    try:
        order = types.Generate(
            name=ordering.named(draft.name),
            world=draft.world,
            count=draft.count,
            seed=draft.seed,
            shard_size=ordering.shard_size(draft.count),
        )
        return await ordering.submit(request, service, by, order, draft.key)
    except DatagenError as error:
        return await _refused(request, service, by, draft, error)


@router.post("/save")
async def save(draft: Filled, request: Request, service: Here, by: By) -> Response:
    """Keep the text on the server, where recipes can name it."""
    try:
        name = ordering.named(draft.name)
        if name is None:
            raise InputError("give the grammar a name to be kept by")
        kept = types.GrammarText(text=draft.text)
        await api.put_grammar(name, kept, service, by, Response())
    except DatagenError as error:
        return await _refused(request, service, by, draft, error)
    return go(request, f"/editor?start={name}")


async def _refused(
    request: Request, service: Service, by: str, draft: Draft, error: DatagenError
) -> Response:
    """The editor again with what was written, and why that is not done."""
    if isinstance(error, GrammarError):
        return _page(request, service, draft, **await _checked(service, by, draft))
    return _page(request, service, draft, refusal=service.home.named(str(error)))


async def _checked(service: Service, by: str, draft: Draft) -> dict[str, Any]:
    """`grammar` as it was understood, or the `error` that stands in the way."""
    found: dict[str, Any] = dict.fromkeys(("grammar", "error", "sheet", "refusal"))
    asked = {"text": draft.text, "name": "grammar"}
    try:
        with service.checking(by):
            found["grammar"] = await service.errand("check", asked)
    except GrammarError as error:
        found["error"] = error
    return found


def _page(
    request: Request, service: Service, draft: Draft, *, start: str = "", **found: Any
) -> Response:
    """All of it."""
    nothing: dict[str, Any] = dict.fromkeys(("grammar", "error", "sheet", "refusal"))
    return page(
        request,
        "editor.html",
        draft=draft,
        key=draft.key or ordering.new_key(),
        start=start,
        built_in=texts.built_in("grammars"),
        saved=list(texts.own(service.home, "grammars")),
        **{**nothing, **found},
    )
