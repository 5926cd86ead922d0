"""HTML from templates: escaped, and an error where a template asks for what is not there."""

import time
from pathlib import Path
from typing import Any

import jinja2
from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from datagen import __version__
from datagen.digest import of_data
from datagen.jobs.following import duration
from datagen.report import colour_of
from datagen.report.page import shown_number
from datagen.web.pages import cards, static
from datagen.web.service import service_of

_SIZES = ("bytes", "kB", "MB", "GB", "TB")
_AGO = ((60.0, "s"), (60.0, "min"), (24.0, "h"), (float("inf"), "d"))


def page(request: Request, template: str, status: int = 200, **context: Any) -> HTMLResponse:
    """A whole page, or the part of one that htmx asks for."""
    common = {
        "path": request.url.path,
        "tokens": bool(service_of(request).settings.tokens),
        "by": getattr(request.state, "by", None),
    }
    text = _ENVIRONMENT.get_template(template).render({**common, **context})
    # What no encoding has comes from names of files; it is shown as escapes.
    return HTMLResponse(text.encode("utf-8", "backslashreplace"), status)


def nothing_new() -> Response:
    """For htmx, which leaves the page as it is, so that nothing flickers."""
    return Response(status_code=204)


def tag_of(shown: Any) -> str:
    """Tells two contents of a part of a page apart, given as plain data."""
    return of_data(shown)[:16]


def is_part(request: Request) -> bool:
    """Whether htmx asks, which wants a part of the page."""
    return "hx-request" in request.headers


def go(request: Request, address: str) -> Response:
    """What a form answers that has done its work: the browser goes on to `address`."""
    if is_part(request):
        return Response(status_code=204, headers={"HX-Redirect": address})
    return RedirectResponse(address, 303)


def ago(moment: float) -> str:
    """How long a moment (seconds since 1970) is past: "5 min ago"."""
    passed = max(0.0, time.time() - moment)
    for length, unit in _AGO:
        if passed < length:
            return f"{passed:.0f} {unit} ago"
        passed /= length
    raise AssertionError("the last unit is endless")


def size(number: float) -> str:
    """Bytes as a person reads them: "12.3 MB"."""
    for unit in _SIZES[:-1]:
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} {_SIZES[-1]}"


def things(number: int, noun: str) -> str:
    """3 -> "3 images", 1 -> "1 image"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def stamp(moment: float) -> str:
    """A moment as the attribute `datetime` wants it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def colour(category_id: int) -> str:
    """A category's colour, the same as in contact sheets."""
    return "#{:02x}{:02x}{:02x}".format(*colour_of(category_id))


_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters |= {
    "number": shown_number,
    "ago": ago,
    "size": size,
    "things": things,
    "stamp": stamp,
    "duration": duration,
    "colour": colour,
    "inline": cards.inline,
}
_ENVIRONMENT.globals |= {"static": static.address, "version": __version__}
