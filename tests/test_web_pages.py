"""Pages as a browser without scripts gets them: what they show, and what they never let through."""

import html
import json
import re
import shutil
import time
from html.parser import HTMLParser

import pytest
from servers import SECRET, app, digest_of

from datagen import pipeline, recipe
from datagen.dataset import export
from datagen.jobs.ledger import Job, Standing, State
from datagen.web.pages.exporting import FORMATS

SCENE = """world dots
canvas 32 x 32
start Scene
Scene -> ground dot * uniform_int(1, 3) ring * uniform_int(0, 1)
ground { draw: ground  shade: choice(black 1, grass 1) }
dot { category: "dot"  draw: ellipse  x: uniform(4, 28) px  y: uniform(4, 28) px
      width: 6 px  height: 6 px }
ring { category: "ring"  draw: ellipse  x: 16 px  y: 16 px  width: 12 px  height: 12 px }
"""
JOB = "makinghalf00"
SECTIONS = ("/jobs", "/datasets", "/exports", "/editor", "/recipes", "/learn", "/detectors")
WRONG = SCENE.replace("uniform_int(0, 1)", "unifrom_int(0, 1)")
HOSTILE = '"><script>alert(1)</script>'
DRAFT = {"text": SCENE, "name": "dots", "count": "6", "seed": "3", "number": "4", "key": "k"}
GATHERED = ("count=12", "shard_size=4", "seed=1")


@pytest.fixture(scope="module")
def dots(tmp_path_factory):
    """A complete dataset."""
    out = tmp_path_factory.mktemp("made") / "dots"
    grammar = {"name": "dots", "text": SCENE}
    pipeline.generate(recipe.of_data({"grammar": grammar}, "dots", GATHERED), out)
    return out


def fill(client, dots):
    """A dataset, one under way, and a job that makes it; gives the job."""
    service = client.app.state.service
    folder = service.home.folder / "datasets"
    shutil.copytree(dots, folder / "dots")
    shutil.copytree(dots, folder / "half", ignore=shutil.ignore_patterns("_COMPLETE", "*4-0*"))
    job = service.jobs.make("generate", {"out": str(folder / "half")}, None, name=JOB, by="")
    job.write_progress({"done": 8, "total": 12, "note": HOSTILE, "per_second": 4.0, "eta_s": 1.0})
    job.write(Standing(State.RUNNING, time.time()))
    job.log.write_text(f"2026-01-01 00:00:00 INFO {HOSTILE}\n")
    return job


@pytest.fixture(scope="module")
def filled(dots, tmp_path_factory):
    with app(tmp_path_factory.mktemp("home")) as client:
        fill(client, dots)
        yield client


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """An app whose clerk is asked; nobody carries out its jobs."""
    with app(tmp_path_factory.mktemp("asked")) as client:
        yield client


class Looked(HTMLParser):
    """What is wrong with a page, as `faults`, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.words: list[str] = []
        self.ids: set[str] = set()
        self.unnamed: set[str] = set()  # ids of inputs that no label has named so far
        self.named: set[str] = set()
        self.inside: list[str] = []
        self.feed(text)
        self.close()
        self.faults += [f"no label for {name}" for name in self.unnamed - self.named]

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        for name, value in given.items():
            if name == "style" or name.startswith("on"):
                self.faults.append(f"{tag} {name}={value}")
            outside = (value or "").startswith(("http:", "https:", "//", "javascript:"))
            if name in ("src", "href", "action", "formaction") and outside:
                self.faults.append(f"{tag} leads to {value}")
        if tag == "style" or (tag == "script" and "src" not in given):
            self.faults.append(f"inline {tag}")
        if tag == "img" and "alt" not in given:
            self.faults.append(f"img without alt: {given}")
        if (name := given.get("id")) is not None:
            if name in self.ids:
                self.faults.append(f"two have the id {name}")
            self.ids.add(name)
        if tag == "label" and "for" in given:
            self.named.add(given["for"])
        is_filled = tag in ("input", "select", "textarea") and given.get("type") != "hidden"
        if is_filled and "label" not in self.inside and "aria-label" not in given:
            self.unnamed.add(given.get("id", str(given)))
        if tag not in ("meta", "link", "img", "input", "br", "rect", "circle", "path"):
            self.inside.append(tag)

    def handle_endtag(self, tag):
        if tag in ("rect", "circle", "path"):
            return
        if not self.inside or self.inside.pop() != tag:
            self.faults.append(f"</{tag}> closes nothing")

    def handle_data(self, data):
        self.words.append(data)


def text_of(answer, status: int = 200) -> str:
    """The words of a sound page."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    looked = Looked(answer.text)
    assert looked.faults == []
    assert "<script>" not in answer.text
    return re.sub(r"\s+", " ", " ".join(looked.words))


