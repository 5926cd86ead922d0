"""Makes the README's pictures again: its own world, streets, and a run of `make demo`.

Run: python tests/benchmarks/readme_pictures.py
Or:  python tests/benchmarks/readme_pictures.py out/demo/run

docs/crossing.png is what `datagen preview` makes of the grammar in the README; docs/streets.jpg
shows images 0 and 1 of each recipe in STREETS, none of them chosen. With the folder of a run,
docs/learned.jpg shows the first pictures of its three contact sheets, and its difference of
grammars is printed, to be pasted.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

import datagen

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
COLUMNS = 8  # pictures in a row of the run's sheets
GAP = 10  # pixels around each picture there
SHOWN = 6
SIDE = 132  # pixels of a picture in the README
ROWS = {
    "target": "Pictures of a place, without labels: all that the learner gets",
    "prior": "Before: what the grammar makes as it was written",
    "learned": "After: what it makes once it has learned from the pictures",
}
STREETS = ("street_urban", "street_suburban", "street_rural", "street_simple")


def main(run: Path | None) -> None:
    preview(DOCS / "crossing.png")
    streets().save(DOCS / "streets.jpg", quality=85, optimize=True)
    if run is None:
        return
    strip(run).save(DOCS / "learned.jpg", quality=88)
    sys.stdout.write(json.loads((run / "report.json").read_text())["diff"] + "\n")


def preview(picture: Path) -> None:
    """Four labelled images of the world that the README shows."""
    text = (ROOT / "README.md").read_text()
    with tempfile.TemporaryDirectory() as folder:
        for name, begin in (("crossing.scene", "world crossing"), ("crossing.toml", "grammar = ")):
            part = text[text.index(begin) :].partition("```")[0]
            (Path(folder) / name).write_text(part)
        recipe = str(Path(folder) / "crossing.toml")
        command = [sys.executable, "-m", "datagen", "preview", recipe, "-n", "4"]
        subprocess.run([*command, "-o", str(picture)], check=True)


def streets() -> Image.Image:
    """A row for each recipe of streets, with its images 0 and 1."""
    step = 6
    with tempfile.TemporaryDirectory() as folder:
        rows = [images(name, Path(folder) / name) for name in STREETS]
    width, height = rows[0][0].size
    size = 2 * (width + step) - step, len(rows) * (height + step) - step
    page = Image.new("RGB", size, "white")
    for row, pair in enumerate(rows):
        for column, picture in enumerate(pair):
            page.paste(picture, (column * (width + step), row * (height + step)))
    return page


def images(name: str, out: Path) -> list[Image.Image]:
    """The first two images of a recipe."""
    datagen.generate(datagen.load_recipe(name, ["count=2", "image_format=png"]), out)
    return [Image.open(path).convert("RGB") for path in sorted(out.glob("shards/*/0*.png"))]


def strip(run: Path) -> Image.Image:
    """A titled row of pictures for each sheet of the run."""
    title, step = 30, SIDE + 6
    font = ImageFont.load_default(15)
    page = Image.new("RGB", (SHOWN * step - 6, len(ROWS) * (title + step) - 6), "white")
    for row, (name, text) in enumerate(ROWS.items()):
        top = row * (title + step)
        # Pillow's own font has narrow blanks.
        words = text.replace(" ", "  ")
        ImageDraw.Draw(page).text((1, top + title // 2), words, "#20242a", font, anchor="lm")
        for k, picture in enumerate(first_pictures(run / f"{name}.png")):
            page.paste(picture, (k * step, top + title))
    return page


def first_pictures(sheet: Path) -> list[Image.Image]:
    with Image.open(sheet) as image:
        side = (image.width - GAP) // COLUMNS - GAP
        lefts = [GAP + k * (side + GAP) for k in range(SHOWN)]
        cells = [image.convert("RGB").crop((x, GAP, x + side, GAP + side)) for x in lefts]
    return [cell.resize((SIDE, SIDE), Image.Resampling.BOX) for cell in cells]


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
