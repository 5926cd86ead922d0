"""datagen.client: what is sent again and what is not, errors, following, downloads."""

import hashlib
import io
import json
import subprocess
import sys
import tarfile
import time
from threading import Thread

import pytest
from faulty import ROOT
from scripted import data, events, lost, page, problem, scripted
from servers import SECRET, digest_of, server

from datagen import pipeline
from datagen.client import Client, following, wire
from datagen.errors import (
    BusyError,
    DatagenError,
    DiskFullError,
    GrammarError,
    InputError,
    MissingError,
    ServerError,
    VerifyError,
)
from datagen.jobs.ledger import State
from datagen.web import types

ORDER = types.Generate(world=types.WorldOf(recipe="colored_shapes"), count=12, shard_size=4)
QUEUED = {
    "id": "a" * 12, "verb": "generate", "state": "queued", "since": 1.0, "created": 1.0,
    "makes": "datasets/x",
}  # fmt: skip
RUNNING = QUEUED | {"state": "running", "progress": {"done": 3, "total": 12}}
DONE = QUEUED | {"state": "done", "exit_code": 0, "result": {"count": 12}}


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(wire, "_FIRST", 0.01)
    monkeypatch.setattr(following, "_PAUSE", 0.01)


def client(at, **options) -> Client:
    return Client(at.url, patience=options.pop("patience", 5.0), timeout=5.0, **options)


# ------------------------------------------------------------------------------------ sent again


@pytest.mark.parametrize(
    "fault", [lost, page(502), page(503), page(504), problem(503, "later", after="0")]
)
def test_a_job_is_submitted_once_however_often_it_is_sent(fault):
    with scripted(fault, fault, data(QUEUED, 201)) as one, client(one) as asks:
        assert asks.submit(ORDER).id == QUEUED["id"]
    keys = {request.headers["Idempotency-Key"] for request in one.asked}
    assert len(one.asked) == 3
    assert len(keys) == 1
    assert all(len(key) >= 16 for key in keys)
    assert json.loads(one.asked[0].body) == ORDER.model_dump(mode="json")


def test_every_submission_has_a_key_of_its_own_unless_it_is_given():
    with scripted(*[data(QUEUED, 201)] * 3) as one, client(one) as asks:
        asks.submit(ORDER)
        asks.submit(ORDER)
        asks.submit(ORDER, key="mine")
    keys = [request.headers["Idempotency-Key"] for request in one.asked]
    assert len(set(keys)) == 3
    assert keys[2] == "mine"


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (problem(422, "count: too many"), InputError),
        (problem(404, "there is no job"), InputError),
        (problem(401, "a token is needed"), InputError),
        (problem(409, "it is running"), BusyError),
        (problem(429, "ask for fewer"), BusyError),
        (problem(501, "no s3fs"), MissingError),
        (problem(507, "full"), DiskFullError),
        (problem(500, "the server failed"), ServerError),
        (problem(504, "took more than 60 seconds"), ServerError),
        (page(404), InputError),
        (page(500), ServerError),
        (page(302), ServerError),
    ],
)
def test_what_the_server_means_is_raised_at_once_in_its_own_words(fault, kind):
    with scripted(fault) as one, client(one) as asks, pytest.raises(DatagenError) as raised:
        asks.job("a" * 12)
    assert type(raised.value) is kind
    assert len(one.asked) == 1


def test_the_words_of_a_problem_are_those_of_the_error():
    with (
        scripted(problem(422, "count: must be less")) as one,
        client(one) as asks,
        pytest.raises(InputError, match="^count: must be less$"),
    ):
        asks.submit(ORDER)


def test_a_refusal_that_passes_is_waited_for_as_long_as_the_server_says():
    steps = problem(429, "100 of your jobs have not ended", after="1"), data(QUEUED, 201)
    with scripted(*steps) as one, client(one) as asks:
        begin = time.monotonic()
        asks.submit(ORDER)
        assert time.monotonic() - begin >= 1
    again = problem(429, "100 of your jobs have not ended", after="30")
    with (
        scripted(again) as one,
        client(one) as asks,
        pytest.raises(BusyError, match="have not ended"),
    ):
        asks.submit(ORDER)


def test_patience_ends_with_who_cannot_be_reached_and_why():
    with scripted() as one:
        url = one.url
    with Client(url, patience=0.05) as asks, pytest.raises(ServerError) as raised:
        asks.job("a" * 12)
    assert str(raised.value).startswith(f"{url}: cannot be reached (")