@pytest.mark.parametrize("path", ["/", *SECTIONS, "/login"])
def test_pages_of_an_empty_server(tmp_path, path):
    with app(tmp_path) as client:
        assert "datagen" in text_of(client.get(path))


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/", "8 of 12 images"),
        ("/jobs", "8 of 12 · 4/s"),
        (f"/jobs/{JOB}", HOSTILE),
        ("/datasets", "dots 12 images"),
        ("/datasets/dots", "labelled things"),
        ("/datasets/half", "8 of 12 images so far"),
        ("/datasets/dots/3", "32 × 32 px"),
        ("/datasets/dots/card", "12 synthetic images of 32 x 32 pixels"),
    ],
)
def test_pages_of_a_server_in_use(filled, path, words):
    assert words in text_of(filled.get(path))


def test_names_from_files_are_text_and_never_markup(dots, tmp_path):
    with app(tmp_path) as client:
        folder = client.app.state.service.home.folder / "datasets" / "bad"
        shutil.copytree(dots, folder)
        for path in (folder / "recipe.json", *folder.glob("shards/*/records.jsonl")):
            text = path.read_text()
            path.write_text(re.sub(r'"(dot|dots)"', json.dumps(HOSTILE).replace("\\", r"\\"), text))
        for path in ("/", "/datasets", "/datasets/bad", "/datasets/bad/0"):
            assert HOSTILE in text_of(client.get(path)), path
        assert text_of(client.get("/datasets/bad", params={"factor": f"x={HOSTILE}"}))


def indices(answer) -> list[int]:
    text_of(answer)
    return [int(k) for k in re.findall(r'class="shot" href="/datasets/dots/(\d+)"', answer.text)]


def test_pictures_are_filtered_by_class_visibility_and_factor(filled):
    every = indices(filled.get("/datasets/dots"))
    assert every == list(range(12))
    rings = indices(filled.get("/datasets/dots?category=ring&visible=0&factor="))
    green = indices(filled.get("/datasets/dots?factor=ground.shade%3Dgrass"))
    whole = indices(filled.get("/datasets/dots?category=ring&visible=1"))
    assert 0 < len(rings) < 12 and 0 < len(green) < 12 and set(whole) <= set(rings)
    assert "grass" in filled.get("/datasets/dots").text


def test_a_page_of_one_picture_leads_to_its_neighbours_and_layers(filled):
    page = filled.get("/datasets/dots/3").text
    assert 'rel="prev" href="/datasets/dots/2"' in page
    assert 'rel="next" href="/datasets/dots/4"' in page
    for address in re.findall(r'src="(/(?:api|datasets)[^"]*)"', page):
        assert filled.get(address).headers["content-type"].startswith("image/"), address
    assert page.count('class="box"') == page.count("data-thing=")


def test_what_is_not_made_yet_is_a_page_that_says_so(filled):
    assert "is not made yet" in text_of(filled.get("/datasets/half/5"), 404)
    assert "no job none" in text_of(filled.get("/jobs/none"), 404)
    assert "Not Found" in text_of(filled.get("/nowhere"), 404)
    assert filled.get("/api/v1/nowhere").headers["content-type"] == "application/problem+json"
    part = filled.get("/datasets/half/5", headers={"hx-request": "true"})
    assert part.status_code == 404 and "<html" not in part.text and "made yet" in part.text


