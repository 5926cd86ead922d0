"""What people look at: contact sheets, the gallery of a dataset, the report of a learning run."""

Colour = tuple[int, int, int]  # R, G, B

# Okabe and Ito's seven colours, told apart with every common colour blindness, then five
# that keep their distance from those on paper and on screen. (R, G, B)
PALETTE = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (213, 94, 0),
    (204, 121, 167),
    (0, 114, 178),
    (170, 51, 119),
    (153, 221, 204),
    (146, 116, 226),
    (190, 190, 190),
    (139, 140, 40),
)


def colour_of(category_id: int) -> Colour:
    """The colour (R, G, B) of a category (ids count from 1), the same in sheets and galleries."""
    return PALETTE[(category_id - 1) % len(PALETTE)]


def ink_on(colour: Colour) -> Colour:
    """Black or white, whichever can be read on `colour`."""
    red, green, blue = colour
    light = 0.299 * red + 0.587 * green + 0.114 * blue > 130
    return (20, 22, 26) if light else (255, 255, 255)
