"""Jobs over HTTP: one for each key, in pages, followed to their end."""

import json
import threading
import time

import pytest
from servers import SECRET, app, digest_of

from datagen.jobs.ledger import Job, Standing, State, id_of

ORDER = {"verb": "generate", "world": {"recipe": "colored_shapes"}, "count": 4, "seed": 1}


@pytest.fixture
def client(tmp_path):
    with app(tmp_path) as found:
        yield found


@pytest.fixture(scope="module")
def worked(tmp_path_factory):
    """An app that carries out its jobs."""
    with app(tmp_path_factory.mktemp("worked"), workers=1) as found:
        yield found


def submitted(client, status: int = 201, key: str | None = None, **changes):
    headers = {} if key is None else {"idempotency-key": key}
    answer = client.post("/api/v1/jobs", json={**ORDER, **changes}, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()


def finished(client, name: str, patience: float = 60.0) -> dict:
    end = time.monotonic() + patience
    while time.monotonic() < end:
        about = client.get(f"/api/v1/jobs/{name}").json()
        if about["state"] not in ("queued", "running"):
            return about
        time.sleep(0.1)
    raise AssertionError(about)


def ended(client, name: str, state: State) -> None:
    """As a conductor would leave it."""
    folder = client.app.state.service.jobs.folder
    Job(folder / name).write(Standing(state, time.time(), exit_code=1, error="for a test"))


def test_a_job_is_queued_with_all_that_was_asked_for(client):
    about = submitted(client, name="town")
    assert about["state"] == "queued"
    assert about["makes"] == "datasets/town"
    answer = client.get(f"/api/v1/jobs/{about['id']}")
    assert answer.json()["id"] == about["id"]
    service = client.app.state.service
    job = Job(service.jobs.folder / about["id"])
    assert job.arguments["recipe"]["count"] == 4
    assert job.arguments["recipe"]["seed"] == 1


def test_a_job_is_carried_out_and_gives_its_result(worked):
    about = finished(worked, submitted(worked)["id"])
    assert (about["state"], about["exit_code"]) == ("done", 0)
    assert about["result"]["count"] == 4


def test_who_asks_for_jobs_reads_no_path_of_the_server(worked):
    service = worked.app.state.service
    name = finished(worked, submitted(worked)["id"])["id"]
    job = Job(service.jobs.folder / name)
    here = str(service.home.folder / "datasets" / "x")
    job.write_result({"report": {"folder": here, "parts": [here]}})
    job.write(Standing(State.DONE, time.time(), exit_code=0, error=f"{here}: is full"))
    job.log.write_text(f"looks at {here}\n")
    service.overview.forget()
    told = worked.get(f"/api/v1/jobs/{name}").json()
    assert told["result"] == {"report": {"folder": "datasets/x", "parts": ["datasets/x"]}}
    assert told["error"] == "datasets/x: is full"
    for address in ("log", "events"):
        text = worked.get(f"/api/v1/jobs/{name}/{address}").text
        assert "looks at datasets/x" in text and here not in text
    assert here not in worked.get("/api/v1/jobs").text + worked.get(f"/jobs/{name}").text


def test_events_tell_every_change_until_the_end(worked):
    name = submitted(worked, count=20)["id"]
    told = []
    with worked.stream("GET", f"/api/v1/jobs/{name}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line.startswith("data: {"):
                told.append(json.loads(line.removeprefix("data: ")))
    assert told[0]["state"] in ("queued", "running")
    assert told[-1]["state"] == "done"
    assert told[-1]["progress"]["done"] == 20


def test_a_request_that_is_sent_again_makes_no_second_job(client):
    first = submitted(client, key="k1")
    assert submitted(client, 200, key="k1") == first
    assert client.get("/api/v1/jobs").json()["total"] == 1
    assert first["id"] == id_of("\nk1")


def test_of_many_that_send_the_same_at_once_one_makes_the_job(client):
    answers = []

    def send() -> None:
        answers.append(
            client.post("/api/v1/jobs", json=ORDER, headers={"idempotency-key": "k"}).json()
        )

    threads = [threading.Thread(target=send) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({answer["id"] for answer in answers}) == 1, answers
    assert client.get("/api/v1/jobs").json()["total"] == 1


def test_a_key_that_came_with_another_request_is_refused(client):
    submitted(client, key="k1")
    assert "another request" in submitted(client, 409, key="k1", count=5)["detail"]


def test_a_request_that_died_before_its_job_was_made_can_be_sent_again(client):
    service = client.app.state.service
    name = id_of("\nk1")
    from datagen import pipeline, recipe

    out = service.home.place("datasets", name)
    loaded = recipe.load("colored_shapes", ["count=4", "seed=1"])
    pipeline.order(loaded, out).claim()  # and then the server was killed
    assert submitted(client, key="k1")["makes"] == f"datasets/{name}"


def test_keys_of_different_tokens_do_not_meet(tmp_path):
    tokens = {"alice": {"sha256": digest_of(SECRET)}, "bob": {"sha256": digest_of("b" * 40)}}
    with app(tmp_path, tokens=tokens) as client:
        made = set()
        for secret in (SECRET, "b" * 40):
            headers = {"idempotency-key": "k", "authorization": f"Bearer {secret}"}
            about = client.post("/api/v1/jobs", json=ORDER, headers=headers).json()
            made.add((about["id"], about["by"]))
        assert {by for _, by in made} == {"alice", "bob"}
        assert len({name for name, _ in made}) == 2


def test_what_a_job_makes_has_a_name_of_its_own(client):
    submitted(client, name="town")
    assert "town" in submitted(client, 409, name="town", seed=2)["detail"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"count": 0}, "count"),
        ({"count": -1}, "count"),
        ({"count": 10**18}, "count"),
        ({"world": {"recipe": "arial"}}, "arial"),
        ({"world": {}}, "exactly one"),
        ({"world": {"recipe": "aerial", "run": "a"}}, "exactly one"),
        ({"world": {"recipe": "aerial", "sets": ["image_format=gif"]}}, "image_format"),
        ({"world": {"run": "../../etc"}}, "run"),
        ({"name": "A b"}, "name"),
        ({"verb": "delete"}, "verb"),
        ({"colour": 1}, "colour"),
    ],
)
def test_an_order_that_cannot_be_is_told_in_words(client, changes, words):
    answer = client.post("/api/v1/jobs", json={**ORDER, **changes})
    assert answer.status_code == 422, answer.text
    assert words in answer.json()["detail"]
    assert client.get("/api/v1/jobs").json()["total"] == 0


def test_nobody_has_more_under_way_than_the_quota_says(tmp_path):
    with app(tmp_path, quota={"jobs": 2, "images": 10}) as client:
        first = submitted(client)
        assert "10" in submitted(client, 429, count=11)["detail"]
        submitted(client)
        answer = client.post("/api/v1/jobs", json=ORDER)
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) > 0
        client.post(f"/api/v1/jobs/{first['id']}/cancel")
        submitted(client)