def test_a_job_that_is_removed_by_a_request_whose_answer_is_lost_is_removed():
    with scripted(lost, problem(404, "there is no job")) as one, client(one) as asks:
        asks.remove("a" * 12)
    with (
        scripted(problem(404, "there is no job")) as one,
        client(one) as asks,
        pytest.raises(InputError),
    ):
        asks.remove("a" * 12)


@pytest.mark.parametrize(
    "url",
    ["box:8000", "ftp://box", "http://", "http://box:port", "http://u:secret@box", "http://b/?x=1"],
)
def test_an_address_that_is_none_is_refused_without_its_password(url):
    with pytest.raises(InputError, match="server") as raised:
        Client(url)
    assert "secret" not in str(raised.value)


def test_keys_that_a_newer_server_gives_are_no_fault():
    with scripted(data(DONE | {"colour": "blue"})) as one, client(one) as asks:
        assert asks.job("a" * 12).result == {"count": 12}


def test_a_list_is_asked_for_part_by_part():
    first = {"items": [QUEUED, RUNNING], "next": "k1", "total": 3}
    last = {"items": [DONE], "next": None, "total": 3}
    with scripted(data(first), data(last)) as one, client(one) as asks:
        found = [job.state for job in asks.jobs(verb="generate")]
    assert found == [State.QUEUED, State.RUNNING, State.DONE]
    assert "verb=generate" in one.asked[0].path
    assert "cursor=k1" in one.asked[1].path


def test_names_cannot_lead_to_other_addresses():
    with scripted(*[problem(404, "none")] * 2) as one, client(one) as asks:
        for name in ("../datasets", "x?y#z"):
            with pytest.raises(InputError):
                asks.job(name)
    assert [request.path for request in one.asked] == [
        "/api/v1/jobs/..%2Fdatasets",
        "/api/v1/jobs/x%3Fy%23z",
    ]


def test_a_grammar_s_mistake_has_its_place():
    wrong = problem(
        422, "g.scene:2:10: a number is missing; write it\n    canvas 3 x\n    ^",
        line=2, column=10, message="a number is missing", path="g.scene", remedy="write it",
    )  # fmt: skip
    with scripted(wrong) as one, client(one) as asks, pytest.raises(GrammarError) as raised:
        asks.check("world x\ncanvas 3 x")
    error = raised.value
    assert (error.line, error.column, error.message) == (2, 10, "a number is missing")
    assert (error.path, error.remedy) == ("g.scene", "write it")
    assert str(error).endswith("\n    canvas 3 x\n    ^")


def test_the_front_door_does_not_load_it():
    code = "import datagen, sys; datagen.load_recipe; print('datagen.client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


# ------------------------------------------------------------------------------------- following


def log(*lines: str, left_out: int = 0):
    return data({"lines": lines, "left_out": left_out})


def followed(*steps) -> tuple[list[str], list[str]]:
    """States in turn, and lines of the log."""
    said: list[str] = []
    with scripted(*steps) as one, client(one) as asks:
        states = [str(job.state) for job in asks.follow("a" * 12, said=said.append)]
    assert one.steps == []
    return states, said


def test_a_job_is_followed_by_events():
    told = ("job", QUEUED), ("log", "a"), ("job", RUNNING), ("log", "b"), ("job", DONE)
    states, said = followed(events(*told), data(DONE), log("a", "b", "c"))
    assert states == ["queued", "running", "done"]
    assert said == ["a", "b", "c"]


def test_a_stream_that_breaks_begins_again_and_nothing_is_told_twice():
    states, said = followed(
        events(("job", RUNNING), ("log", "a"), breaks=True),
        lost,
        data(RUNNING),
        page(502),
        data(RUNNING),
        events(("job", RUNNING), ("log", "a"), ("log", "b")),  # the server ends in order
        data(DONE),
        log("a", "b"),
    )
    assert states == ["running", "done"]
    assert said == ["a", "b"]


def test_who_gets_no_events_through_asks(monkeypatch):
    monkeypatch.setattr(following, "_QUIET", 0.1)
    states, said = followed(
        lambda answer: time.sleep(0.5),  # a proxy that keeps what it gets
        data(QUEUED),
        log("a"),
        data(RUNNING),
        log("a", "b"),
        data(DONE),
        log("c", left_out=2),
    )
    assert states == ["queued", "running", "done"]
    assert said == ["a", "b", "c"]


def test_a_job_that_is_not_there_is_not_followed():
    with (
        scripted(problem(404, "there is no job")) as one,
        client(one) as asks,
        pytest.raises(InputError, match="there is no job"),
    ):
        list(asks.follow("a" * 12))


# ------------------------------------------------------------------------------------- downloads

