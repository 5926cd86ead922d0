"""Makes the pictures of the service again.

Run: python tests/benchmarks/service_pictures.py static
     python tests/benchmarks/service_pictures.py docs

`static` draws what the pages themselves show, of the first page and of each recipe: the first
images, none of them chosen but one for the editor. `docs` starts a server and photographs it in
Chromium: the editor with an error, and a dataset of 200 images. A minute each, on 2 cores.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from playwright.sync_api import sync_playwright

from datagen import labels, pipeline, plugins, recipe
from datagen.frame import Frame
from datagen.recipe import Recipe
from datagen.report import colour_of

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
STATIC = ROOT / "datagen" / "web" / "static"
FIRST = ROOT / "datagen" / "web" / "pages" / "first.scene"
IMAGES = 200  # of the dataset in the docs
SIZE = 640, 280  # of a picture on the first page, px
STRIP = 480, 160  # px of a recipe's picture
GAP = 4  # px between pictures
BACK = (24, 27, 31)  # R, G, B
STREETS = ("street_urban", "street_suburban", "street_rural")
# Kinds of words, as lengths in a line of a grammar: a drawing of text, not text.
INKS = ((213, 155, 224), (115, 183, 238), (155, 163, 172), (227, 169, 92), (102, 201, 162))


def main(part: str) -> None:
    {"static": static, "docs": docs}[part]()


def static() -> None:
    """The pictures that pages show."""
    _save(begin(), "editor.webp")
    _save(recipes(), "recipes.webp")
    _save(learn(), "learn.webp")
    for name in plugins.names("configs"):
        command = plugins.path_of("configs", name).read_text().partition("\n")[0]
        if command.startswith("# datagen generate"):
            _save(world(name), f"recipes/{name}.webp")


def docs() -> None:
    """What a person sees of a server with a dataset."""
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "datagen", "serve", "--port", "0", "--home", home]
        server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert server.stderr is not None
        try:
            photograph(server.stderr.readline().rpartition(" at ")[2].strip())
        finally:
            server.terminate()
            server.wait()


def photograph(address: str) -> None:
    """The two pictures of the docs, from the server at an address."""
    chromium = shutil.which("chromium")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(base_url=address, viewport={"width": 1280, "height": 860})
        page.set_default_timeout(600_000)
        page.goto("/editor")
        page.locator("#preview .shot").nth(11).wait_for()
        text = page.get_by_label("Grammar")
        text.fill(text.input_value().replace("poisson(1.5)", "poison(1.5)"))
        page.locator(".caret").wait_for()
        page.locator("#checked").get_by_role("button").click()
        page.screenshot(path=DOCS / "service_editor.jpg", type="jpeg", quality=82)

        page.goto("/recipes/street_2d")
        page.get_by_label("Name").fill("streets")
        page.get_by_label("Images").fill(str(IMAGES))
        page.get_by_role("button", name="Generate").click()
        page.get_by_role("link", name="Open what it made").click()
        page.get_by_label("masks").check()
        page.wait_for_load_state("networkidle")
        page.screenshot(path=DOCS / "service_dataset.jpg", type="jpeg", quality=82)
        browser.close()


def world(name: str) -> Image.Image:
    """The first images of a recipe, in one row."""
    frames = _first(recipe.load(name), 6)
    shown = [Image.fromarray(frame.image) for frame in frames]
    number = max(1, min(len(shown), round(STRIP[0] / STRIP[1] * shown[0].height / shown[0].width)))
    return _tiled(shown[:number], number, STRIP)


def begin() -> Image.Image:
    """Lines of a grammar, and the fullest of some images of the first world, with its labels."""
    page = Image.new("RGB", SIZE, BACK)
    draw = ImageDraw.Draw(page)
    for row, line in enumerate(FIRST.read_text().splitlines()[1:17]):
        x = 26 + 7 * (len(line) - len(line.lstrip()))
        for k, word in enumerate(line.split()):
            ink = INKS[(row + k) % len(INKS) if k else row % 2]
            draw.rounded_rectangle((x, 22 + 15 * row, x + 6 * len(word), 29 + 15 * row), 4, ink)
            x += 6 * len(word) + 8
            if x > 215:
                break
    frame = max(_first(_plain(FIRST), 12), key=lambda one: len(one.instances))
    side = SIZE[0] - 256
    page.paste(_labelled(frame, side).crop((0, 0, side, SIZE[1])), (256, 0))
    return page


def recipes() -> Image.Image:
    """Streets in 3D, images 0 and 1 of each recipe."""
    shown = [frame for name in STREETS for frame in _first(recipe.load(name), 2)]
    return _tiled([Image.fromarray(frame.image) for frame in shown], columns=2)


def learn() -> Image.Image:
    """Pictures as they come, and the same number with labels."""
    frames = _first(recipe.load("street_2d"), 8)
    plain = [Image.fromarray(frame.image) for frame in frames[:4]]
    told = [_labelled(frame, frame.image.shape[1]) for frame in frames[4:]]
    return _tiled([*plain[:2], *told[:2], *plain[2:], *told[2:]], columns=4)


def _plain(scene: Path) -> Recipe:
    text = {"name": scene.stem, "text": scene.read_text()}
    return recipe.of_data({"grammar": text, "renderers": [{"use": "raster"}]}, scene.name)


def _first(world: Recipe, number: int) -> list[Frame]:
    return list(pipeline.first(world, number))


def _labelled(frame: Frame, width: int) -> Image.Image:
    """The image so many px wide, with masks as tints and boxes as lines."""
    ids = frame.instance_map
    tint = frame.image.astype(float)
    things = labels.annotate(frame)
    for thing in things:
        inside = ids == thing.instance_id
        tint[inside] = 0.55 * tint[inside] + 0.45 * np.array(colour_of(thing.category_id))
    scale = width / ids.shape[1]
    page = Image.fromarray(tint.astype(np.uint8))
    page = page.resize((width, round(ids.shape[0] * scale)), Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(page)
    for thing in things:
        x, y, w, h = (scale * value for value in thing.bbox)
        draw.rectangle((x, y, x + w, y + h), outline=colour_of(thing.category_id), width=2)
    return page


def _tiled(pictures: list[Image.Image], columns: int, size: tuple[int, int] = SIZE) -> Image.Image:
    page = Image.new("RGB", size, BACK)
    rows = len(pictures) // columns
    width, height = (size[0] + GAP) // columns - GAP, (size[1] + GAP) // rows - GAP
    for k, picture in enumerate(pictures):
        scale = max(width / picture.width, height / picture.height)
        large = round(picture.width * scale), round(picture.height * scale)
        left, top = (large[0] - width) // 2, (large[1] - height) // 2
        cut = picture.resize(large, Image.Resampling.LANCZOS)
        cut = cut.crop((left, top, left + width, top + height))
        page.paste(cut, (k % columns * (width + GAP), k // columns * (height + GAP)))
    return page


def _save(picture: Image.Image, name: str) -> None:
    (STATIC / name).parent.mkdir(exist_ok=True)
    picture.save(STATIC / name, "WEBP", quality=80, method=6)


if __name__ == "__main__":
    main(sys.argv[1])
