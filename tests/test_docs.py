"""What the documents say is so: commands, options, defaults, fields, links, examples, pictures."""

import ast
import inspect
import re
import shlex
import tomllib
from dataclasses import fields
from importlib import import_module

import boxes
import cv2
import numpy as np
import pytest
from conftest import ROOT
from pydantic import BaseModel

import datagen
from datagen.cli import VERBS
from datagen.dataset import pictures
from datagen.dataset.export import FORMATS
from datagen.dataset.export.to_kitti import TYPES
from datagen.frame import Box3D
from datagen.jobs.ledger import State
from datagen.labels import Annotation
from datagen.parts import Part
from datagen.recipe import Recipe
from datagen.settings.learn import Learn
from datagen.settings.serve import Serve
from datagen.settings.train import Train
from datagen.web.app import make_app
from datagen.web.service import make_service

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob(".github/*.md"))]
PAGES += [ROOT / "grammars" / "README.md", ROOT / "renderers" / "README.md"]
LARGEST = 300_000  # bytes of a picture


def page(name: str) -> str:
    return (DOCS / name).read_text()


def title_of(path) -> str:
    return path.relative_to(ROOT).as_posix()


def commands(text: str) -> list[list[str]]:
    """The words of every `datagen ...` that a page tells people to type."""
    lines = re.findall(r"^datagen .*$", text, re.M) + re.findall(r"`(datagen [^`\n]*)`", text)
    return [shlex.split(line, comments=True)[1:] for line in lines]


