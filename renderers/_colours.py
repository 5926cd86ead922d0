"""Colour names of the painters."""

import re

RGB = tuple[int, int, int]

NAMED: dict[str, RGB] = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "silver": (190, 194, 198),
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 220, 0),
    "orange": (240, 130, 30),
    "brown": (120, 78, 48),
    "beige": (214, 196, 160),
    "cream": (238, 230, 208),
    "maroon": (128, 32, 36),
    "crimson": (190, 30, 45),
    "terracotta": (178, 88, 58),
    "slate": (92, 100, 112),
    "charcoal": (52, 54, 58),
    "navy": (28, 44, 92),
    "teal": (30, 120, 124),
    "olive": (110, 116, 50),
    "forest": (44, 96, 44),
    "leaf": (76, 132, 56),
    "purple": (120, 60, 150),
    "pink": (236, 150, 170),
}

_HEX = re.compile(r"#[0-9a-fA-F]{6}")


def parse(text: str) -> RGB:
    """Red, green, blue of a name or of "#rrggbb"."""
    if text in NAMED:
        return NAMED[text]
    if _HEX.fullmatch(text):
        return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)
    raise ValueError(f'unknown colour `{text}`; write "#rrggbb" or one of: {", ".join(NAMED)}')


def shade(rgb: RGB, factor: float) -> RGB:
    """The colour in more (factor > 1) or less light."""
    r, g, b = (min(255, max(0, round(c * factor))) for c in rgb)
    return r, g, b