def test_a_thumbnail_may_be_kept_by_the_browser(filled):
    answer = filled.get("/datasets/dots/thumbs/3?of=1")
    assert answer.headers["content-type"] == "image/png"
    assert "max-age" in answer.headers["cache-control"]


def test_static_files_never_change_at_their_address(filled):
    addresses = re.findall(r'(?:href|src)="(/static/[^"]*)"', filled.get("/editor").text)
    assert len(addresses) >= 4
    for address in addresses:
        assert "immutable" in filled.get(address).headers["cache-control"]
    other = re.sub("/static/.", "/static/g", addresses[0])
    assert filled.get(other).status_code == 404


# ------------------------------------------------------------------------------------------- jobs


def test_a_sheet_gets_the_pictures_that_have_landed_and_nothing_else(dots, tmp_path):
    with app(tmp_path) as client:
        job = fill(client, dots)
        page = client.get(f"/jobs/{JOB}")
        empty = re.findall(r'name="empty" value="(\d+)"', page.text)
        assert empty == ["4", "5", "6", "7"]
        live = re.search(r'hx-get="([^"]*live[^"]*)"', page.text)[1]
        params = {"empty": empty}
        assert client.get(live, params=params | {"seen": seen(live)}).status_code == 204
        shard = "shards/00000004-00000008"
        shutil.copytree(
            dots / shard, client.app.state.service.home.folder / "datasets" / "half" / shard
        )
        part = client.get(live, params=params | {"seen": seen(live)}).text
        assert re.findall(r'id="cell-(\d+)"', part) == empty and "hx-swap-oob" in part
        job.write(Standing(State.DONE, time.time()))
        client.app.state.service.overview.forget()
        part = client.get(live, params={"seen": seen(live)}).text
        assert "Open what it made" in part and "hx-get" not in part and "cell-" not in part


def seen(address: str) -> str:
    return address.rpartition("seen=")[2]


def test_the_list_of_jobs_says_nothing_while_nothing_is_new(filled):
    again = re.search(r'hx-get="([^"]*rows[^"]*)"', filled.get("/jobs").text)[1]
    assert filled.get(again.replace("&amp;", "&")).status_code == 204
    assert JOB in filled.get("/jobs/rows?seen=other").text


def test_jobs_are_cancelled_and_go_on_by_plain_forms(dots, tmp_path):
    with app(tmp_path) as client:
        job = fill(client, dots)
        answer = client.post(f"/jobs/{JOB}/cancel", follow_redirects=False)
        assert answer.status_code == 303 and answer.headers["location"] == f"/jobs/{JOB}"
        assert job.standing().state is State.CANCELLED
        assert "Go on with it" in text_of(client.get(f"/jobs/{JOB}"))
        client.post(f"/jobs/{JOB}/retry")
        assert Job(job.folder).standing().state is State.QUEUED


# ----------------------------------------------------------------------------------------- editor


def test_an_error_is_shown_with_its_caret_and_the_text_is_kept(asked):
    page = asked.post("/editor/check", data={**DRAFT, "text": WRONG.replace("\n", "\r\n")})
    words = text_of(page)
    assert "Line 4, column" in words and "Did you mean uniform_int ?" in words
    shown = re.search(r'<pre class="caret">(.*?)</pre>', page.text, re.DOTALL)[1]
    line, caret = html.unescape(shown).split("\n")[:2]
    assert line[caret.index("<b>") :].startswith("unifrom_int")
    assert "unifrom_int(0, 1)" in re.search(r"<textarea.*?</textarea>", page.text, re.DOTALL)[0]


