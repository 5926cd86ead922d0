"""What came of learning, training and scoring, over HTTP: reports, readings, and their end."""

import atexit
import base64
import hashlib
import json
import os
import re
from functools import cache
from pathlib import Path
from shutil import copytree, rmtree
from tempfile import mkdtemp

import pytest
import servers
from PIL import Image

from datagen import recipe
from datagen.files import locked
from datagen.jobs.ledger import Jobs
from datagen.report.learning import write_report
from datagen.storage.address import quoted
from datagen.web.guard import POLICY

KINDS = ("runs", "detectors", "evaluations")
READINGS = [{"phase": "pretrain", "iteration": k, "loss": 1 / (k + 1)} for k in range(10)]


@pytest.fixture
def web(tmp_path):
    with servers.app(tmp_path / "home") as client:
        yield client


def home_of(web):
    return web.app.state.service.home.folder


@cache
def template():
    """A folder as a run of `learn` leaves it."""
    folder = Path(mkdtemp())
    atexit.register(rmtree, folder)
    (folder / ".lock").touch()
    meta = {"recipe": {"count": 3}, "target": "abc", "version": "1"}
    (folder / "meta.json").write_text(json.dumps(meta))
    lines = "".join(json.dumps(one) + "\n" for one in READINGS)
    (folder / "metrics.jsonl").write_text(lines)
    Image.new("RGB", (64, 48), "red").save(folder / "target.png")
    report = {"title": "<b>&'", "sheets": [{"title": "photos", "file": "target.png"}]}
    (folder / "report.json").write_text(json.dumps(report))
    write_report(folder)
    (folder / "learned.scene").write_text("world w\n")
    (folder / "train.json").write_text('{"AP50": 0.5}')
    (folder / "recipe.json").write_text("{}")
    return folder


def run(web, name="learned", kind="runs", when=1000.0):
    folder = home_of(web) / kind / name
    copytree(template(), folder)
    os.utime(folder / "meta.json", (when, when))
    return folder


def problem(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()["detail"]


@pytest.mark.parametrize("kind", KINDS)
def test_lists_begin_with_the_newest_and_one_tells_what_it_has(web, kind):
    for number in range(5):
        run(web, f"r{number}", kind, when=1000.0 + number)
    (home_of(web) / kind / "begun").mkdir()
    first = web.get(f"/api/v1/{kind}", params={"limit": 4}).json()
    assert [one["name"] for one in first["items"]] == ["begun", "r4", "r3", "r2"]
    rest = web.get(f"/api/v1/{kind}", params={"cursor": first["next"]}).json()
    assert [one["name"] for one in rest["items"]] == ["r1", "r0"]
    assert rest["next"] is None
    answer = web.get(f"/api/v1/{kind}/r1")
    assert answer.json() == {
        "name": "r1",
        "kind": kind,
        "complete": True,
        "report": True,
        "made": 1001.0,
        "meta": {"target": "abc", "version": "1"},
        "pictures": ["target.png"],
    }
    tag = {"If-None-Match": answer.headers["etag"]}
    assert web.get(f"/api/v1/{kind}/r1", headers=tag).status_code == 304
    begun = web.get(f"/api/v1/{kind}/begun").json()
    assert (begun["complete"], begun["report"], begun["pictures"]) == (False, False, [])
    problem(web.get(f"/api/v1/{kind}/begun/report.html"), 404)
    problem(web.get(f"/api/v1/{kind}/none"), 404)


def test_a_report_comes_with_a_policy_that_lets_its_own_style_in_and_nothing_else(web):
    folder = run(web)
    answer = web.get("/api/v1/runs/learned/report.html")
    assert answer.content == (folder / "report.html").read_bytes()
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "script" not in policy
    assert "img-src 'self' data:" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    tag = {"If-None-Match": answer.headers["etag"]}
    again = web.get("/api/v1/runs/learned/report.html", headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    os.utime(folder / "report.html", (5, 5))
    assert web.get("/api/v1/runs/learned/report.html", headers=tag).status_code == 200


def test_a_page_without_a_style_of_its_own_gets_none(web):
    folder = run(web)
    (folder / "report.html").write_text("<style>p{}</style><script>alert(1)</script>")
    policy = web.get("/api/v1/runs/learned/report.html").headers["content-security-policy"]
    assert "style-src 'none'" in policy
    assert web.get("/api/v1/runs/learned").headers["content-security-policy"] == POLICY


@pytest.mark.parametrize(
    ("kind", "file", "media"),
    [
        ("runs", "learned.scene", "text/plain; charset=utf-8"),
        ("runs", "report.json", "application/json"),
        ("runs", "pictures/target.png", "image/png"),
        ("detectors", "report.json", "application/json"),
        ("evaluations", "pictures/target.png", "image/png"),
    ],
)
def test_files_of_a_run_are_given_as_what_they_are(web, kind, file, media):
    folder = run(web, kind=kind)
    answer = web.get(f"/api/v1/{kind}/learned/{file}")
    assert answer.headers["content-type"] == media
    inside = {"detectors": "train.json"}.get(kind, file.removeprefix("pictures/"))
    assert answer.content == (folder / inside).read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        "runs/..%2f..%2fetc/passwd",
        "runs/learned/..%2fsecret.txt",
        "runs/learned/meta.json",
        "runs/learned/.lock",
        "runs/learned/pictures/..%2f..%2fsecret.png",
        "runs/learned/pictures/%2e%2e",
        "runs/learned/pictures/linked.png",
        "runs/learned/pictures/folder.png",
        "runs/learned/pictures/notes.txt",
        "runs/learned/pictures/meta.json",
        "runs/linked",
        "runs/linked/learned.scene",
        "runs/file/learned.scene",
        "detectors/learned/learned.scene",
        "evaluations/learned/metrics",
        "jobs/learned/report.html",
    ],
)
def test_nothing_else_is_given(web, path):
    folder = run(web)
    (home_of(web) / "secret.txt").write_text("secret")
    Image.new("RGB", (8, 8)).save(home_of(web) / "secret.png")
    (folder / "linked.png").symlink_to(home_of(web) / "secret.png")
    (folder / "folder.png").mkdir()
    (folder / "notes.txt").touch()
    (home_of(web) / "runs" / "linked").symlink_to(home_of(web))
    (home_of(web) / "runs" / "file").touch()
    (home_of(web) / "learned.scene").touch()
    assert web.get(f"/api/v1/{path}").status_code == 404


