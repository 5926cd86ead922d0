"""Recipes and grammars from strangers: kept, checked and drawn, and nothing else is touched."""

import asyncio
import io
import subprocess
import sys
import threading
import time
from pathlib import Path
from textwrap import dedent
from typing import Literal, get_args, get_origin

import pytest
import servers
from faulty import ROOT
from PIL import Image
from pydantic import BaseModel
from starlette.testclient import TestClient

from datagen import plugins
from datagen.errors import InputError
from datagen.parts import Part
from datagen.settings.serve import Quota, Serve
from datagen.web import worlds
from datagen.web.app import make_app
from datagen.web.clerk import Clerks
from datagen.web.home import Home
from datagen.web.problems import Refused
from datagen.web.service import make_service
from datagen.web.types import WorldOf

DOTS = dedent("""\
    world dots
    canvas 48 x 32
    start Scene
    Scene -> ground dot * uniform_int(1, 3)
    ground { draw: ground }
    dot { draw: ellipse  category: "dot"  x: uniform(0, 1) width  y: uniform(0, 1) height }
    """)
PACK = DOTS.replace("start Scene", 'start Scene\nasset pack: sprites "strokes"').replace(
    "draw: ellipse", 'draw: pack("3")'
)


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    """A client of a server that carries out no jobs."""
    with servers.app(tmp_path_factory.mktemp("home"), limits={"texts": 4}) as client:
        yield client


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path / "home", tmp_path / "home" / "jobs")
    made.prepare()
    return made


