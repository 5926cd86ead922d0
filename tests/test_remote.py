"""Datasets in an object store: the same bytes as in a folder, whoever dies or is first."""

import json
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import mkdtemp
from types import SimpleNamespace

import pytest
from brokers import Server, Worker
from faulty import ROOT, TESTS, write_recipe
from moto.core import set_initial_no_auth_action_count
from stores import BUCKET, Store, files

from datagen import pipeline, recipe, shards
from datagen.dataset import shelves
from datagen.dataset.shelves import StoreShelf, shelf_of
from datagen.dataset.sites import taken
from datagen.dataset.store import Shard, shard_folder
from datagen.decoding import decode
from datagen.errors import DatagenError, DiskFullError, InputError, StoreError
from datagen.frames import opened
from datagen.jobs.making import ShardJob, shard_payloads
from datagen.jobs.queue import Queue
from datagen.storage import objects
from datagen.storage.address import address, place_in, quoted
from datagen.storage.objects import Objects

COUNT, SIZE = 12, 3
SETTINGS = f"count = {COUNT}\nshard_size = {SIZE}\npasses = ['depth']"
JOB = "abcdefghij01"


@pytest.fixture(scope="module")
def server():
    one = Store()
    one.make(BUCKET)
    yield one
    one.stop()


@pytest.fixture(autouse=True)
def surroundings(server, monkeypatch, tmp_path):
    """Credentials as a user has them, a cache of our own, no faults."""
    settings = {
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "her-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(str(TESTS))
    yield
    server.fault, server.ignores_conditions, server.loses_answers = None, False, False


@pytest.fixture
def hasty(monkeypatch):
    """Nobody waits long for a store that is away."""
    monkeypatch.setattr(objects, "_PATIENCE", 0.5)
    monkeypatch.setattr(objects, "_FIRST", 0.5)
    monkeypatch.setattr(shelves, "_GIVING_WAY", 0.5)


@pytest.fixture
def prefix(request):
    """A place that no other test uses."""
    return f"tests/{re.sub('[^a-z0-9]+', '-', request.node.name)}"


@pytest.fixture
def url(prefix):
    return f"s3://{BUCKET}/{prefix}"


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write_recipe(tmp_path_factory.mktemp("recipe"), SETTINGS)


@pytest.fixture(scope="module")
def small(source):
    return recipe.load(source)


@pytest.fixture(scope="module")
def clean(small, tmp_path_factory):
    """Every file of the dataset in a folder."""
    out = tmp_path_factory.mktemp("clean") / "d"
    pipeline.generate(small, out)
    return files(out)


@pytest.fixture
def stocked(server, clean, prefix):
    """The store holds the finished dataset."""
    for name, content in clean.items():
        server.put(f"{prefix}/{name}", content)


def leftovers(tmp_path):
    return [p for p in (tmp_path / "cache").rglob("*") if p.is_file() and p.name != ".lock"]


def start(source, url, *args, **env):
    command = [sys.executable, "-m", "datagen", "generate", str(source), "--out", url, *args]
    path = os.pathsep.join([str(ROOT), str(TESTS), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": path, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def at_put(number, act):
    """A fault: something to do, once, when a picture is put for the n-th time."""
    seen = []

    def fault(method, key):
        if method == "PUT" and key.endswith(".png"):
            seen.append(key)
            if len(seen) == number:
                return act()
        return None

    return fault


# ---------------------------------------------------------------------------------------- writing


@pytest.mark.parametrize("workers", [1, 2])
def test_the_store_holds_the_bytes_that_a_folder_would(
    server, small, clean, url, prefix, tmp_path, workers
):
    report = pipeline.generate(small, url, workers=workers)
    assert server.objects(prefix) == clean
    assert report.to_json()["out"] == url
    assert report.rendered == COUNT
    assert leftovers(tmp_path) == []
    puts = [key for method, key in server.requests if method == "PUT" and prefix in key]
    assert puts[-1] == f"{prefix}/_COMPLETE"


def test_a_finished_dataset_is_left_alone(stocked, server, small, clean, url, prefix):
    del server.requests[:]
    report = pipeline.generate(small, url, resume=True)
    assert report.rendered == 0
    assert report.dataset_digest == json.loads(clean["manifest.json"])["dataset_digest"]
    written = [key for method, key in server.requests if method not in ("GET", "HEAD")]
    assert written == [f"{prefix}/recipe.json"]  # asked not to write over it, and it did not
    assert server.objects(prefix) == clean


def test_a_run_killed_while_it_uploads_goes_on(server, source, small, clean, url, prefix):
    process = start(source, url)
    server.fault = at_put(SIZE + 2, process.kill)
    process.communicate(timeout=60)
    server.fault = None
    left = server.objects(prefix)
    published = [name for name in left if name.endswith("shard.json")]
    assert published == ["shards/00000000-00000003/shard.json"]
    assert "shards/00000003-00000006/records.jsonl" in left
    assert "_COMPLETE" not in left
    report = pipeline.generate(small, url, resume=True)
    assert report.rendered == COUNT - SIZE  # what has no shard.json is not published
    assert server.objects(prefix) == clean


def test_worker_processes_killed_while_they_upload_cost_their_shard_only(
    server, small, clean, url, prefix, tmp_path
):
    def kill_all():
        for children in Path("/proc/self/task").glob("*/children"):
            for pid in children.read_text().split():
                if b"datagen.jobs.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(int(pid), signal.SIGKILL)

    server.fault = at_put(5, kill_all)
    pipeline.generate(small, url, workers=2)
    assert server.objects(prefix) == clean
    # Their private folders go when the next one is made.
    with shelf_of(address(url)) as shelf:
        assert [p.name for p in shelf.folder.parent.iterdir()] == [shelf.folder.name]


def test_a_store_that_stumbles_costs_time_only(server, small, clean, url, prefix):
    asked = []

    def stumble(method, key):
        asked.append(key)
        return 503 if len(asked) % 9 == 0 else None

    server.fault = stumble
    pipeline.generate(small, url)
    server.fault = None
    assert server.objects(prefix) == clean


def test_what_arrives_though_its_answer_is_lost_is_taken_for_our_own(
    server, small, clean, url, prefix
):
    server.loses_answers = True
    pipeline.generate(small, url)
    server.loses_answers = False
    assert server.objects(prefix) == clean, "and no record of an attempt that was different"


def test_a_store_that_goes_away_ends_the_run_and_resume_goes_on(
    server, cli, source, clean, url, prefix, hasty
):
    server.fault = at_put(SIZE + 1, lambda: setattr(server, "fault", lambda method, key: 503))
    ended = cli("generate", source, "--out", url)
    ended.refused(1, "cannot be reached, or fails", "--resume", url)
    server.fault = None
    server.stop()
    try:
        cli("generate", source, "--out", url, "--resume").refused(1, "cannot be reached", url)
    finally:
        server.start()
    assert cli("generate", source, "--out", url, "--resume").code == 0
    assert server.objects(prefix) == clean


def test_two_machines_that_make_the_same_dataset_do_each_other_no_harm(
    server, source, clean, url, prefix, tmp_path
):
    both = [
        start(source, url, "--resume", "--json", XDG_CACHE_HOME=str(tmp_path / name))
        for name in ("one", "two")
    ]
    ends = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], ends
    assert server.objects(prefix) == clean


def test_a_run_that_begins_after_one_has_looked_is_helped(
    server, source, small, clean, url, prefix, tmp_path, monkeypatch
):
    def looks(self, folder=""):
        seen = below(self, folder)
        if not others:
            assert seen == ([], [])
            others.append(start(source, url, XDG_CACHE_HOME=str(tmp_path / "other")))
            _, said = others[0].communicate(timeout=60)
            assert others[0].returncode == 0, said
        return seen

    others, below = [], Objects.below
    monkeypatch.setattr(Objects, "below", looks)
    pipeline.generate(small, url, resume=True)
    assert server.objects(prefix) == clean


# ----------------------------------------------------------------------------------------- shards


SHARD = Shard(0, 2)
FACTS = {"start": 0, "stop": 2, "digests": ["a", "b"], "categories": {}, "empty": 0}
NAMES = ("00000000.png", "00000001.png")


def publish(at, folder, content):
    """One attempt at a shard with some content."""
    folder = Path(mkdtemp(dir=folder))
    (folder / "recipe.json").write_bytes(b"{}")
    shelf = StoreShelf(Objects(at), folder)
    shelf.objects.create("recipe.json", folder / "recipe.json")
    with shard_folder(folder, SHARD) as written:
        digests = [written.write(name, content + name.encode()) for name in NAMES]
        written.write("records.jsonl", json.dumps(digests).encode())
        written.write("scenes.jsonl", b"{}\n")
        shelf.publish(written, FACTS)


def content_of(objects, content):
    """Are all pictures those of an attempt?"""
    return all(objects[f"{SHARD.place}/{name}"] == content + name.encode() for name in NAMES)


def test_the_first_to_publish_stays_and_a_different_second_is_put_on_record(
    server, url, prefix, tmp_path
):
    publish(address(url), tmp_path, b"one")
    publish(address(url), tmp_path, b"one")
    before = server.objects(prefix)
    publish(address(url), tmp_path, b"other")
    recorded = server.objects(prefix)
    publish(address(url), tmp_path, b"and another")
    after = server.objects(prefix)
    assert after == recorded, "a manifest may name the record by its sha256"
    record = json.loads(after.pop("nondeterminism/00000000-00000002.json"))
    assert after == before
    assert record["published"]["files"] != record["dropped"]["files"]


def test_attempts_with_different_bytes_at_once_never_tear_a_shard(server, prefix, url, tmp_path):
    for k in range(3):
        contents = [b"one", b"two", b"three"]
        with ThreadPoolExecutor(3) as pool:
            at = address(f"{url}/{k}")
            list(pool.map(lambda content, at=at: publish(at, tmp_path, content), contents))
        there = server.objects(f"{prefix}/{k}")
        assert sum(content_of(there, content) for content in contents) == 1
        listed = json.loads(there[f"{SHARD.place}/shard.json"])["files"]
        assert {name: entry["size"] for name, entry in listed.items()} == {
            name: len(there[f"{SHARD.place}/{name}"]) for name in listed
        }
        assert "nondeterminism/00000000-00000002.json" in there


def test_what_a_dead_attempt_left_is_taken_over_or_never_mixed_with_other_bytes(
    server, url, prefix, tmp_path, hasty
):
    server.fault = at_put(2, lambda: setattr(server, "fault", lambda method, key: 503))
    with pytest.raises(StoreError, match="cannot be reached"):
        publish(address(url), tmp_path, b"one")
    server.fault = None
    left = server.objects(prefix)
    assert f"{SHARD.place}/records.jsonl" in left
    with pytest.raises(DatagenError, match="the same image came out differently"):
        publish(address(url), tmp_path, b"other")
    assert server.objects(prefix) == left
    publish(address(url), tmp_path, b"one")
    assert content_of(server.objects(prefix), b"one")


@pytest.mark.parametrize("when", ["while it is drawn", "while it is put"])
def test_a_shard_for_what_a_place_was_is_not_published_in_what_it_is_now(
    server, small, url, prefix, when
):
    at, before = address(url), small.model_copy(update={"seed": 7})

    def begin_anew(*_):
        server.fault = None
        for name in server.objects(prefix):
            server.delete(f"{prefix}/{name}")
        with taken(small, at, resume=False):
            pass

    with taken(before, at, resume=False):
        pass

    def at_scenes(method, key):
        if method == "PUT" and key.endswith("/scenes.jsonl"):
            begin_anew()

    if when == "while it is put":
        server.fault = at_scenes
    progress = begin_anew if when == "while it is drawn" else lambda done: None
    with shelf_of(at) as shelf, opened(before) as make_frame:
        shard = Shard(0, 1)
        with pytest.raises(DatagenError, match=f"{url} is another dataset by now"):
            shards.make_shard(before, make_frame, shelf, shard, 0, progress)
    assert json.loads(server.objects(prefix)["recipe.json"])["seed"] == small.seed
    assert not [name for name in server.objects(prefix) if name.endswith("shard.json")]


def test_a_shard_that_is_not_published_is_made_again_and_one_that_is_there_is_not(
    stocked, server, small, clean, url, prefix
):
    server.delete(f"{prefix}/shards/00000003-00000006/shard.json")
    report = pipeline.generate(small, url, resume=True)
    assert report.rendered == SIZE
    assert server.objects(prefix) == clean


def test_a_shard_that_cannot_be_made_is_told_and_all_others_are_published(
    server, cli, url, prefix, tmp_path
):
    bad = write_recipe(tmp_path / "r", SETTINGS, fault="kill", at=4)
    ended = cli("generate", bad, "--out", url, "--workers", 2)
    ended.refused(4, url, "1 of 4 shards", "one of images 3 to 5: its process died 3 times")
    (record,) = re.findall(r"/\S*/quarantine/\S*json", ended.err)
    assert json.loads(Path(record).read_text())["shard"] == "00000003-00000006"
    published = [name for name in server.objects(prefix) if name.endswith("shard.json")]
    assert len(published) == COUNT // SIZE - 1


def test_the_disk_needs_room_for_a_shard_and_not_for_the_dataset(small, url, tmp_path, monkeypatch):
    monkeypatch.setattr(shards.shutil, "disk_usage", lambda path: SimpleNamespace(free=1))
    with pytest.raises(DiskFullError):
        pipeline.generate(small, tmp_path / "d")
    assert pipeline.generate(small, url).rendered == COUNT


def test_a_finished_dataset_whose_asset_has_moved_stays_sound(cli, url, tmp_path):
    source = write_recipe(tmp_path / "r", "count = 2")
    scene = source.parent / "small.scene"
    scene.write_text(scene.read_text() + 'asset leaves: sprites "leaves.png"\n')
    (source.parent / "leaves.png").write_bytes(b"leaves")
    assert cli("generate", source, "--out", url).code == 0
    moved = (source.parent / "leaves.png").rename(tmp_path / "moved.png")
    again = ["generate", source, "--out", url, "--resume", "--set", f"assets.leaves={moved}"]
    assert json.loads(cli(*again, "--json").out)["rendered"] == 0
    assert cli("fetch", url, "--out", tmp_path / "d").code == 0
    assert cli("verify", tmp_path / "d", "--rerender", 1).code == 0


# --------------------------------------------------------------------------------------- refusals


def test_a_place_that_is_not_empty_is_refused_and_not_touched(server, cli, source, url, prefix):
    server.put(f"{prefix}/notes.txt", b"mine")
    for option in ([], ["--resume"]):
        cli("generate", source, "--out", url, *option).refused(2, "is not empty", url)
    assert server.objects(prefix) == {"notes.txt": b"mine"}


def test_a_place_that_was_emptied_can_be_begun_anew(server, small, source, cli, url, prefix):
    server.fault = at_put(SIZE + 1, lambda: setattr(server, "fault", lambda method, key: 403))
    cli("generate", source, "--out", url).refused(2, url)
    server.fault = at_put(1, lambda: setattr(server, "fault", lambda method, key: 403))
    cli("generate", source, "--out", url, "--resume").refused(2, url)
    server.fault = None
    for name in server.objects(prefix):
        server.delete(f"{prefix}/{name}")
    begun = cli("generate", source, "--out", url, "--seed", 5, "--json")
    assert begun.code == 0, begun.err
    assert json.loads(begun.out)["rendered"] == COUNT


def test_another_recipe_is_refused_and_its_own_is_named(server, cli, source, url, prefix):
    assert cli("generate", source, "--out", url, "--count", 2).code == 0
    before = server.objects(prefix)
    cli("generate", source, "--out", url).refused(2, "is not empty", "--resume", url)
    asked = cli("generate", source, "--out", url, "--resume")
    asked.refused(2, url, "was begun with another recipe", "count")
    assert server.objects(prefix) == before


def test_who_is_second_with_another_recipe_is_refused(server, small, source, url, prefix):
    theirs = small.model_copy(update={"seed": 7})
    first = f"{prefix}/recipe.json"

    def be_faster(method, key):
        if (method, key) == ("PUT", first):
            server.fault = None
            Objects(address(url)).create("recipe.json", path)
        return None

    path = source.parent / "theirs.json"
    path.write_text(json.dumps(theirs.encode()))
    server.fault = be_faster
    with pytest.raises(InputError, match=r"begun with another recipe.*seed"):
        pipeline.generate(small, url)
    assert set(server.objects(prefix)) == {"recipe.json"}


def test_who_is_second_with_other_software_is_refused(server, small, url, prefix):
    def be_faster(method, key):
        if (method, key) == ("PUT", f"{prefix}/versions.json"):
            server.fault = None
            server.put(key, b'{"datagen":"0.0.1"}')

    server.fault = be_faster
    with pytest.raises(InputError, match=rf"{url} was begun with other software: datagen 0.0.1"):
        pipeline.generate(small, url)
    assert server.objects(prefix)["versions.json"] == b'{"datagen":"0.0.1"}'
    assert set(server.objects(prefix)) == {"recipe.json", "versions.json"}


def test_two_runs_of_one_machine_are_told_of_each_other(server, small, url):
    def second(method, key):
        server.fault = None
        with pytest.raises(DatagenError, match=rf"{url}: another run \(pid {os.getpid()}\)"):
            pipeline.generate(small, url, resume=True)

    server.fault = at_put(1, lambda: second("", ""))
    pipeline.generate(small, url)
    assert server.fault is None


def test_a_missing_bucket_is_told_before_anything_is_made(cli, source):
    made = cli("generate", source, "--out", "s3://nobody/d")
    made.refused(2, "there is no bucket nobody")


def test_credentials_that_are_refused_or_absent_are_told(cli, source, url, monkeypatch):
    @set_initial_no_auth_action_count(0)
    def with_others():
        cli("generate", source, "--out", url).refused(2, url, "AWS_ACCESS_KEY_ID")

    with_others()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    cli("generate", source, "--out", url).refused(2, "locate credentials", "AWS_ACCESS_KEY_ID")


def test_a_store_that_writes_over_what_is_there_is_refused(server, cli, source, url, prefix):
    server.ignores_conditions = True
    cli("generate", source, "--out", url).refused(2, "If-None-Match", url)
    assert server.objects(prefix) == {}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("s3://me:hunter2@pictures/d", "leave user, password"),
        ("s3://me:hunter2/d", "leave user, password"),
        ("s3://pictures/d?secret=hunter2", "leave user, password"),
        ("s3:/pictures/d", "write s3://bucket/prefix"),
        ("s3://pictures", "name a place"),
        ("s3://pictures/a//b", "name a place"),
        ("s3://pictures/../b", "name a place"),
        ("s3://Pictures/d", "cannot be a bucket"),
        ("gs://pictures/d", "s3://"),
        ("https://me:hunter2@pictures/d", "https://...: datagen knows s3://bucket/prefix"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_and_tells_no_secret(cli, source, text, word):
    for outcome in (cli("generate", source, "--out", text), cli("fetch", text, "--out", "x")):
        outcome.refused(2, word)
        assert "hunter2" not in outcome.err


@pytest.mark.parametrize("text", ["pictures/d", "me:hunter2@pictures/d", "s3:/pictures/d"])
def test_what_is_no_url_cannot_be_fetched(cli, text):
    outcome = cli("fetch", text, "--out", "x")
    outcome.refused(2, "this is no URL", "s3://bucket/prefix")
    assert "hunter2" not in outcome.err


def test_without_s3fs_the_way_to_get_it_is_told(cli, source, url, monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    cli("generate", source, "--out", url).refused(5, "pip install 'datagen[s3]'")


@pytest.mark.parametrize(
    "words",
    [
        ["verify", "URL"],
        ["regen", "URL", 0],
        ["view", "URL"],
        ["export", "URL", "--format", "coco", "--out", "x"],
        ["evaluate", "run", "URL", "--out", "x"],
        ["compare", "URL", "photos"],
        ["generate", "URL", "--out", "x"],
        ["train", "x", "--out", "URL"],
        ["train", "x", "--out=URL"],
    ],
    ids=lambda words: " ".join(map(str, words)),
)
def test_other_verbs_say_that_they_need_a_folder(cli, url, words):
    cli(*(str(w).replace("URL", url) for w in words)).refused(2, f"datagen fetch {url} --out DIR")


def test_a_job_names_the_url_and_nothing_else(url):
    at = address(url)
    job = decode(ShardJob, shard_payloads(at, [Shard(0, 2)])[0], "job")
    assert job.place == at
    assert place_in(quoted(at)) == at
    for bad in ("s3://b/../x", "http://169.254.169.254/latest", "s3://a:b@bucket/x"):
        with pytest.raises(InputError):
            _ = job.model_copy(update={"out": bad}).place


def test_a_worker_with_other_software_is_refused(stocked, server, url, prefix):
    server.put(f"{prefix}/versions.json", b'{"datagen":"0.0.1"}')
    told = rf"{url} was begun with other software: datagen 0.0.1"
    with pytest.raises(InputError, match=told), shelf_of(address(url)):
        pass


# ------------------------------------------------------------------------------------------ queue


def test_workers_of_a_queue_need_the_jobs_folder_and_the_url(
    server, small, clean, url, prefix, tmp_path
):
    jobs = tmp_path / "jobs"
    (jobs / JOB).mkdir(parents=True)
    broker = Server(tmp_path)
    broker.start()
    worker = Worker(broker.url, jobs, tmp_path / "worker.log")
    try:
        told = []
        pipeline.generate(
            small,
            url,
            workers=lambda progress: Queue(broker.url, jobs, JOB, progress, told.append),
        )
    finally:
        worker.stop()
        broker.kill()
    assert server.objects(prefix) == clean
    assert told == []
    kept = "".join(p.read_text(errors="replace") for p in jobs.rglob("*") if p.is_file())
    assert "her-secret" not in kept + worker.log


# ------------------------------------------------------------------------------------------ fetch


def test_a_fetched_dataset_is_the_dataset_and_is_sound(stocked, cli, clean, url, tmp_path):
    fetched = cli("fetch", url, "--out", tmp_path / "d", "--json")
    assert json.loads(fetched.out)["fetched"] == len(clean) - 2  # manifest and marker vouch
    assert files(tmp_path / "d") == clean
    assert cli("verify", tmp_path / "d").code == 0


def test_a_fetch_goes_on_with_what_is_there(stocked, cli, clean, url, tmp_path):
    out = tmp_path / "d"
    assert cli("fetch", url, "--out", out).code == 0
    (out / "_COMPLETE").unlink()
    (out / "README.md").write_text("half")
    (out / "shards/00000000-00000003/00000001.png").unlink()
    cli("fetch", url, "--out", out).refused(2, "not empty", "--resume")
    again = cli("fetch", url, "--out", out, "--resume", "--json")
    assert json.loads(again.out)["fetched"] == 2
    assert files(out) == clean


def test_a_folder_of_something_else_is_not_fetched_into(stocked, cli, url, tmp_path):
    (tmp_path / "manifest.json").write_text("{}")
    cli("fetch", url, "--out", tmp_path, "--resume").refused(2, "holds no part of", url)
    assert (tmp_path / "manifest.json").read_text() == "{}"


def test_fetch_finds_a_spoilt_and_a_missing_object_and_its_advice_mends_them(
    stocked, server, cli, source, clean, url, prefix, tmp_path
):
    shard = "shards/00000003-00000006"
    name, out = f"{shard}/00000004.png", tmp_path / "d"
    server.put(f"{prefix}/{name}", b"spoilt")
    server.delete(f"{prefix}/scenes.jsonl")
    told = "2 of", "scenes.jsonl", "Remove _COMPLETE", "the whole shard", "--resume"
    cli("fetch", url, "--out", out).refused(3, *told)
    assert not (out / "_COMPLETE").exists()
    assert not (out / name).exists()
    for spoilt in ("_COMPLETE", *(name for name in clean if name.startswith(shard))):
        server.delete(f"{prefix}/{spoilt}")
    assert cli("generate", source, "--out", url, "--resume").code == 0
    assert server.objects(prefix) == clean
    assert cli("fetch", url, "--out", out, "--resume").code == 0
    assert files(out) == clean


def test_an_unfinished_dataset_is_not_fetched(stocked, server, cli, url, prefix, tmp_path):
    server.delete(f"{prefix}/_COMPLETE")
    cli("fetch", url, "--out", tmp_path / "d").refused(2, "no finished dataset", url)
    assert not (tmp_path / "d").exists()


def test_a_manifest_cannot_write_outside_of_the_folder(stocked, server, cli, url, prefix, tmp_path):
    from datagen.digest import of_bytes

    manifest = json.loads(server.objects(prefix)["manifest.json"])
    manifest["files"]["../evil"] = manifest["files"]["README.md"]
    text = json.dumps(manifest).encode()
    server.put(f"{prefix}/manifest.json", text)
    server.put(f"{prefix}/_COMPLETE", of_bytes(text).encode() + b"\n")
    cli("fetch", url, "--out", tmp_path / "d").refused(2, "lies outside of it")
    assert not (tmp_path / "evil").exists()