def test_readings_come_in_parts_and_go_on_where_they_ended(web):
    folder = run(web)
    first = web.get("/api/v1/runs/learned/metrics", params={"limit": 4}).json()
    assert first["items"] == READINGS[:4]
    rest = web.get("/api/v1/runs/learned/metrics", params={"cursor": first["next"]}).json()
    assert rest["items"] == READINGS[4:]
    end = {"cursor": rest["next"]}
    assert web.get("/api/v1/runs/learned/metrics", params=end).json()["items"] == []
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"phase": "pretrain", "iterat')  # is being written
    assert web.get("/api/v1/runs/learned/metrics", params=end).json() == {
        "items": [],
        "next": rest["next"],
    }
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('ion": 10}\n{"torn\n{"phase": "pretrain", "iteration": 11}\n')
    more = web.get("/api/v1/runs/learned/metrics", params=end).json()["items"]
    assert [one["iteration"] for one in more] == [10, 11]


@pytest.mark.parametrize("cursor", [1, 10**6, 2**61])
def test_readings_begin_anew_where_the_run_went_back(web, cursor):
    run(web)
    answer = web.get("/api/v1/runs/learned/metrics", params={"cursor": cursor})
    assert "begin without cursor" in problem(answer, 410)


# --------------------------------------------------------------------------------------- removal


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_removed_is_gone_for_good(web, kind):
    run(web, kind=kind)
    assert web.delete(f"/api/v1/{kind}/learned").status_code == 204
    assert list((home_of(web) / kind).iterdir()) == []
    problem(web.delete(f"/api/v1/{kind}/learned"), 404)


def arguments(folder):
    """Of jobs that make it, and of those that need it: as `order` of each verb writes them."""
    place = str(folder.resolve())
    made = recipe.load("aerial").encode()
    made["generator"] = {"use": "metasim2", "options": {}} | {
        "weights": {"source": f"{place}/model.safetensors", "sha256": "0"}
    }
    yield "learn", {"recipe": recipe.load("aerial").encode(), "target": "/x", "out": place}
    yield "generate", {"recipe": made, "out": "/elsewhere"}
    yield "evaluate", {"source": place, "dataset": "/y", "out": "/elsewhere"}


def test_what_a_job_needs_stays_until_its_end(web):
    folder = run(web)
    run(web, "learned-2")
    jobs = Jobs(home_of(web) / "jobs")
    for verb, asked in arguments(folder):
        job = jobs.make(verb, asked, None)
        assert job.id in problem(web.delete("/api/v1/runs/learned"), 409)
        job.cancel()
    jobs.make("evaluate", {"source": f"{folder.resolve()}-2", "out": "/z"}, None)
    assert web.delete("/api/v1/runs/learned").status_code == 204
    problem(web.delete("/api/v1/runs/learned-2"), 409)


def test_a_dataset_that_a_job_reads_stays(web):
    folder = home_of(web) / "datasets" / "shapes"
    folder.mkdir()
    asked = {"source": "/x", "dataset": quoted(folder), "out": "/z"}
    job = Jobs(home_of(web) / "jobs").make("evaluate", asked, None)
    assert job.id in problem(web.delete("/api/v1/datasets/shapes"), 409)
    job.cancel()
    assert web.delete("/api/v1/datasets/shapes").status_code == 204


def test_what_somebody_writes_to_stays(web):
    folder = run(web)
    with locked(folder):
        assert "writing" in problem(web.delete("/api/v1/runs/learned"), 409)
    assert web.delete("/api/v1/runs/learned").status_code == 204


def test_a_path_with_odd_letters_is_known_in_the_arguments(tmp_path):
    with servers.app(tmp_path / "ho me ü%") as client:
        folder = run(client)
        Jobs(home_of(client) / "jobs").make(
            "evaluate", {"source": quoted(folder), "out": "/z"}, None
        )
        problem(client.delete("/api/v1/runs/learned"), 409)