FILES = {"recipe.json": b"{}", "shards/0-4/0.png": b"\x89" * 700, "annotations.json": b"[]" * 9}


def archive(files=FILES, top="town", manifest=None, extra=(), marker=True) -> bytes:
    """A dataset as the server sends it."""
    listed = {
        name: {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}
        for name, body in FILES.items()
    }
    told = json.dumps({"files": listed if manifest is None else manifest}).encode()
    whole = {**files, "manifest.json": told}
    if marker:
        whole["_COMPLETE"] = hashlib.sha256(told).hexdigest().encode() + b"\n"
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, body in whole.items():
            info = tarfile.TarInfo(f"{top}/{name}")
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
        for info in extra:
            tar.addfile(info)
    return made.getvalue()


def sent(body: bytes, stop: int | None = None, tag: str = '"t"'):
    """The archive from where it is asked for, until `stop`."""

    def step(answer) -> None:
        start = int(answer.headers.get("range", "bytes=0-")[6:-1])
        status = 206 if start else 200
        part = body[start:stop]
        length = None if stop is None else len(body) - start
        answer.send(status, part, length, ETag=tag, Content_Type="application/x-tar")

    return step


def test_a_dataset_is_brought_and_every_file_is_checked(tmp_path):
    told = []
    body = archive()
    with scripted(sent(body)) as one, client(one) as asks:
        out = asks.download("town", tmp_path / "d", progress=lambda *said: told.append(said))
    assert out == tmp_path / "d"
    assert {name: (out / name).read_bytes() for name in FILES} == FILES
    assert told[-1] == (len(body), len(body), "bytes")
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def test_a_download_goes_on_where_the_connection_was_lost(tmp_path):
    body = archive()
    with scripted(sent(body, 700), lost, sent(body, 2000), sent(body)) as one, client(one) as asks:
        asks.download("town", tmp_path / "d")
    assert [request.headers.get("range") for request in one.asked] == [
        None, "bytes=700-", "bytes=700-", "bytes=2000-",
    ]  # fmt: skip
    assert {request.headers.get("if-range") for request in one.asked[1:]} == {'"t"'}
    assert {name: (tmp_path / "d" / name).read_bytes() for name in FILES} == FILES


def test_parts_of_two_datasets_are_never_put_together(tmp_path):
    body = archive()
    with (
        scripted(sent(body, 700), sent(body, tag='"u"')) as one,
        client(one) as asks,
        pytest.raises(DatagenError, match="replaced"),
    ):
        asks.download("town", tmp_path / "d")
    assert list(tmp_path.iterdir()) == []


