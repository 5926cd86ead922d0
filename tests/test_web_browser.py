"""The service in a real browser: a person's way from an error in a grammar to a sound dataset."""

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from servers import server

from datagen import pipeline, recipe

CHROMIUM = shutil.which("chromium")
IMAGES, CELLS = 200, 96  # asked for; shown of a job under way
PATHS = (
    *("/", "/editor", "/recipes", "/recipes/aerial", "/learn", "/detectors", "/jobs"),
    *("/datasets", "/datasets/shapes", "/datasets/shapes/0", "/datasets/shapes/card"),
)
PATIENCE = 60_000  # ms; a machine may be busy

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium on the PATH"),
]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Of a server that has a dataset."""
    home = tmp_path_factory.mktemp("home")
    shapes = recipe.load("colored_shapes", ["count=8"])
    pipeline.generate(shapes, home / "datasets" / "shapes")
    with server(home, "--workers", "1") as one:
        yield one.url


@pytest.fixture
def page(address):
    """A tab; what a page complains of in its console is a failure."""
    playwright = pytest.importorskip("playwright.sync_api")
    complaints = []
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page(base_url=address, viewport={"width": 1280, "height": 800})
        tab.set_default_timeout(PATIENCE)
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on(
            "console", lambda said: complaints.append(said.text) if said.type == "error" else None
        )
        yield tab
        browser.close()
    assert complaints == []


def test_from_an_error_in_a_grammar_to_a_verified_dataset(page, tmp_path):
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE)
    page.goto("/")
    page.get_by_role("link", name="Write a world").click()
    text = page.get_by_label("Grammar")
    expect(page.get_by_text("can be drawn")).to_be_visible()
    pictures = page.locator("#preview .shot")
    expect(pictures).to_have_count(12)

    # An error is told while one types, with its place; what was drawn stays.
    right = text.input_value()
    text.fill(right.replace("poisson(1.5)", "poison(1.5)"))
    error = page.locator("#checked .message.bad")
    expect(error).to_contain_text("poison")
    shown = page.locator("#checked .caret").inner_text().split("\n")
    assert shown[0][shown[1].index("^") :].startswith("poison(1.5)")
    expect(page.locator(".lines .bad")).to_have_count(1)
    error.get_by_role("button").click()
    assert text.evaluate("box => box.value.slice(box.selectionStart)").startswith("poison(1.5)")
    expect(pictures).to_have_count(12)

    # Once it is right, other images come without asking.
    before = pictures.first.locator("img").first.get_attribute("src")
    text.fill(right.replace("poisson(1.5)", "poisson(6)"))
    expect(error).to_have_count(0)
    expect(pictures.first.locator("img").first).not_to_have_attribute("src", before or "")
    page.locator("form").get_by_label("masks").uncheck()
    expect(page.locator("#preview .masks").first).to_be_hidden()

    # A dataset of it fills before one's eyes.
    page.get_by_label("Name").fill("walked")
    page.get_by_label("Images", exact=True).fill(str(IMAGES))
    page.get_by_role("button", name="Generate").click()
    page.wait_for_url("**/jobs/*")
    cells = page.locator("#sheet .cell")
    expect(cells).to_have_count(CELLS)
    expect(page.locator("#sheet a.cell")).to_have_count(CELLS)  # without a reload
    page.get_by_role("link", name="Open what it made").click()

    # One picture, its layers, its neighbours by keys.
    page.get_by_role("link", name="Image 1,").click()
    masks = page.locator("img.masks")
    expect(masks).to_be_hidden()
    page.get_by_label("masks").check()
    expect(masks).to_be_visible()
    assert masks.evaluate("image => image.decode().then(() => image.naturalWidth)") == 128
    page.keyboard.press("j")
    expect(page.get_by_role("heading", level=1)).to_have_text("Image 2")
    expect(page.locator("img.masks")).to_be_visible()  # as it was chosen
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("heading", level=1)).to_have_text("Image 1")

    page.get_by_role("link", name="walked").click()
    page.get_by_role("button", name="Verify").click()
    expect(page.locator("#verdict .good")).to_be_visible()
    with page.expect_download() as waited:
        page.get_by_role("link", name="Download").click()
    assert_sound(Path(waited.value.path()), tmp_path)


def assert_sound(archive: Path, folder: Path) -> None:
    """`datagen verify` finds nothing in what was downloaded."""
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    (dataset,) = folder.iterdir()
    command = [sys.executable, "-m", "datagen", "verify", str(dataset)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_no_page_is_wider_than_a_phone(page):
    page.set_viewport_size({"width": 390, "height": 844})
    for path in PATHS:
        page.goto(path)
        wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, path


def test_everything_can_be_reached_by_keys(page):
    """Each press of Tab goes to something that is seen to have the focus, first of all a skip."""
    page.goto("/datasets/shapes")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) != "none"