def rows(text: str, heading: str) -> list[list[str]]:
    """Cells of the first table under a heading, without its head."""
    part = text[text.index(f"\n## {heading}\n") :]
    table = re.search(r"^\|.*(?:\n\|.*)*", part, re.M)
    assert table, heading
    body = table[0].splitlines()[2:]
    # A bar in a cell is written \| in these pages.
    return [[c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in body]


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def defaults(model: BaseModel, prefix: str) -> dict[str, object]:
    """Dotted key -> default, for a settings model and those inside it."""
    found: dict[str, object] = {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        inner = f"{prefix}.{name}"
        found |= defaults(value, inner) if isinstance(value, BaseModel) else {inner: value}
    return found


def toml(text: str) -> object:
    return None if text == "none" else tomllib.loads(f"value = {text}")["value"]


# ---------------------------------------------------------------------------------- commands


@pytest.mark.parametrize("path", PAGES, ids=title_of)
def test_every_command_on_a_page_exists_with_its_options(path, cli):
    for words in commands(path.read_text()):
        if words[0] == "--server":
            words = words[2:]
            if not words or words[0].isupper():  # any verb
                continue
        if words[0].startswith("-"):
            verb, known = "", cli("--help").out
        else:
            verb = words[0]
            assert verb in VERBS, words
            known = help_of(cli, words) + "--debug --quiet"
        for word in words:
            if re.match(r"--?[a-z]", word):
                assert re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", known), (verb, word)


def help_of(cli, words) -> str:
    """Of a command, or of the one inside it, as `jobs list` and `submit generate`."""
    inner = words[:2] if words[0] in ("jobs", "submit") and words[1].islower() else words[:1]
    return cli(*inner, "--help").out


def test_the_pages_name_every_command():
    named = {words[0] for path in PAGES for words in commands(path.read_text())}
    text = "".join(path.read_text() for path in PAGES)
    named |= {verb for verb in VERBS if f"make {verb}" in text}
    assert set(VERBS) <= named


def test_every_make_target_on_a_page_is_one():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    for path in PAGES:
        named = re.findall(r"(?:^|`)make ([a-z]+)(?= |`|$)", path.read_text(), re.M)
        assert set(named) <= targets, path


# ---------------------------------------------------------------------------------- settings


def test_learning_md_has_every_setting_with_its_default():
    told = {
        code(key)[0]: toml(code(value)[0])
        for name in ("learning.md", "appearance.md", "objects.md", "clips.md")
        for key, value, _ in rows(page(name), "Settings")
    }
    real = {
        k: list(v) if isinstance(v, tuple) else v for k, v in defaults(Learn(), "learn").items()
    }
    assert told == real


def test_learning_md_names_the_files_and_readings_that_the_code_writes():
    rooms = [ROOT / "datagen" / room for room in ("learning", "report", "models")]
    source = "".join(path.read_text() for room in rooms for path in room.rglob("*.py"))
    for names, _ in rows(page("learning.md"), "The run folder"):
        for name in code(names):
            stem = name.removesuffix(".png").rstrip("/")  # sheets are named by their sample
            assert f'"{stem}"' in source, name
    readings = re.findall(
        r"^\| (?:pretrain|features|reinforce|layout|gate|appearance|relate|gnm) \| ([^|]*)",
        page("learning.md") + page("appearance.md") + page("objects.md"),
        re.M,
    )
    named = {name for cell in readings for name in code(cell)}
    assert len(named) >= 8
    for name in named:  # a string, or the field of a tuple of terms
        assert f'"{name}"' in source or f"    {name}: Tensor" in source, name


def test_recipes_md_has_every_key_with_its_default():
    table = rows(page("recipes.md"), "Keys")
    assert [code(key)[0] for key, _, _ in table] == list(Recipe.model_fields)
    for key, value, _ in table[1:]:
        field = Recipe.model_fields[code(key)[0]]
        default = field.get_default(call_default_factory=True)
        told = toml(code(value)[0])
        if isinstance(default, Learn | Train):
            assert type(default).model_validate(told) == default
        elif isinstance(default, Part):
            assert Part.model_validate(told) == default
        elif default and isinstance(default, tuple):
            assert tuple(map(Part.model_validate, told)) == default
        else:
            assert told == (list(default) if isinstance(default, tuple) else default), key
    assert Recipe.model_fields["grammar"].is_required()


def test_the_recipe_of_recipes_md_is_read(tmp_path):
    text = re.search(r"```toml\n(.*?)```", page("recipes.md"), re.S)[1]
    (tmp_path / "r.toml").write_text(text.partition("[assets]")[0])
    assert datagen.load_recipe(tmp_path / "r.toml").renderers[0].options == {"noise": 2.0}
    assert set(tomllib.loads(text)) <= set(Recipe.model_fields)


# ---------------------------------------------------------------------------------- jobs


def test_jobs_md_has_every_state_and_every_option_of_a_worker(cli):
    states = [code(state)[0] for state, *_ in rows(page("jobs.md"), "How a job stands")]
    assert states == [str(state) for state in State]
    told = {code(option)[0] for option, *_ in rows(page("jobs.md"), "On several machines")}
    known = set(re.findall(r"--[a-z-]+", cli("worker", "--help").out))
    assert known - told == {"--help"}


def test_jobs_md_names_the_figures_that_a_worker_gives():
    rooms = [ROOT / "datagen" / "jobs" / f"{name}.py" for name in ("metrics", "gauges")]
    source = "".join(path.read_text() for path in rooms)
    given = set(re.findall(r'(?:plain|labelled)\(\s*"([a-z_]+)"', source))
    table = rows(page("jobs.md"), "Figures for Prometheus")
    told = {name.partition("{")[0] for cell, _ in table for name in code(cell)}
    assert told == {f"datagen_{name}" for name in given}


# ---------------------------------------------------------------------------------- the service


def tables(text: str, heading: str) -> dict[str, str]:
    """First cell -> second one, in every table under a heading."""
    part = text[text.index(f"\n## {heading}\n") + 1 :]
    part = part[: part.index("\n## ", 1)]
    lines = re.findall(r"^\| `.*", part, re.M)
    cells = [re.split(r"(?<!\\)\|", line)[1:3] for line in lines]
    return {code(key)[0]: value.strip() for key, value in cells}


def test_service_md_has_every_option_and_every_key_with_its_default(cli):
    told = tables(page("service.md"), "Options and configuration")
    options = {key.split()[0] for key in told if key.startswith("--")}
    assert options == set(re.findall(r"--[a-z-]+", cli("serve", "--help").out)) - {"--help"}
    real = {
        key.removeprefix("serve."): list(value) if isinstance(value, tuple) else value
        for key, value in defaults(Serve(), "serve").items()
    }
    keys = {key: value for key, value in told.items() if not key.startswith("--")}
    assert {key: toml((code(value) or [value])[0]) for key, value in keys.items()} == real


def test_service_md_names_every_address(tmp_path):
    app = make_app(make_service(Serve(home=str(tmp_path), workers=0), None))
    real = {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, methods in app.openapi()["paths"].items()
        for method in methods
        if path.startswith("/api/v1")
    }
    text = page("service.md")
    part = text[text.index("## Addresses") : text.index("## Who can do what")]
    told = set(re.findall(r"`((?:GET|POST|PUT|DELETE) /[^`]*)`", part))
    alike = {re.sub("/(detectors|evaluations)", "/runs", address) for address in real}
    assert told == alike


def test_service_md_names_the_figures_of_a_server():
    source = (ROOT / "datagen" / "web" / "traffic.py").read_text()
    given = set(re.findall(r'"(datagen_[a-z_]+)"', source))
    table = rows(page("service.md"), "Watching")
    assert {name.partition("{")[0] for cell, _ in table for name in code(cell)} == given


# ---------------------------------------------------------------------------------- datasets


def test_datasets_md_defines_every_field_of_an_annotation():
    told = {
        name for cell, *_ in rows(page("datasets.md"), "annotations.json") for name in code(cell)
    }
    assert told == {"id", "image_id", "iscrowd"} | {field.name for field in fields(Annotation)}


def test_datasets_md_names_every_file_of_a_dataset(cli, tmp_path):
    made = boxes.write_recipe(tmp_path / "r", tuple(pictures.ENDINGS), "count = 2")
    done = cli("generate", made, "--out", tmp_path / "d")
    assert done.code == 0, done.err
    text = page("datasets.md")
    for path in (tmp_path / "d").iterdir():
        if path.name != ".lock":
            assert f"`{path.name}" in text, path.name
    endings = {path.name.partition(".")[2] for path in (tmp_path / "d").glob("shards/*/0*")}
    assert endings == {"png", *pictures.ENDINGS.values()}
    for ending in endings:
        assert f"00000007.{ending}`" in text, ending
    told = {path.name for path in (tmp_path / "d").glob("shards/*/*") if path.name[0] != "0"}
    for name in told:
        assert f"`{name}`" in text, name


def test_datasets_md_defines_every_number_of_a_camera_and_of_a_box_in_space():
    table = rows(page("datasets.md"), "Cameras and boxes in space")
    told = {name for cell, *_ in table for name in code(cell)}
    box, camera = Box3D((0, 0, 1), (1, 1, 1), 0.0), boxes.camera(96, 48)
    assert told == {*box.to_json(), *camera.to_json()}


def test_datasets_md_says_what_cityscapes_and_kitti_call_our_things():
    text = page("datasets.md")
    for name, kind in TYPES.items():
        assert f"{name} -> {kind}" in text, name
    for name in ("pavement", "tree", "grass", "pedestrian", "cyclist", "van", "sign"):
        assert f"`{name}`" in text[text.index("### Cityscapes") :], name


def test_datasets_md_has_every_export_format_and_option(cli):
    table = rows(page("datasets.md"), "Export")
    assert [code(cell)[0] for cell, *_ in table] == list(FORMATS)
    told = {
        option.split()[0] for option in re.findall(r"^\| `(--[^`]+)`", page("datasets.md"), re.M)
    }
    known = set(re.findall(r"--[a-z-]+", cli("export", "--help").out))
    assert known - told == {"--format", "--out", "--json", "--help"}


# ---------------------------------------------------------------------------------- measures


def test_comparing_md_names_every_measure_with_its_arguments():
    told = [
        code(cell)[0]
        for cell, *_ in rows(page("comparing.md"), "Measures of layouts and renderers")
    ]
    for call in (ast.parse(text, mode="eval").body for text in told):
        assert isinstance(call, ast.Call)
        module, name = ast.unparse(call.func).split(".")
        known = inspect.signature(getattr(import_module(f"datagen.metrics.{module}"), name))
        needed = [n for n, p in known.parameters.items() if p.default is inspect.Parameter.empty]
        assert [ast.unparse(one) for one in call.args] == needed, name
    rooms = {path.stem for path in (ROOT / "datagen" / "metrics").glob("[!_]*.py")}
    assert {text.partition(".")[0] for text in told} == rooms - {"pairs"}


# ---------------------------------------------------------------------------------- examples


def python_blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)


def test_the_python_example_of_the_readme_works_as_it_stands(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(python_blocks()[0], "README.md", "exec"), {})
    assert "car" in capsys.readouterr().out
    assert (tmp_path / "data-yolo" / "data.yaml").is_file()


def test_every_call_in_the_readme_fits_its_function():
    calls = [
        node
        for block in python_blocks()
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("datagen.")
    ]
    assert len(calls) >= 7
    for call in calls:
        name = ast.unparse(call.func).removeprefix("datagen.")
        assert name in datagen.__all__
        named = {word.arg: None for word in call.keywords if word.arg}
        inspect.signature(getattr(datagen, name)).bind(*call.args, **named)


# ------------------------------------------------------------------------ links and pictures


def links(path) -> list[str]:
    found = re.findall(r"\]\(([^)#\s]+)\)", path.read_text())
    return [link for link in found if not link.startswith("http")]


@pytest.mark.parametrize("path", PAGES, ids=title_of)
def test_every_link_leads_somewhere(path):
    for link in links(path):
        assert (path.parent / link).exists(), link


def test_every_page_and_picture_of_docs_is_linked_and_light():
    linked = {(path.parent / link).resolve() for path in PAGES for link in links(path)}
    for path in DOCS.iterdir():
        assert path.resolve() in linked, path.name
        if path.suffix in (".png", ".jpg"):
            assert path.stat().st_size <= LARGEST, path.name


def test_the_readme_shows_what_its_grammar_makes(cli, tmp_path):
    text = (ROOT / "README.md").read_text()
    for name, begin in (("crossing.scene", "world crossing"), ("crossing.toml", "grammar = ")):
        (tmp_path / name).write_text(text[text.index(begin) :].partition("```")[0])
    done = cli("preview", tmp_path / "crossing.toml", "-n", 4, "-o", tmp_path / "p.png")
    assert done.code == 0, done.err
    made, shown = cv2.imread(str(tmp_path / "p.png")), cv2.imread(str(DOCS / "crossing.png"))
    again = "make it again: python tests/benchmarks/readme_pictures.py"
    assert made.shape == shown.shape, again
    # Other versions of OpenCV and Pillow may round a pixel otherwise.
    assert np.abs(made.astype(int) - shown).mean() < 2, again
