"""Static pages: autoescape, one inline style, and a policy that lets nothing else in."""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, context: Mapping[str, Any]) -> str:
    """The page as text.

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
    environment.filters["number"] = shown_number
    style_name = template.removesuffix(".html") + ".css.html"
    style = environment.get_template(style_name).render(context)
    return environment.get_template(template).render(
        {**context, "style": Markup(style), "policy": _policy(style)}
    )


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


def _policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; img-src 'self' file: data:; style-src 'sha256-{digest}'"