def problem(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()


# -------------------------------------------------------------------------------------------- kept


def test_lists_hold_what_came_with_datagen_and_come_in_parts(web):
    for kind, folder in (("recipes", "configs"), ("grammars", "grammars")):
        names, cursor = [], {}
        while True:
            part = web.get(f"/api/v1/{kind}", params={"limit": 7, **cursor}).json()
            names += [one["name"] for one in part["items"] if one["built_in"]]
            assert len(part["items"]) <= 7
            if part["next"] is None:
                break
            cursor = {"cursor": part["next"]}
        assert names == plugins.names(folder)


def test_a_text_is_given_whole_and_not_again_where_it_is_known(web):
    answer = web.get("/api/v1/recipes/street_2d")
    assert answer.json()["text"] == plugins.path_of("configs", "street_2d").read_text()
    again = web.get("/api/v1/recipes/street_2d", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    assert web.get("/api/v1/grammars/aerial").json()["text"].startswith("# Aerial views")


def test_a_grammar_is_kept_replaced_used_by_a_recipe_and_forgotten(web):
    assert web.put("/api/v1/grammars/dots", json={"text": DOTS}).status_code == 201
    assert web.put("/api/v1/grammars/dots", json={"text": DOTS + "# x\n"}).status_code == 200
    kept = web.get("/api/v1/grammars/dots").json()
    assert kept == {"name": "dots", "built_in": False, "text": DOTS + "# x\n"}
    text = 'grammar = "dots"\ncount = 4\n'
    assert web.put("/api/v1/recipes/some", json={"text": text}).status_code == 201
    assert web.get("/api/v1/recipes/some").json()["text"] == text
    assert web.delete("/api/v1/grammars/dots").status_code == 204
    problem(web.get("/api/v1/grammars/dots"), 404)
    problem(web.delete("/api/v1/grammars/dots"), 404)
    gone = problem(web.put("/api/v1/recipes/some", json={"text": text}), 422)
    assert "no grammar `dots`" in gone["detail"]
    assert web.delete("/api/v1/recipes/some").status_code == 204


def test_what_came_with_datagen_stays(web):
    for path, text in (("recipes/aerial", "count = 1"), ("grammars/facade", DOTS)):
        assert (
            "came with" in problem(web.put(f"/api/v1/{path}", json={"text": text}), 409)["detail"]
        )
        assert "came with" in problem(web.delete(f"/api/v1/{path}"), 409)["detail"]


def test_no_more_texts_are_kept_than_the_server_wants(web):
    for number in range(4):
        answer = web.put(f"/api/v1/grammars/n{number}", json={"text": DOTS})
        assert answer.status_code == 201
    assert (
        "4 grammars" in problem(web.put("/api/v1/grammars/n4", json={"text": DOTS}), 409)["detail"]
    )
    assert web.put("/api/v1/grammars/n3", json={"text": DOTS}).status_code == 200
    for number in range(4):
        web.delete(f"/api/v1/grammars/n{number}")


def test_a_wrong_grammar_is_told_by_line_column_and_remedy_and_not_kept(web):
    text = DOTS.replace("ellipse ", "ellipse { ")
    for answer in (
        web.post("/api/v1/check", json={"text": text}),
        web.put("/api/v1/grammars/wrong", json={"text": text}),
    ):
        told = problem(answer, 422)
        assert (told["line"], told["column"]) == (6, 13)
        assert told["remedy"].startswith("write")
        assert "^" in told["detail"]
    problem(web.get("/api/v1/grammars/wrong"), 404)


def test_what_check_finds_an_error_in_is_not_kept(web):
    text = DOTS.replace("ground { draw", "ground { yaw: 3 px  draw")
    found = web.post("/api/v1/check", json={"text": text}).json()["findings"]
    assert [(one["severity"], one["line"]) for one in found] == [("error", 5)]
    told = problem(web.put("/api/v1/grammars/wrong", json={"text": text}), 422)
    assert told["line"] == 5
    assert "is an angle" in told["detail"]
    problem(web.get("/api/v1/grammars/wrong"), 404)


def test_a_wrong_recipe_is_told_as_check_tells_it(web):
    for text, words in (
        ('grammar = "aerial"\ncuont = 3', "unknown key `cuont`; did you mean `count`?"),
        ('grammar = "arial"', "did you mean `aerial`?"),
        ('grammar = "aerial"\ngenerator = {use = "metasim3"}', "did you mean `metasim2`?"),
        ("count = ", "is not TOML"),
        ("count = 3", "`grammar` is missing"),
        ('grammar = {name = "a", text = "world a"}', "the header `canvas` is missing"),
    ):
        assert words in problem(web.put("/api/v1/recipes/r", json={"text": text}), 422)["detail"]
    problem(web.get("/api/v1/recipes/r"), 404)


def test_a_check_says_what_is_expected(web):
    found = web.post("/api/v1/check", json={"text": DOTS}).json()
    assert found["expected"] == {"dot": 2.0}
    assert (found["world"], found["canvas"], found["findings"]) == ("dots", [48, 32], [])


# ----------------------------------------------------------------------------------------- previews


def test_a_preview_is_a_sheet_of_the_first_images(web):
    asked = {"world": {"grammar": DOTS}, "number": 2}
    answer = web.post("/api/v1/previews", json=asked)
    assert answer.headers["content-type"] == "image/png", answer.text
    with Image.open(io.BytesIO(answer.content)) as sheet:
        two = sheet.size
    asked["number"] = 6
    with Image.open(io.BytesIO(web.post("/api/v1/previews", json=asked).content)) as sheet:
        assert sheet.width * sheet.height > 2 * two[0] * two[1]
    again = web.post("/api/v1/previews", json={**asked, "seed": 3}).content
    assert again != web.post("/api/v1/previews", json={**asked, "seed": 4}).content


def test_what_cannot_be_drawn_is_the_askers_mistake(web):
    text = DOTS.replace("draw: ellipse", "draw: elipse")
    told = problem(web.post("/api/v1/previews", json={"world": {"grammar": text}}), 422)
    assert "nothing draws `elipse`; painters: rect, ellipse" in told["detail"]
    text = DOTS.replace("draw: ellipse", "draw: ellipse scale: -1")
    told = problem(web.post("/api/v1/previews", json={"world": {"grammar": text}}), 422)
    assert "scale" in told["detail"]


@pytest.mark.opengl
def test_a_grammar_by_itself_is_drawn_by_who_can_draw_it(home):
    text = plugins.path_of("grammars", "clevr_like").read_text()
    assert worlds.world_of(home, WorldOf(grammar=text)).renderers[0].use == "mesh"
    assert worlds.world_of(home, WorldOf(grammar=DOTS)).renderers[0].use == "raster"


def test_no_more_checks_are_under_way_at_once_than_the_quota(tmp_path):
    settings = Serve(home=str(tmp_path), workers=0, quota=Quota(previews=1))
    service = make_service(settings, None)
    begun, ended = threading.Event(), threading.Event()

    async def slow(what, asked, seconds=None):
        begun.set()
        await asyncio.to_thread(ended.wait, 20)
        return {"world": "w", "canvas": (8, 8), "rules": 1, "digest": "", "expected": {}} | {
            "findings": []
        }

    service.errand = slow
    answers = []
    with TestClient(make_app(service), base_url="http://127.0.0.1") as client:
        ask = lambda: client.post("/api/v1/check", json={"text": DOTS})  # noqa: E731
        other = threading.Thread(target=lambda: answers.append(ask()))
        other.start()
        assert begun.wait(20)
        refused = ask()
        assert "no more may" in problem(refused, 429)["detail"]
        assert refused.headers["retry-after"]
        ended.set()
        other.join(20)
        assert ask().status_code == 200
    assert answers[0].status_code == 200


# ------------------------------------------------------------------------------------------- clerks


def clerk(**given):
    return Clerks(1, **{"patience": 30.0, "memory": 2 << 30, **given})


def errand(home, what, **asked):
    folders = {"home": str(home.folder), "jobs": str(home.jobs), "shared": {}}
    return {**folders, "what": what, "asked": asked}


# All symbols can stand in a scene, so the table of means is 9,000 x 9,000 numbers.
HUGE = "world a\ncanvas 8 x 8\nstart S\nmax_nodes 100000\nS -> {}\n{}".format(
    " ".join(f"b{k}" for k in range(9_000)), "".join(f"b{k} {{}}\n" for k in range(9_000))
)


def test_an_errand_that_takes_too_much_memory_is_ended_and_the_next_one_served(home):
    clerks = clerk(memory=400 << 20)
    try:
        with pytest.raises(Refused, match="more than 400 MiB of memory") as caught:
            asyncio.run(clerks.run(errand(home, "check", name="g", text=HUGE)))
        assert caught.value.status == 422
        assert asyncio.run(clerks.run(errand(home, "check", name="g", text=DOTS)))["rules"] == 3
    finally:
        clerks.close()


def test_an_errand_that_takes_too_long_is_ended(home):
    clerks = clerk(patience=3.0)
    slow = "grammar = 'aerial'\n" + ".".join("a" * 100_000) + " = 1"
    began = time.monotonic()
    try:
        with pytest.raises(Refused, match="more than 3 seconds") as caught:
            asyncio.run(clerks.run(errand(home, "recipe", text=slow)))
    finally:
        clerks.close()
    assert caught.value.status == 504
    assert time.monotonic() - began < 20


def test_a_server_that_ends_waits_for_no_errand(home):
    clerks = clerk(patience=60.0)
    slow = "grammar = 'aerial'\n" + ".".join("a" * 100_000) + " = 1"

    async def both():
        errands = [clerks.run(errand(home, "recipe", text=slow)) for _ in range(3)]
        under_way = asyncio.gather(*errands, return_exceptions=True)
        await asyncio.sleep(1)
        clerks.close()
        return await under_way

    began = time.monotonic()
    found = asyncio.run(both())
    assert time.monotonic() - began < 20
    assert all(isinstance(one, Refused | asyncio.CancelledError) for one in found)


# ------------------------------------------------------------------------------------------ attacks

# Everything here names the folder or the module `canary`, which lie where a careless reader looks.
NAMES = (
    "canary",
    "canary/images",
    "./canary",
    "../canary",
    "{at}/canary",
    "~/canary",
    "file://{at}/canary",
    "http://127.0.0.1:9/canary",
    "s3://canary/x",
    "\\\\\\\\host\\\\canary",
    "canary.safetensors",
    "canary.scene",
    "canary_module:Cls",
    "canary_module",
    "．．／canary",
    "can\\u0061ry/images",
    "canary\\u0000.png",
    "＂canary＂",
)
PLACES = (
    'grammar = "{name}"',
    'grammar = {{name = "{name}", text = ""}}',
    'grammar = "aerial"\ngenerator = {{use = "{name}"}}',
    'grammar = "aerial"\ngenerator = {{use = "metasim2", weights = "{name}"}}',
    'grammar = "aerial"\ngenerator = {{use = "metasim2", weights = {{source = "{name}"}}}}',
    'grammar = "aerial"\ngenerator = {{use = "metasim2", options = {{weights = "{name}"}}}}',
    'grammar = "aerial"\n[[renderers]]\nuse = "{name}"',
    'grammar = "aerial"\n[[renderers]]\nuse = "imle"\nweights = "{name}"',
    'grammar = "aerial"\n[[renderers]]\nuse = "imle"\noptions.weights = "{name}"',
    'grammar = "multi_mnist"\nassets = {{digits = "{name}"}}',
    'grammar = "multi_mnist"\nassets = {{digits = {{source = "{name}"}}}}',
    'grammar = "multi_mnist"\nassets = "{name}"',
    'grammar = "multi_mnist"\nassets = ["{name}"]',
    'grammar = "aerial"\n[learn.features]\nuse = "{name}"',
    'grammar = "aerial"\n[learn.features]\nuse = "squeezenet"\nweights = "{name}"',
    'grammar = "aerial"\n[learn.features]\nuse = "squeezenet"\noptions = {{weights = "{name}"}}',
    'grammar = "aerial"\n[learn.attributes.features]\nuse = "counts"\nweights = "{name}"',
    'grammar = "aerial"\n[learn.attributes]\ntask = "{name}"',
    'grammar = "aerial"\n[learn.appearance]\nweights = "{name}"',
    'grammar = "aerial"\n[train]\nstart = "{name}"',
    'grammar = "aerial"\n[train.detector]\nuse = "{name}"',
    'grammar = "aerial"\n[train.detector]\nweights = "{name}"',
    'grammar = "aerial"\n[train.detector]\npretrained = "{name}"',
    'grammar = "aerial"\n[train.detector]\noptions = {{pretrained = "{name}"}}',
)
# The same keys, to be set on a recipe that is beyond reproach.
SETS = (
    "grammar={name}",
    'grammar="{name}"',
    'grammar.text="world w\\ncanvas 8 x 8\\nstart S\\nasset a: sprites \\"canary\\"\\nS->b\\n'
    'b{{draw: a(\\"x\\")}}"',
    "grammar.name=../{name}",
    "generator={{use='{name}'}}",
    "generator={{use='metasim2', weights='{name}'}}",
    "generator.use={name}",
    "generator.weights={name}",
    "generator.options.weights={name}",
    "renderers=[{{use='{name}'}}]",
    "renderers.0.use={name}",
    "renderers.0={{use='imle', weights={{source='{name}'}}}}",
    "renderers.0.options={{weights='{name}'}}",
    "assets={{digits='{name}'}}",
    "assets.digits={name}",
    "assets.digits.source={name}",
    "assets.*={name}",
    "learn.features.weights={name}",
    "learn.attributes.task={name}",
    "learn={{appearance={{weights='{name}'}}}}",
    "train.start={name}",
    "train.detector.pretrained={name}",
    "train.detector.options.pretrained={name}",
    "train.detector.use={name}",
)


@pytest.fixture
def canary(tmp_path, monkeypatch):
    """Files that a careless reader would find, and the list of what was touched of them."""
    (tmp_path / "canary" / "images").mkdir(parents=True)
    for folder in (tmp_path / "canary", tmp_path / "canary" / "images"):
        Image.new("RGB", (8, 8)).save(folder / "x.png")
    for name in ("canary.safetensors", "canary.scene", "canary.toml"):
        (tmp_path / name).write_text(DOTS)
    (tmp_path / "canary_module.py").write_text("class Cls: pass\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    TOUCHED.clear()
    monkeypatch.setattr(sys.modules[__name__], "WATCHING", True)
    return tmp_path


TOUCHED: list[str] = []
WATCHING = False
_TELLING = ("open", "os.listdir", "os.scandir", "os.chdir", "glob.glob", "subprocess.Popen")


def watch(event, arguments):
    if not WATCHING:
        return
    is_network = event.startswith("socket.") and event != "socket.__new__"
    names = event in _TELLING and "canary" in repr(arguments)
    imports = event == "import" and str(arguments[0]).startswith("canary")
    if is_network or names or imports:
        TOUCHED.append(f"{event} {arguments!r}"[:200])


sys.addaudithook(watch)


def attack(home, asked):
    """It is refused as a mistake, and without a look at what lies there."""
    with pytest.raises(InputError):
        made = worlds.world_of(home, asked)
        made.train.described()  # a detector is not looked for before it is to be trained
    assert not TOUCHED, asked
    assert "canary_module" not in sys.modules


@pytest.mark.parametrize("place", PLACES)
def test_a_recipe_names_nothing_outside(home, canary, place):
    for name in NAMES:
        attack(home, WorldOf(toml=place.format(name=name.format(at=canary))))


@pytest.mark.parametrize("text", SETS)
def test_nothing_outside_can_be_set(home, canary, text):
    for name in NAMES:
        sets = [text.format(name=name.format(at=canary))]
        attack(home, WorldOf(recipe="multi_mnist", sets=sets))
        attack(home, WorldOf(grammar=DOTS, sets=sets))


@pytest.mark.parametrize("text", SETS)
def test_nothing_outside_can_be_set_on_what_was_made_here(home, canary, text):
    from datagen import recipe

    frozen = recipe.load("multi_mnist").encode()
    folder = home.folder / "datasets" / "made"
    folder.mkdir()
    (folder / "recipe.json").write_text(recipe.Recipe.decode(frozen).model_dump_json())
    assert worlds.world_of(home, WorldOf(dataset="made", sets=["seed=3"])).seed == 3
    for name in NAMES:
        attack(home, WorldOf(dataset="made", sets=[text.format(name=name.format(at=canary))]))


def test_a_training_begins_with_nothing_that_a_stranger_names(canary):
    for text in (one for one in SETS if one.startswith("train.") and "use" not in one):
        for name in NAMES:
            with pytest.raises(InputError):
                worlds.refuse_sets([text.format(name=name.format(at=canary))])
    assert not TOUCHED
    worlds.refuse_sets(["train.steps=3", "train.detector.size=tiny", 'train.ignored=["a car"]'])


@pytest.mark.parametrize("name", NAMES)
def test_a_grammar_names_no_file(home, canary, name):
    text = PACK.replace("strokes", name.format(at=canary).replace("\\u0061", "a"))
    attack(home, WorldOf(grammar=text))
    attack(home, WorldOf(toml="grammar = " + f"{{name = 'a', text = '''{text}'''}}"))
    (home.folder / "grammars" / "kept.scene").write_text(text)  # by whatever way it came there
    attack(home, WorldOf(toml='grammar = "kept"'))


@pytest.mark.parametrize("field", ["recipe", "run", "dataset"])
@pytest.mark.parametrize("name", ["canary", "../canary", "/etc", "..", "a/b", "canary.toml", "a\0"])
def test_a_name_leads_nowhere_else(home, canary, field, name):
    from datagen.web.home import NotHere

    asked = WorldOf.model_construct(**{field: name, "sets": []})
    for other in ("recipe", "run", "dataset", "toml", "grammar"):
        if other != field:
            object.__setattr__(asked, other, None)
    with pytest.raises(NotHere):
        worlds.world_of(home, asked)
    assert not TOUCHED


def test_the_watch_sees_what_it_should(canary):
    """Else the attacks above would prove nothing."""
    Path("canary/x.png").read_bytes()
    list(Path("canary").iterdir())
    __import__("canary_module")
    del sys.modules["canary_module"]
    assert {one.split()[0] for one in TOUCHED} >= {"open", "os.listdir", "import"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"toml": 'grammar = "aerial"\ncanvas = [8192, 8192]'}, "16,777,216"),
        ({"recipe": "aerial", "sets": ["canvas=[8192,4096]"]}, "16,777,216"),
        ({"grammar": DOTS.replace("48 x 32", "8192 x 8192")}, "16,777,216"),
        ({"recipe": "aerial", "sets": ["canvas=[1e9,1e9]"]}, "canvas"),
        ({"recipe": "aerial", "sets": ["count=" + "9" * 1900]}, "count"),
        ({"recipe": "aerial", "sets": ["seed=-1"]}, "seed"),
        ({"recipe": "aerial", "sets": ["count=0"]}, "count"),
        ({"recipe": "aerial", "sets": ["renderers.0.noise=inf"]}, "noise"),
        ({"recipe": "aerial", "sets": ["a." * 900 + "a=1"]}, "nested too deeply|unknown key"),
        ({"toml": "grammar = " + "[" * 100_000}, "nested too deeply|not TOML"),
        ({"toml": 'grammar = "aerial"\n' + "a." * 2000 + "a=1"}, "nested too deeply"),
        ({"toml": 'grammar = "aerial"\ncount = ' + "1" * 9000}, "not TOML"),
        ({"grammar": DOTS.replace("Scene ->", "Scene -> Scene Scene |")}, "expected size infinite"),
        ({"grammar": DOTS.replace("uniform_int(1, 3)", "9999999")}, "above max_nodes"),
        ({"grammar": "(" * 100_000}, "nested deeper"),
        ({"grammar": '"' + '\\"' * 100_000}, "never closed"),
        ({}, "exactly one"),
        ({"toml": "count = 1", "grammar": DOTS}, "exactly one"),
    ],
)
def test_numbers_and_shapes_beyond_reason_are_refused(home, data, words):
    began = time.process_time()
    with pytest.raises(InputError, match=words):
        worlds.world_of(home, WorldOf(**data))
    assert time.process_time() - began < 10


