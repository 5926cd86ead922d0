"""`datagen --server URL ...`: the same words as here, and one line for what is done here only."""

import json
import re

import pytest
from servers import SECRET, server

from datagen.client import Client, wire
from datagen.jobs.ledger import State

WORLD = """world small
canvas 48 x 32
start Scene
Scene -> ground car * uniform_int(1, 3)
ground { draw: ground }
car { draw: car  category: "car"  x: uniform(0, 1) width  y: uniform(0, 1) height }
"""


@pytest.fixture(scope="module")
def serving(tmp_path_factory):
    home = tmp_path_factory.mktemp("served") / "home"
    with server(home, "--workers", "1", DATAGEN_TOKEN=SECRET) as one:
        yield one


@pytest.fixture(autouse=True)
def known(serving, monkeypatch):
    monkeypatch.setenv("DATAGEN_TOKEN", SECRET)
    monkeypatch.delenv("DATAGEN_SERVER", raising=False)
    monkeypatch.setattr(wire, "_FIRST", 0.01)


@pytest.fixture
def at(serving, cli):
    """A command with --server."""
    return lambda *words: cli("--server", serving.url, *words)


@pytest.fixture(scope="module")
def town(serving):
    """A dataset of six images there."""
    from datagen.web import types

    order = types.Generate(world=types.WorldOf(recipe="colored_shapes"), count=6, name="town")
    with Client(serving.url, SECRET) as asks:
        *_, last = asks.follow(asks.submit(order).id)
    assert last.state is State.DONE
    return last


def submitted(done) -> str:
    assert done.code == 0, done.err
    (name,) = re.findall(r"\A(\w{12})\n\Z", done.out)
    return name


def recipe_of(serving, name: str) -> dict:
    arguments = json.loads((serving.home / "jobs" / name / "job.json").read_text())["arguments"]
    return arguments["recipe"]


def test_a_job_is_submitted_and_its_id_is_printed(at, serving):
    name = submitted(at("submit", "generate", "colored_shapes", "--count", 3, "--seed", 5))
    recipe = recipe_of(serving, name)
    assert (recipe["count"], recipe["seed"]) == (3, 5)
    done = at("jobs", "show", name[:8], "--follow")
    assert (done.code, done.out) == (0, f"datasets/{name}\n")
    assert "3 images (3 made now" in done.err
    assert f"datagen --server {serving.url} fetch {name} --out {name}" in done.err


