"""Static pages: autoescape, one inline style, and a policy that lets nothing else in."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from datagen.dataset.store import read_json
from datagen.errors import InputError
from datagen.files import write_atomic

TEMPLATES = Path(__file__).parent / "templates"


def write_page(
    source: Path,
    template: str,
    verb: str,
    context: Callable[[Mapping[str, Any]], Mapping[str, Any]],
) -> Path:
    """Write `report.html` beside `source`, the JSON file of its numbers, which `verb` writes.

    InputError where the file cannot be read, or does not hold what `context` or the template asks.
    """
    data = read_json(source)
    try:
        text = render(template, context(data))
    except (LookupError, TypeError, ValueError, AttributeError, jinja2.UndefinedError) as error:
        raise InputError(
            f"{source} has another form than this page needs: {type(error).__name__} {error}; "
            f"{verb} again, or use the version that wrote it"
        ) from error
    page = source.with_name("report.html")
    write_atomic(page, text)
    return page


def render(template: str, context: Mapping[str, Any]) -> bytes:
    """The page in UTF-8. Names of files may hold bytes that are no text: they are shown as escapes.

    Its style is a template of the same name that ends in `.css.html`. The page's own
    Content-Security-Policy allows this style by its hash, pictures that lie on the disk or in the
    page, and nothing else: no script, no inline style attribute, no address on the network.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": shown_number, "percent": shown_percent}
    style_name = template.removesuffix(".html") + ".css.html"
    style = environment.get_template(style_name).render(context)
    page = environment.get_template(template)
    text = page.render({**context, "style": Markup(style), "policy": _policy(style)})
    return text.encode("utf-8", "backslashreplace")


def shown_number(value: Any) -> str:
    """A value as a person reads it: 12,345 and 0.0123 and yes; a dash for what is missing."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            return "–"
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return "–" if value is None else str(value)


def shown_percent(share: float | None) -> str:
    """A share from 0 to 1 in percent, without the sign: 12.3; a dash for what is missing."""
    return "–" if share is None else f"{100 * share:.1f}"


def _policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; img-src 'self' file: data:; style-src 'sha256-{digest}'"