def test_all_that_came_with_datagen_passes(home):
    for name in plugins.names("configs"):
        worlds.world_of(home, WorldOf(recipe=name))
    for name in plugins.names("grammars"):
        worlds.grammar_of(plugins.path_of("grammars", name).read_text(), name)


def test_a_learned_recipe_keeps_the_files_that_the_server_gave_it(home):
    """What lies in a run is named by absolute paths, which only strangers may not name."""
    from datagen import recipe

    made = recipe.load("aerial").encode()
    pack = home.folder / "own"
    pack.mkdir()
    made["learn"]["appearance"]["weights"] = {"source": str(pack), "sha256": None}
    folder = home.folder / "runs" / "learned"
    folder.mkdir()
    text = recipe.Recipe.decode(made).model_dump_json()
    (folder / "recipe.json").write_text(text)
    found = worlds.world_of(home, WorldOf(run="learned", sets=["count=7"]))
    kept = found.learn.appearance.weights
    assert kept is not None
    assert kept.source == str(pack)
    assert found.count == 7


def test_words_for_assets_are_those_that_renderers_have():
    code = (
        "from renderers._sprites import BUILT_IN as a; "
        "from renderers._families.procedural import BUILT_IN as b; print(a, b)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert tuple(done.stdout.split()) == worlds.ASSETS


# Texts of plug-ins' options and of the sections that are no files.
HARMLESS = {
    "learn.relate.category",
    "learn.gnm.category",
    "learn.appearance.like",
    "train.categories",
    "train.ignored",
    "learn.attributes.task",  # a module: its colon is refused
    "generator.use",
    "renderers.use",
    "learn.features.use",
    "learn.attributes.features.use",
    "train.detector.use",
    "grammar.name",
    "grammar.text",
}


def texts_of(model: type[BaseModel], at: str):
    """Keys of a struct, and of those in it, that take any text."""

    def kinds(annotation):
        yield annotation
        inner = () if get_origin(annotation) is Literal else get_args(annotation)
        for one in inner[1:] if get_origin(annotation) is dict else inner:
            yield from kinds(one)

    for name, field in model.model_fields.items():
        here = f"{at}.{name}".strip(".")
        for kind in kinds(field.annotation):
            if kind is str or kind is Path:
                yield here
            elif isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from texts_of(kind, here)


def test_whatever_a_recipe_may_name_by_text_is_refused_or_known_to_be_harmless():
    """A new option that takes a path must be added to `worlds.CONTENT`, or here."""
    from datagen.recipe import Recipe

    found = set(texts_of(Recipe, ""))
    for kind in ("generators", "renderers", "features", "detectors"):
        for name in plugins.names(kind):
            found |= set(texts_of(Part(use=name).described(kind), kind))
    named = {one for one in found if one.rpartition(".")[2] not in worlds.CONTENT}
    assert named <= HARMLESS
    assert {one for one in found if one.endswith((".weights", ".pretrained"))}