def test_jobs_come_in_pages_the_newest_first(client):
    made = [submitted(client, seed=k)["id"] for k in range(5)]
    seen, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        part = client.get("/api/v1/jobs", params=query).json()
        assert part["total"] == 5
        seen += [job["id"] for job in part["items"]]
        cursor = part["next"]
        if cursor is None:
            break
    assert seen == made[::-1]
    assert client.get("/api/v1/jobs", params={"cursor": "zzz"}).status_code == 410
    assert client.get("/api/v1/jobs", params={"state": "done"}).json()["items"] == []


def test_a_list_that_has_not_changed_is_not_sent_again(client):
    submitted(client)
    first = client.get("/api/v1/jobs")
    again = client.get("/api/v1/jobs", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    submitted(client, seed=2)
    later = client.get("/api/v1/jobs", headers={"if-none-match": first.headers["etag"]})
    assert later.status_code == 200


def test_a_job_is_cancelled_and_goes_on_and_is_removed(client):
    name = submitted(client)["id"]
    assert client.delete(f"/api/v1/jobs/{name}").status_code == 409
    assert client.post(f"/api/v1/jobs/{name}/cancel").json()["state"] == "cancelled"
    assert client.post(f"/api/v1/jobs/{name}/retry").json()["state"] == "queued"
    ended(client, name, State.FAILED)
    assert client.get(f"/api/v1/jobs/{name}").json()["error"] == "for a test"
    assert client.delete(f"/api/v1/jobs/{name}").status_code == 204
    assert client.get(f"/api/v1/jobs/{name}").status_code == 404
    assert client.get("/api/v1/jobs").json()["total"] == 0


def test_what_is_not_there_is_not_found(client):
    for path in ("abcdefghijkl", "abcdefghijkl/log", "abcdefghijkl/events"):
        assert client.get(f"/api/v1/jobs/{path}").status_code == 404
    assert client.post("/api/v1/jobs/abcdefghijkl/cancel").status_code == 404


def test_a_job_that_is_damaged_hides_no_other(client):
    name, other = submitted(client)["id"], submitted(client, seed=2)["id"]
    (client.app.state.service.jobs.folder / name / "state.json").write_text("{")
    client.app.state.service.overview.forget()
    assert [job["id"] for job in client.get("/api/v1/jobs").json()["items"]] == [other]
    assert client.get(f"/api/v1/jobs/{name}").status_code == 422


def test_the_server_is_ready_while_jobs_can_be_written(client):
    assert client.get("/health/ready").json() == {"ready": True}
    folder = client.app.state.service.jobs.folder
    folder.rename(folder.with_name("gone"))
    assert client.get("/health/ready").status_code == 503


def test_prometheus_reads_jobs_and_traffic(client):
    submitted(client)
    client.get("/api/v1/jobs/abcdefghijkl")
    text = client.get("/metrics").text
    assert 'datagen_jobs{state="queued"} 1.0' in text
    assert 'datagen_http_requests_total{method="POST",status="201"} 1.0' in text
    assert 'datagen_http_requests_total{method="GET",status="404"} 1.0' in text
    assert 'datagen_http_seconds_bucket{le="+Inf"} 2.0' in text