def test_what_is_not_submitted_is_waited_for(at):
    done = at("generate", "colored_shapes", "--count", 2, "--out", "waited", "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert (result["count"], result["out"]) == (2, "datasets/waited")
    assert "carried out by process" in done.err


def test_files_of_this_machine_are_sent_as_text(at, serving, tmp_path):
    (tmp_path / "small world.scene").write_text(WORLD)
    name = submitted(at("submit", "generate", tmp_path / "small world.scene", "--count", 2))
    assert recipe_of(serving, name)["grammar"]["text"] == WORLD
    toml = tmp_path / "small.toml"
    toml.write_text('count = 4 # few\ngrammar = "small world.scene"  # mine\n[learn]\nseed = 3\n')
    name = submitted(at("submit", "generate", toml, "--set", "seed=9"))
    recipe = recipe_of(serving, name)
    assert (recipe["count"], recipe["seed"], recipe["learn"]["seed"]) == (4, 9, 3)
    assert recipe["grammar"]["text"] == WORLD
    toml.write_text('grammar = "colored_shapes"\ncount = 4')
    assert recipe_of(serving, submitted(at("submit", "generate", toml)))["count"] == 4


def test_a_mistake_in_a_file_is_shown_with_its_place(at, tmp_path):
    (tmp_path / "g.scene").write_text("world x\ncanvas 3 x\n")
    (tmp_path / "g.toml").write_text('grammar = "g.scene"\n')
    for source in ("g.scene", "g.toml"):
        at("generate", tmp_path / source).refused(2, ":2:10: a number is missing", "\n    canvas")
    at("generate", tmp_path / "no.toml").refused(2, "cannot read", "no.toml")


def test_jobs_of_a_server_are_shown_as_those_of_a_folder(at, cli, town, serving):
    listed = at("jobs", "list")
    assert re.search(
        rf"^{town.id}  generate  done +6/6  [-\d: ]+  datasets/town$", listed.out, re.M
    )
    here = cli("jobs", "list", "--jobs", serving.home / "jobs").out
    ids = [line.split()[0] for line in here.splitlines()]
    assert [line.split()[0] for line in listed.out.splitlines()] == ids
    found = {one["id"]: one for one in json.loads(at("jobs", "list", "--json").out)}
    assert found[town.id]["out"] == "datasets/town"
    shown = at("jobs", "show", town.id[:7]).out
    assert f"job       {town.id}" in shown
    assert "state     done since" in shown
    about = json.loads(at("jobs", "show", town.id, "--json").out)
    assert (about["state"], about["result"]["count"], about["by"]) == ("done", 6, "environment")
    local = json.loads(cli("jobs", "show", town.id, "--jobs", serving.home / "jobs", "--json").out)
    assert {"result", "progress", "error", "exit_code"} <= about.keys() & local.keys()
    assert "carried out by" in at("jobs", "logs", town.id, "--follow").out
    assert json.loads(at("jobs", "logs", town.id, "--json").out)["id"] == town.id


def test_a_job_is_stopped_let_go_on_and_forgotten(at, serving):
    words = ["submit", "generate", "colored_shapes", "--count", 5000, "--shard-size", 5]
    name = submitted(at(*words, "--out", "long"))
    again = f"datagen --server {serving.url} jobs"
    at("jobs", "remove", name).refused(2, "stop it first", f"{again} cancel {name}")
    done = at("jobs", "cancel", name)
    assert (done.code, done.out) == (0, f"{name}\n")
    assert f"stops; it can go on: {again} retry {name}" in done.err
    at("jobs", "show", name, "--follow").refused(1, "cancelled", f"{again} retry {name}")
    assert "is cancelled already" in at("jobs", "cancel", name).err
    assert f"goes on; follow it: {again} show {name} --follow" in at("jobs", "retry", name).err
    at("jobs", "cancel", name)
    at("jobs", "show", name, "--follow").refused(1, "cancelled")
    assert at("jobs", "remove", name).out == f"{name}\n"
    at("jobs", "show", name).refused(2, f"there is no job `{name}`")
    assert at("jobs", "remove", "--ended-before", 1).out == "no job to remove\n"


def test_a_dataset_is_brought(at, cli, town, tmp_path, monkeypatch, serving):
    done = at("fetch", "town", "--out", tmp_path / "d")
    assert (done.code, done.out) == (0, f"{tmp_path / 'd'}\n"), done.err
    assert cli("verify", tmp_path / "d").code == 0
    at("fetch", "town", "--out", tmp_path / "d").refused(2, "not empty")
    at("fetch", "nowhere", "--out", tmp_path / "e").refused(2, "no dataset `nowhere`")
    at("fetch", "town", "--out", tmp_path / "e", "--resume").refused(2, "--resume")
    assert not (tmp_path / "e").exists()
    monkeypatch.setenv("DATAGEN_SERVER", serving.url)
    assert cli("fetch", "datasets/town", "--out", tmp_path / "e", "--json").code == 0


def test_an_export_is_ordered_by_the_options_of_the_command(at, serving, town, tmp_path):
    words = ["--format", "coco", "--min-pixels", 4, "--merge", "circle=square"]
    name = submitted(
        at(
            "submit",
            "export",
            "datasets/town",
            *words,
            "--split",
            "train=0.5,val=0.5",
            "--out",
            "c",
        )
    )
    arguments = json.loads((serving.home / "jobs" / name / "job.json").read_text())["arguments"]
    assert arguments["merge"] == {"circle": "square"}
    assert arguments["splits"] == {"train": 0.5, "val": 0.5}
    assert (arguments["min_pixels"], arguments["format"]) == (4, "coco")
    done = at("jobs", "show", name, "--follow")
    assert done.out == "exports/c\n"
    assert "left out" in done.err
    assert "fetch exports/c --out c" in done.err
    assert at("list", "exports").out == "c\n"
    assert at("fetch", "exports/c", "--out", tmp_path / "c").out == f"{tmp_path / 'c'}\n"
    exported = serving.home / "exports" / "c" / "export.json"
    assert (tmp_path / "c" / "export.json").read_bytes() == exported.read_bytes()


def test_other_verbs_are_ordered_with_names_of_the_server(at):
    at("submit", "learn", "aerial", "--target", "oslo").refused(2, "there is no target `oslo`")
    words = ["submit", "learn", "aerial", "--target", "photos/oslo"]
    at(*words).refused(2, "--target photos/oslo", "is a name there")
    at("submit", "train", "nowhere").refused(2, "no dataset `nowhere`")
    words = ["submit", "evaluate", "runs-of-mine", "town", "--kitti-official"]
    at(*words).refused(2, "no detector `runs-of-mine`")


def test_the_server_of_the_environment_is_for_what_is_queued(cli, serving, monkeypatch, tmp_path):
    monkeypatch.setenv("DATAGEN_SERVER", serving.url)
    name = submitted(cli("submit", "generate", "colored_shapes", "--count", 1))
    assert name in cli("jobs", "list").out
    monkeypatch.setenv("DATAGEN_JOBS", str(tmp_path / "jobs"))
    assert "no jobs in" in cli("jobs", "list", "--jobs", tmp_path / "jobs").out
    done = cli("generate", "colored_shapes", "--count", 1, "--out", tmp_path / "d")
    assert done.out == f"{tmp_path / 'd'}\n", "what is not queued is done here"
    words = ["colored_shapes", "--out", tmp_path / "e", "--jobs", tmp_path / "jobs"]
    submitted(cli("submit", "generate", *words))
    assert (tmp_path / "e" / "recipe.json").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["check", "aerial"], ["`check` is done here", "submit"]),
        (["worker"], ["`worker` is done here"]),
        (["submit", "verify", "d"], ["cannot be queued"]),
        (["generate", "aerial", "--workers", 2], ["--workers", "done here"]),
        (["submit", "generate", "aerial", "--jobs", "x"], ["--jobs", "done here"]),
        (["generate", "aerial", "--resume"], ["--resume"]),
        (["generate", "aerial", "--assets", "models"], ["--assets"]),
        (["generate", "aerial", "--out", "s3://bucket/x"], ["--out", "is a name there"]),
        (["generate", "aerial", "--out", "out/Data"], ["--out out/Data", "a-z, 0-9 and -"]),
        (["generate", "aerial", "--count", 0], ["`count`", "1"]),
        (["generate", "./aerial"], [".toml or .scene", "runs/NAME"]),
        (["generate", "no-such"], ["no recipe `no-such`"]),
        (["generate", "runs/no-such"], ["no run `no-such`"]),
        (["generate", "aerial", "--set", "grammar=/etc/passwd"], ["grammar"]),
        (["export", "town"], ["--format"]),
        (["export", "town", "--format", "kitty"], ["unknown format `kitty`", "yolo"]),
        (["jobs", "list", "--jobs", "x"], ["--jobs", "--server"]),
        (["jobs", "show", "zzz"], ["no job `zzz` at http"]),
    ],
)
def test_what_cannot_be_done_there_is_told_in_one_line(at, words, said):
    done = at(*words)
    done.refused(2, *said)
    assert len(done.err.strip().splitlines()) <= 2, done.err


def test_help_shows_what_a_server_takes(at):
    text = at("generate", "--help").out
    assert "--count" in text
    assert "--workers" not in text
    assert "--out NAME" in text


def test_an_address_without_a_server_or_without_a_token_is_told(at, cli, monkeypatch):
    cli("--server", "box", "jobs", "list").refused(2, "http://HOST:PORT")
    cli("jobs", "list", "--server").refused(2, "--server")
    monkeypatch.delenv("DATAGEN_TOKEN")
    at("jobs", "list").refused(2, "a token is needed", "DATAGEN_TOKEN")