def test_a_text_that_can_be_read_says_what_an_image_will_hold(asked):
    words = text_of(asked.post("/editor/check", data=DRAFT))
    assert "dots can be drawn" in words and "32 × 32 px" in words
    assert re.search(r"dot\s+2\.00", words) and re.search(r"ring\s+0\.50", words)


def test_a_text_is_never_markup(asked):
    text = f"{HOSTILE}</textarea>{HOSTILE}"
    assert "Line 1" in text_of(asked.post("/editor/check", data={**DRAFT, "text": text}))


def test_a_preview_draws_images_and_their_labels(asked):
    page = asked.post("/editor/preview", data=DRAFT)
    text_of(page)
    assert page.text.count('src="data:image/webp;base64,') == 4
    assert page.text.count('src="data:image/png;base64,') == 4
    assert 'class="box"' in page.text


def test_parts_of_the_editor_for_htmx(asked):
    headers = {"hx-request": "true"}
    checked = asked.post("/editor/check", data=DRAFT, headers=headers).text
    assert "<html" not in checked and 'hx-post="/editor/preview"' in checked
    sheet = asked.post("/editor/preview", data=DRAFT, headers=headers).text
    tag = re.search(r'name="drawn" value="(\w+)"', sheet)[1]
    again = asked.post("/editor/check", data={**DRAFT, "drawn": tag}, headers=headers).text
    assert "hx-post" not in again  # what is drawn already is not drawn again


def test_a_form_that_is_sent_twice_asks_for_one_job(asked):
    answers = [asked.post("/editor/generate", data=DRAFT, follow_redirects=False) for _ in "ab"]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert len({answer.headers["location"] for answer in answers}) == 1
    page = asked.get(answers[0].headers["location"])
    assert "dots" in text_of(page) and page.text.count('name="empty"') == 6


def test_what_cannot_be_asked_for_keeps_the_text(asked):
    page = asked.post("/editor/generate", data={**DRAFT, "name": "No Name"})
    assert "No Name is no name" in text_of(page) and "Scene -&gt; ground" in page.text
    page = asked.post("/editor/generate", data={**DRAFT, "name": "other", "text": WRONG})
    assert "Line 4" in text_of(page)


def test_grammars_that_came_with_datagen_can_be_opened(asked):
    assert "world aerial" in text_of(asked.get("/editor?start=aerial"))
    assert "no grammar" in text_of(asked.get("/editor?start=../../secret"), 404)


# --------------------------------------------------------------------- recipes, photos, results


def test_recipes_say_what_they_make(filled):
    words = text_of(filled.get("/recipes"))
    assert "1000 images of 128 x 128 pixels from above" in words
    assert "Learn from photos" in words
    for name in ("aerial", "street_2d_camvid", "detector_aerial"):
        assert name in text_of(filled.get(f"/recipes/{name}"))
    assert "no recipe none" in text_of(filled.get("/recipes/none"), 404)


def test_a_dataset_is_asked_of_a_recipe(asked):
    form = {"name": "towns", "count": "100", "seed": "", "key": "k"}
    page = asked.post("/recipes/aerial/generate", data=form)
    assert page.url.path.startswith("/jobs/") and "towns" in text_of(page)
    folder = asked.app.state.service.home.folder / "datasets" / "towns"
    plan = json.loads((folder / "recipe.json").read_text())
    assert (plan["count"], plan["seed"], plan["shard_size"]) == (100, 0, 8)
    sheet = asked.post("/recipes/colored_shapes/sketches").text
    assert sheet.count("data:image/webp") == 6


def test_a_grammar_is_kept_and_opened_again(asked):
    page = asked.post("/editor/save", data={**DRAFT, "name": "kept"})
    assert page.url.path == "/editor" and page.url.params["start"] == "kept"
    assert "Saved here" in text_of(page) or "kept" in page.text
    assert "world dots" in text_of(asked.get("/editor?start=kept"))
    assert "came with datagen" in text_of(
        asked.post("/editor/save", data={**DRAFT, "name": "aerial"})
    )


