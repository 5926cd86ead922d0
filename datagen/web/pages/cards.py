"""A dataset's card as HTML: of Markdown what cards are written in, and no markup of its own."""

import html
import re
from collections.abc import Iterator

from markupsafe import Markup, escape

_FRONT = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)  # for dataset hubs
_HEADING = re.compile(r"(#{1,3}) (.*)")
_INLINE = re.compile(r"`([^`]*)`|\*\*(.+?)\*\*|\\([\\`*\[\]])")


def shown(card: str) -> Markup:
    """Headings, paragraphs, lists, tables, `code` and **strong** words; all else is text."""
    blocks = re.split(r"\n\s*\n", _FRONT.sub("", card).strip())
    return Markup("\n").join(part for block in blocks for part in _block(block.split("\n")))


def _block(lines: list[str]) -> Iterator[Markup]:
    heading = _HEADING.fullmatch(lines[0])
    if heading is not None:
        level = 1 + len(heading[1])  # the page has a heading of its own
        yield Markup("<h{0}>{1}</h{0}>").format(level, inline(heading[2]))
        lines = lines[1:]
    if not lines:
        return
    if lines[0].startswith("|"):
        yield _table(lines)
    elif lines[0].startswith("- "):
        items = re.split(r"^- ", "\n".join(lines), flags=re.MULTILINE)[1:]
        listed = Markup("").join(Markup("<li>{}</li>").format(inline(one)) for one in items)
        yield Markup("<ul>{}</ul>").format(listed)
    else:
        yield Markup("<p>{}</p>").format(inline("\n".join(lines)))


def _table(lines: list[str]) -> Markup:
    """Its first line has the names of the columns, its second one how they are set."""
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    head, body = rows[0], rows[2:]
    made = [_row("th", head)] if any(head) else []
    made += [_row("td", row) for row in body]
    return Markup("<table>{}</table>").format(Markup("").join(made))


def _row(kind: str, cells: list[str]) -> Markup:
    made = [Markup("<{0}>{1}</{0}>").format(kind, inline(cell)) for cell in cells]
    return Markup("<tr>{}</tr>").format(Markup("").join(made))


def inline(text: str) -> Markup:
    """`code` and **strong** words of a text; all else is text."""
    made, at = Markup(""), 0
    for found in _INLINE.finditer(text):
        made += escape(html.unescape(text[at : found.start()]))
        code, strong, sign = found.groups()
        if code is not None:
            made += Markup("<code>{}</code>").format(code)
        elif strong is not None:
            made += Markup("<b>{}</b>").format(inline(strong))
        else:
            made += escape(sign)
        at = found.end()
    return made + escape(html.unescape(text[at:]))
