"""The command line itself: finding verbs, codes, streams; and each verb once, from outside."""

import errno
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT, SMALL_WORLD
from PIL import Image

from datagen import __version__, load_recipe
from datagen import cli as command_line
from datagen.cli import VERBS, explain
from datagen.cli.cite import ALWAYS, KEYS, keys_of
from datagen.cli.screen import Screen
from datagen.errors import VerifyError
from datagen.parts import Part, Source

ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "dumb"}


def process(*args, **options):
    """Run a command in a process of its own."""
    command = [sys.executable, "-m", "datagen", *map(str, args)]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, **options)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Four small images with labels; read-only for the tests."""
    folder = tmp_path_factory.mktemp("dataset")
    (folder / "small.scene").write_text("\n".join(s.strip() for s in SMALL_WORLD.splitlines()))
    (folder / "small.toml").write_text('grammar = "small.scene"\ncount = 4\nshard_size = 2\n')
    made = ["--quiet", "generate", str(folder / "small.toml"), "--out", str(folder / "d")]
    assert command_line.main(made) == 0
    return folder / "d"


# --------------------------------------------------------------------------- finding the verb


def test_help_lists_every_verb_with_one_line(cli):
    done = cli("--help")
    assert done.code == 0
    lines = [line.split() for line in done.out.splitlines()]
    for verb, summary in VERBS.items():
        assert [verb, *summary.split()] in lines


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_its_own_help(cli, verb):
    done = cli(verb, "--help")
    assert done.code == 0, done.err
    assert VERBS[verb] in " ".join(done.out.split())
    told = re.split("Arguments:|Options:", done.out)[0].splitlines()
    assert not [line for line in told if line.startswith("   ")], "code's indents are no text's"


def test_help_is_fast_and_loads_nothing_heavy():
    code = (
        "import sys; from datagen.cli import main; main(['--help']);"
        "print([m for m in ('torch', 'cv2', 'numpy', 'celery', 'OpenGL', 'matplotlib', 'pydantic')"
        " if m in sys.modules], file=sys.stderr)"
    )
    times = []
    for _ in range(3):
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True
        )
        times.append(time.perf_counter() - start)
        assert done.stderr.strip() == "[]"
    assert min(times) < 0.5


@pytest.mark.parametrize("module", ["datagen", "datagen.recipe", "datagen.language"])
def test_importing_the_front_rooms_loads_no_heavy_library(module):
    code = (
        f"import sys, {module}; print([m for m in"
        "('torch', 'cv2', 'celery', 'OpenGL', 'matplotlib', 'pyrender') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_version_is_the_packages(cli):
    assert cli("--version").out == f"datagen {__version__}\n"


def test_without_a_verb_the_help_is_shown_and_it_is_an_error(cli):
    done = cli()
    assert done.code == 2
    assert done.err.startswith("Usage:")


def test_a_misspelt_verb_is_a_usage_error_that_names_the_nearest(cli):
    cli("generat").refused(2, "generate")


def test_an_unknown_option_is_a_usage_error(cli):
    cli("list", "--colour").refused(2, "--colour", "datagen list --help")


def test_a_missing_argument_is_a_usage_error(cli):
    cli("generate", "--out", "x").refused(2, "RECIPE")


def test_global_flags_work_after_the_verb_too(cli, write_recipe, tmp_path):
    done = cli("generate", write_recipe(), "--out", tmp_path / "o", "--quiet")
    assert done.code == 0
    assert done.err == ""


# ------------------------------------------------------------------------------ errors and codes


@pytest.mark.parametrize(
    ("error", "code", "word"),
    [
        (VerifyError("broken"), 3, "broken"),
        (MemoryError(), 1, "memory"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "--resume"),
        (PermissionError(errno.EACCES, "Permission denied", "/some/file"), 2, "/some/file"),
        (ModuleNotFoundError("No module named 'tensorboard'", name="tensorboard"), 5, "doctor"),
        (ModuleNotFoundError("No module named 'datagen.x'", name="datagen.x"), 1, "report"),
        (ZeroDivisionError("division by zero"), 1, "please report"),
    ],
)
def test_every_kind_of_failure_has_its_code_and_one_line(error, code, word):
    found, message = explain(error)
    assert found == code
    assert word in message
    assert message.startswith("error: ")
    assert "\n" not in message


def test_a_traceback_is_shown_with_debug_only(cli):
    cli("generate", "nowhere.toml", "--out", "x").refused(2, "nowhere.toml")
    with pytest.raises(Exception, match=r"nowhere\.toml"):
        cli("generate", "nowhere.toml", "--out", "x", "--debug")


def test_a_closed_pipe_ends_the_command_quietly():
    command = f"{shlex.quote(sys.executable)} -m datagen list --json | true"
    done = subprocess.run(["bash", "-c", command], env=ENVIRONMENT, capture_output=True, text=True)
    assert done.stderr == ""


def test_an_interrupt_ends_with_130_and_the_run_can_go_on(cli, write_recipe, tmp_path):
    recipe = write_recipe(recipe="count = 100000\nshard_size = 4\n")
    command = [sys.executable, "-m", "datagen", "generate", str(recipe), "--out", "o"]
    run = subprocess.Popen(
        command, cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 30
    while not list(tmp_path.glob("o/shards/*/shard.json")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    _, text = run.communicate(timeout=30)
    assert run.returncode == 130, text
    assert "Traceback" not in text
    assert not (tmp_path / "o" / "_COMPLETE").exists()


# -------------------------------------------------------------------------- what a person sees


def test_results_go_to_stdout_and_everything_else_to_stderr(write_recipe, tmp_path):
    done = process("generate", write_recipe(), "--out", tmp_path / "o", "--json")
    assert done.returncode == 0, done.stderr
    assert isinstance(json.loads(done.stdout), dict)
    assert "\x1b" not in done.stdout + done.stderr, "no colours and no animation in a pipe"


def test_progress_without_a_terminal_is_a_line_now_and_then(capsys, monkeypatch):
    now = iter([0.0, 4.0, 11.0, 11.0, 12.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    with Screen().progress("images") as advance:
        advance(1, 9, "")
        advance(5, 9, "2 images/s")
        advance(6, 9, "")
    assert capsys.readouterr().err == "images 5/9 2 images/s\n"


def test_quiet_progress_says_nothing(capsys):
    with Screen(quiet=True).progress("images") as advance:
        advance(1, 2, "")
    assert capsys.readouterr().err == ""


# ------------------------------------------------------------------------------------- the verbs


def test_check_shows_rules_and_expected_things_of_a_grammar(cli, write_recipe):
    recipe = write_recipe()
    for source in (recipe, recipe.with_name("small.scene")):
        done = cli("check", source)
        assert done.code == 0, done.err
        assert "Scene -> ground car * uniform_int(1, 3)" in done.out
        assert "2.0" in done.out, "a uniform count of 1 to 3 cars"
    data = json.loads(cli("check", recipe, "--json").out)
    assert data["expected"]["car"] == pytest.approx(2.0)


def test_check_ends_with_2_when_the_lint_finds_an_error_and_0_for_a_warning(cli, tmp_path):
    path = tmp_path / "odd.scene"
    path.write_text(
        "world odd\ncanvas 32 x 32\nstart S\nS -> ground\nUnused -> ground\n"
        "ground { draw: ground }\n"
    )
    done = cli("check", path)
    assert done.code == 0
    assert "Unused" in done.err


def test_preview_draws_as_many_images_as_asked(cli, write_recipe, tmp_path):
    recipe = write_recipe()
    sizes = []
    for number in (1, 12):
        done = cli("preview", recipe, "-n", number, "-o", tmp_path / "sheet.png", "--json")
        assert done.code == 0, done.err
        assert json.loads(done.out)["images"] == number
        with Image.open(tmp_path / "sheet.png") as sheet:
            sizes.append(sheet.size[0] * sheet.size[1])
    assert sizes[1] > 4 * sizes[0]


def test_preview_without_labels_draws_other_pixels(cli, write_recipe, tmp_path):
    recipe = write_recipe()
    for name, flags in {"with.png": [], "bare.png": ["--no-boxes", "--no-masks"]}.items():
        assert cli("preview", recipe, "-n", 2, "-o", tmp_path / name, *flags).code == 0
    assert (tmp_path / "with.png").read_bytes() != (tmp_path / "bare.png").read_bytes()


def test_generate_takes_count_seed_and_set_from_the_command_line(cli, write_recipe, tmp_path):
    recipe = write_recipe()
    options = ["--count", 2, "--seed", 5, "--shard-size", 1, "--set", "image_format=jpg"]
    done = cli("generate", recipe, "--out", tmp_path / "o", *options)
    assert done.code == 0, done.err
    frozen = json.loads((tmp_path / "o" / "recipe.json").read_text())
    found = [frozen[key] for key in ("count", "seed", "shard_size", "image_format")]
    assert found == [2, 5, 1, "jpg"]
    assert len(list((tmp_path / "o").rglob("*.jpg"))) == 2


def test_verify_accepts_a_sound_dataset_and_counts_its_images(cli, dataset):
    done = cli("verify", dataset, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["images"] == 4


def test_verify_renders_a_share_of_the_images_again(cli, dataset):
    done = cli("verify", dataset, "--rerender", 0.5)
    assert done.code == 0, done.err
    cli("verify", dataset, "--rerender", 50).refused(2, "share")


def test_verify_reads_a_coco_file_of_another_tool(cli, tmp_path):
    box = {"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0, "bbox": [1, 1, 4, 4]}
    box |= {"area": 16, "segmentation": [[1, 1, 5, 1, 5, 5, 1, 5]]}
    coco = {
        "images": [{"id": 1, "width": 8, "height": 8, "file_name": "a.png"}],
        "categories": [{"id": 1, "name": "thing"}],
        "annotations": [box],
    }
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps(coco))
    assert cli("verify", path).code == 0
    box["category_id"] = 7
    path.write_text(json.dumps(coco))
    cli("verify", path).refused(3, "category")


def test_verify_repair_and_resume_bring_a_broken_dataset_back(cli, dataset, tmp_path):
    import shutil

    copy = Path(shutil.copytree(dataset, tmp_path / "copy"))
    before = (copy / "annotations.json").read_bytes()
    sorted(copy.rglob("*.png"))[0].write_bytes(b"")
    assert cli("verify", copy, "--repair").code == 3
    assert cli("generate", copy, "--out", copy, "--resume").code == 0
    assert cli("verify", copy).code == 0
    assert (copy / "annotations.json").read_bytes() == before


@pytest.mark.parametrize("name", ["coco", "coco-polygons", "panoptic", "yolo"])
def test_export_writes_each_format_into_a_new_folder(cli, dataset, tmp_path, name):
    done = cli("export", dataset, "--format", name, "--out", tmp_path / "o")
    assert done.code == 0, done.err
    assert [p for p in (tmp_path / "o").rglob("*") if p.is_file()]
    cli("export", dataset, "--format", name, "--out", tmp_path / "o").refused(2, "empty folder")


def test_export_applies_its_policies(cli, dataset, tmp_path):
    options = ["--min-pixels", 1_000_000, "--merge", "car=vehicle", "--split", "train=0.5,val=0.5"]
    done = cli("export", dataset, "--format", "coco", "--out", tmp_path / "o", *options)
    assert done.code == 0, done.err
    files = [json.loads(path.read_text()) for path in (tmp_path / "o").rglob("*.json")]
    coco = [data for data in files if "annotations" in data]
    assert len(coco) == 2
    assert all(data["annotations"] == [] for data in coco)
    assert [c["name"] for c in coco[0]["categories"]] == ["vehicle"]


def test_an_unknown_format_is_refused_with_the_known_ones(cli, dataset, tmp_path):
    cli("export", dataset, "--format", "voc", "--out", tmp_path / "o").refused(2, "voc", "yolo")


def test_view_writes_a_page_that_needs_no_network(cli, dataset):
    done = cli("view", dataset)
    assert done.code == 0, done.err
    page = Path(done.out.strip())
    assert page.suffix == ".html"
    assert 'src="http' not in page.read_text()


def test_regen_makes_an_image_again_to_the_byte(cli, dataset, tmp_path):
    done = cli("regen", dataset, 3, "-o", tmp_path / "again.png")
    assert done.code == 0, done.err
    made = next(dataset.rglob("00000003.png"))
    assert (tmp_path / "again.png").read_bytes() == made.read_bytes()


def test_regen_and_verify_take_the_new_place_of_what_has_moved(cli, dataset, tmp_path):
    sets = ("--set", "assets.digits=x")
    cli("regen", dataset, 3, "-o", tmp_path / "a.png", *sets).refused(2, "no such asset")
    cli("verify", dataset, "--rerender", 1, *sets).refused(2, "no such asset")


def test_export_links_only_when_asked_to(cli, dataset, tmp_path):
    for name, options in (("copy", ()), ("link", ("--link",))):
        out = tmp_path / name
        assert cli("export", dataset, "--format", "coco", "--out", out, *options).code == 0
        image = next(out.rglob("00000000.png"))
        assert (image.stat().st_nlink > 1) == (name == "link")


def test_regen_refuses_an_index_that_the_dataset_does_not_have(cli, dataset, tmp_path):
    cli("regen", dataset, 4, "-o", tmp_path / "again.png").refused(2, "4")
    assert not (tmp_path / "again.png").exists()


def test_list_names_what_the_plug_in_folders_hold(cli):
    data = json.loads(cli("list", "--json").out)
    assert {p.stem for p in (ROOT / "grammars").glob("*.scene")} == set(data["grammars"])
    assert {p.stem for p in (ROOT / "configs").glob("*.toml")} == set(data["recipes"])
    assert "raster" in data["renderers"]
    assert "prior" in data["generators"]
    assert "squeezenet" in data["features"]
    assert cli("list", "renderers").out.split() == data["renderers"]


def test_list_refuses_a_kind_that_it_does_not_know(cli):
    cli("list", "grammar").refused(2, "grammars")


def test_cite_prints_bibtex_for_what_a_recipe_uses(cli, write_recipe):
    done = cli("cite", write_recipe())
    assert done.code == 0, done.err
    assert "@inproceedings{lin2014coco," in done.out
    assert "metasim2" not in done.out


def test_cite_names_the_features_that_a_world_was_learned_by(write_recipe):
    plain = load_recipe(write_recipe(recipe='[learn.features]\nuse = "mask_rcnn"\n'))
    assert "he2017maskrcnn" not in keys_of(plain)
    learned = Part(use="metasim2", weights=Source(source="model.safetensors"))
    keys = keys_of(plain.model_copy(update={"generator": learned}))
    assert {"devaranjan2020metasim2", "he2017maskrcnn", "lin2017fpn"} <= set(keys)


def test_every_reference_is_there_and_is_cited_by_something():
    cited = {key for keys in KEYS.values() for key in keys} | set(ALWAYS)
    text = (ROOT / "datagen" / "cli" / "references.bib").read_text()
    assert set(re.findall(r"^@\w+\{([^,]+),", text, re.M)) == cited