def test_a_dataset_is_exported_and_fetched(dots, tmp_path):
    assert tuple(FORMATS) == export.FORMATS
    with app(tmp_path) as client:
        home = client.app.state.service.home.folder
        shutil.copytree(dots, home / "datasets" / "dots")
        page = client.get("/datasets/dots").text
        form = page[page.index('action="/datasets/dots/export"') :]
        key = re.search('name="key" value="([^"]*)"', form)[1]
        order = {"format": "yolo", "visible": "0.5", "split": "true", "name": "boxes", "key": key}
        page = client.post("/datasets/dots/export", data=order)
        assert page.url.path.startswith("/jobs/") and "boxes" in text_of(page)
        assert "/exports/boxes" not in page.text  # there is no such page yet
        job = Job(client.app.state.service.jobs.folder / page.url.path.rpartition("/")[2])
        assert job.arguments["format"] == "yolo"
        assert job.arguments["min_visible_fraction"] == 0.5
        assert list(job.arguments["splits"]) == ["train", "val", "test"]

        export.export(dots, "yolo", home / "exports" / "done")
        assert "YOLO, boxes" in text_of(client.get("/exports"))
        page = client.get("/exports/done")
        assert "12 images" in text_of(page)
        fetched = client.get(re.search(r'href="([^"]*/download)"', page.text)[1])
        assert fetched.headers["content-type"] == "application/x-tar"
        assert client.post("/exports/done/remove").url.path == "/exports"
        assert client.get("/exports/done").status_code == 404
        wrong = client.post("/datasets/dots/export", data={**order, "format": "<b>", "name": "c"})
        assert "unknown format" in text_of(wrong, 422)


def photos(dots):
    pictures = sorted(dots.glob("shards/*/*.png"))[:4]
    return [("photos", (path.name, path.read_bytes(), "image/png")) for path in pictures]


def test_photos_are_uploaded_by_a_plain_form(dots, tmp_path):
    with app(tmp_path) as client:
        page = client.post("/targets", data={"name": "place"}, files=photos(dots))
        assert page.url.path == "/targets/place" and "4 pictures" in text_of(page)
        for address in re.findall(r'src="(/targets[^"]*)"', page.text):
            assert client.get(address).headers["content-type"] == "image/png"
        assert "place" in text_of(client.get("/learn"))
        fake = [*photos(dots), ("photos", (HOSTILE + ".png", b"text", "image/png"))]
        answer = client.post("/targets", data={"name": "other"}, files=fake)
        assert "not a PNG or JPEG image" in text_of(answer, answer.status_code)
        assert answer.status_code == 415
        assert client.get("/targets/other").status_code == 404
        nothing = client.post("/targets", data={"name": "other"})
        assert "choose some photos first" in text_of(nothing, 422)
        client.post("/targets/place/remove")
        assert client.get("/targets/place").status_code == 404


def test_what_can_be_learned_is_told_by_what_it_needs_and_ordered(dots, tmp_path):
    with app(tmp_path) as client:
        client.post("/targets", data={"name": "place"}, files=photos(dots))
        client.post("/editor/save", data={**DRAFT, "name": "kept"})
        groups = re.findall(
            r'<optgroup label="([^"]*)">(.*?)</optgroup>', client.get("/learn").text
        )
        offered = {label: re.findall('value="([^"]*)"', options) for label, options in groups}
        assert offered["Grammars kept here"] == ["grammars/kept"]
        assert "recipes/demo" in offered["A grammar, fitted to photos"]
        assert "recipes/relate_bowl" in offered["Photos alone, without a grammar"]
        maps = offered["Label maps with photos, a folder of the server"]
        assert {"recipes/dreamed_streets", "recipes/street_2d_photos"} <= set(maps)

        order = {"world": "grammars/kept", "target": "place", "name": "fitted", "key": "k"}
        page = client.post("/learn", data=order)
        assert page.url.path.startswith("/jobs/") and "fitted" in text_of(page)
        assert "#sheet" not in page.text  # there is none, and htmx would complain
        for world in ("grammars/none", "recipes/none", "grammars/../kept", ""):
            wrong = {**order, "world": world, "name": "other"}
            assert client.post("/learn", data=wrong).status_code in (404, 422)