def link(name: str, to: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, to
    return info


BAD = {
    "another file": archive(FILES | {"recipe.json": b"[]"}),
    "longer": archive(FILES | {"recipe.json": b"{} "}),
    "missing": archive({"recipe.json": b"{}"}),
    "one too many": archive(FILES | {"notes.txt": b"x"}),
    "no marker": archive(marker=False),
    "another manifest": archive(manifest={}),
    "above": archive(FILES | {"../../evil": b"x"}),
    "absolute": archive(FILES | {"/tmp/evil": b"x"}, top="town/"),
    "another name": archive(top="city"),
    "link": archive(extra=[link("town/x", "/etc")]),
    "device": archive(extra=[tarfile.TarInfo("town")]),
    "no tar": b"<html>" * 300,
    "nothing": b"",
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
def test_what_is_not_the_dataset_leaves_nothing(body, tmp_path):
    folder = tmp_path / "inner" / "d"
    folder.mkdir(parents=True)
    with scripted(sent(body)) as one, client(one) as asks, pytest.raises(VerifyError):
        asks.download("town", folder)
    assert list(folder.iterdir()) == []
    assert list((tmp_path / "inner").iterdir()) == [folder]
    assert list(tmp_path.iterdir()) == [tmp_path / "inner"]


def test_a_folder_that_holds_anything_is_not_touched(tmp_path):
    (tmp_path / "mine").write_text("mine")
    with scripted() as one, client(one) as asks, pytest.raises(InputError, match="not empty"):
        asks.download("town", tmp_path)


# ----------------------------------------------------------------------------- with a real server


@pytest.fixture(scope="module")
def serving(tmp_path_factory):
    with server(tmp_path_factory.mktemp("served") / "home", "--workers", "1") as one:
        yield one


def test_a_job_goes_its_way(serving, tmp_path):
    said: list[str] = []
    with Client(serving.url) as asks:
        job = asks.submit(ORDER.model_copy(update={"name": "first"}))
        last = [*asks.follow(job.id, said=said.append)][-1]
        assert (last.state, last.makes, last.result["count"]) == (State.DONE, "datasets/first", 12)
        assert any("carried out by" in line for line in said)
        assert asks.dataset("first").images == 12
        assert "first" in {one.name for one in asks.datasets()}
        found = list(asks.images("first", category="circle"))
        assert {thing.category for image in found for thing in image.things} >= {"circle"}
        assert asks.log(job.id).lines == said
        assert asks.cancel(job.id).state is State.DONE
        assert job.id in {one.id for one in asks.jobs(state=State.DONE)}
        exported = asks.submit(types.Export(dataset="first", format="yolo", name="out"))
        *_, last = asks.follow(exported.id)
        assert last.result["annotations"] == asks.job(job.id).result["annotations"]
        assert [(one.name, one.images) for one in asks.exports()] == [("out", 12)]
        brought = asks.download(last.makes, tmp_path / "out")
        made = serving.home / last.makes
        names = [path.relative_to(made) for path in made.rglob("*") if path.is_file()]
        assert len(names) > 24  # a picture and its labels each
        assert all((brought / one).read_bytes() == (made / one).read_bytes() for one in names)
        with pytest.raises(InputError, match="no export `nowhere`"):
            asks.download("exports/nowhere", tmp_path / "nowhere")
        asks.remove(job.id)
        with pytest.raises(InputError, match=f"no job `{job.id}`"):
            asks.job(job.id)


def test_requests_that_come_at_once_make_one_job(serving):
    """A client that sends again does not wait until the server has given the first one up."""
    order = ORDER.model_copy(update={"name": "at-once"})
    made, refused = [], []

    def submit(key):
        with Client(serving.url) as asks:
            try:
                made.append(asks.submit(order, key=key).id)
            except BusyError as error:
                refused.append(str(error))

    threads = [Thread(target=submit, args=(key,)) for key in ("same",) * 5 + tuple("abc")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 1, made
    assert len(made) + len(refused) == 8
    assert all("is made by job" in text for text in refused)


def test_wrong_orders_are_refused_as_here(serving):
    with Client(serving.url) as asks:
        with pytest.raises(GrammarError) as raised:
            world = types.WorldOf(grammar="world x\ncanvas 3 x")
            asks.submit(types.Generate(world=world))
        assert (raised.value.line, raised.value.column) == (2, 10)
        assert "^" in str(raised.value)
        with pytest.raises(InputError, match="no dataset `nowhere`"):
            asks.submit(types.Export(dataset="nowhere", format="yolo"))
        with pytest.raises(InputError, match="unknown format `kitty`"):
            asks.submit(types.Export(dataset="first", format="kitty"))
        with pytest.raises(BusyError, match="another request"):
            asks.submit(ORDER, key="one")
            asks.submit(ORDER.model_copy(update={"seed": 5}), key="one")


def test_kill_9_makes_no_job_twice_and_loses_none(tmp_path):
    """Once while the order is looked at, once while the job is under way."""
    order = ORDER.model_copy(update={"name": "town", "count": 200})
    with server(tmp_path / "home", "--workers", "1") as one, Client(one.url) as asks:
        made = []
        thread = Thread(target=lambda: made.append(asks.submit(order)))
        thread.start()
        place = one.home / "datasets" / "town"
        wait_for(place.exists)  # it is taken, or about to be
        one.kill()
        one.start()
        thread.join(60)
        (job,) = made
        said: list[str] = []
        states = asks.follow(job.id, said=said.append)
        next(states)
        wait_for(lambda: list(place.glob("shards/*")))
        one.kill()
        number = len(list(place.glob("shards/*")))
        one.start()
        *_, last = states
        assert last.state is State.DONE
        assert number < 50
        assert [one.id for one in asks.jobs()] == [job.id]
        assert sum("carried out by" in line for line in said) == 2
        assert len(set(said)) == len(said)
        assert asks.verify("town").sound
        asks.download("town", tmp_path / "brought")
        assert pipeline.verify(tmp_path / "brought").findings == ()


def test_a_token_is_sent(tmp_path):
    config = tmp_path / "serve.toml"
    config.write_text(f'workers = 0\n[tokens.me]\nsha256 = "{digest_of(SECRET)}"\n')
    with server(tmp_path / "home", "--config", str(config)) as one:
        with Client(one.url) as nobody, pytest.raises(InputError, match="DATAGEN_TOKEN"):
            list(nobody.jobs())
        with Client(one.url, SECRET) as me:
            assert list(me.jobs()) == []
            assert me.submit(ORDER).by == "me"


def wait_for(is_so, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)