def test_more_than_may_be_uploaded_is_refused(dots, tmp_path):
    with app(tmp_path, limits={"upload": 1024}) as client:
        assert (
            client.post("/targets", data={"name": "place"}, files=photos(dots)).status_code == 413
        )


def test_a_run_under_way_shows_its_curves_and_then_its_report(tmp_path):
    with app(tmp_path) as client:
        folder = client.app.state.service.home.folder / "runs" / "street"
        folder.mkdir()
        assert "nobody is at work on it" in text_of(client.get("/runs/street"))
        lines = [{"phase": HOSTILE, "iteration": k, HOSTILE: 1.0 / k} for k in range(1, 400)]
        text = "\n".join([*map(json.dumps, lines), '{"phase": "x", "iter'])
        (folder / "metrics.jsonl").write_text(text)
        page = client.get("/runs/street")
        assert "step 399" in text_of(page)
        points = re.search(r'points="([^"]*)"', page.text)[1].split()
        assert 2 <= len(points) <= 160 and points[-1] == "160.0,42.0"
        (folder / "report.html").write_text("<p>report")
        (folder / "learned.scene").write_text(SCENE)
        page = client.get("/runs/street")
        report = re.search(r'<iframe[^>]*src="([^"]*)"', page.text)[1]
        assert client.get(report).text == "<p>report"
        assert "Edit what it learned" in text_of(page)
        assert "world dots" in text_of(client.get("/editor?run=street"))
        assert "street" in text_of(client.get("/learn"))


def test_detectors_and_scores_have_pages(dots, tmp_path):
    with app(tmp_path) as client:
        fill(client, dots)
        home = client.app.state.service.home.folder
        for kind in ("detectors", "evaluations"):
            (home / kind / "one").mkdir()
            (home / kind / "one" / "report.html").write_text("<p>report")
            assert "<iframe" in client.get(f"/{kind}/one").text
            text_of(client.get(f"/{kind}/one"))
        page = client.get("/detectors")
        assert "Teach one" in text_of(page) and 'href="/evaluations/one"' in page.text
        none = client.post("/detectors", data={"dataset": "", "name": ""})
        assert "choose a dataset first" in text_of(none, 422)


# ----------------------------------------------------------------------------------------- tokens


@pytest.fixture
def guarded(tmp_path):
    tokens = {"ada": {"sha256": digest_of(SECRET)}}
    with app(tmp_path, tokens=tokens) as client:
        yield client


def test_a_browser_signs_in_with_a_token_and_goes_where_it_was_going(guarded):
    asked = guarded.get("/jobs", headers={"accept": "text/html"}, follow_redirects=False)
    assert asked.headers["location"] == "/login?to=/jobs"
    assert "token" in text_of(guarded.get("/login?to=/jobs"))
    assert "no token of this server" in text_of(
        guarded.post("/login", data={"token": "wrong", "to": "/jobs"}), 403
    )
    answer = guarded.post("/login", data={"token": SECRET, "to": "/jobs"}, follow_redirects=False)
    assert answer.status_code == 303 and answer.headers["location"] == "/jobs"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie
    assert "Sign out" in text_of(guarded.get("/jobs"))
    guarded.post("/logout")
    assert guarded.get("/jobs").status_code == 401


@pytest.mark.parametrize("to", ["//elsewhere.example", "https://elsewhere.example", "/\\elsewhere"])
def test_nobody_is_led_elsewhere_by_signing_in(guarded, to):
    answer = guarded.post("/login", data={"token": SECRET, "to": to}, follow_redirects=False)
    assert answer.headers["location"] == "/"
