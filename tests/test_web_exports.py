"""Exports over HTTP, and everything that jobs have made beside datasets as tar files."""

import io
import json
import os
import shutil
import tarfile

import pytest
from servers import app

from datagen import pipeline, recipe
from datagen.dataset import archive, export
from datagen.storage.address import quoted
from datagen.web.sending import TAR

API = "/api/v1/exports"


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """Of a server with the exports `boxes` (yolo, the older) and `coco` of one dataset."""
    home = tmp_path_factory.mktemp("home")
    dataset = home / "datasets" / "shapes"
    pipeline.generate(recipe.load("colored_shapes", ["count=6"]), dataset)
    with app(home) as found:
        found.folder = home / "exports"
        splits = {"train": 0.5, "val": 0.5}
        found.report = export.export(dataset, "yolo", found.folder / "boxes", splits=splits)
        export.export(dataset, "coco", found.folder / "coco", min_pixels=10**6)
        os.utime(found.folder / "boxes" / "export.json", (1000, 1000))
        yield found


@pytest.fixture
def copied(client):
    """Name and folder of another export of this server, which a test may spoil."""
    folder = shutil.copytree(client.folder / "boxes", client.folder / "copy")
    yield "copy", folder
    shutil.rmtree(folder, ignore_errors=True)


def is_problem(answer, status: int, *words: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    for word in words:
        assert word in answer.json()["detail"]
    assert "/tmp" not in answer.text


def unpacked(answer, out) -> dict[str, bytes]:
    """Files of the folder that an archive makes below `out`, by their names in it."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == TAR
    assert int(answer.headers["content-length"]) == len(answer.content)
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as tar:
        tar.extractall(out, filter="data")
    (folder,) = out.iterdir()
    return files(folder)


def files(folder) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_a_list_has_every_export_the_newest_first(client):
    newest, oldest = client.get(API).json()["items"]
    assert (newest["name"], newest["format"], newest["annotations"]) == ("coco", "coco", 0)
    assert newest["dropped"] > 0
    assert oldest == {
        "name": "boxes",
        "format": "yolo",
        "images": 6,
        "annotations": newest["dropped"],
        "dropped": 0,
        "splits": client.report.splits,
        "made": 1000.0,
    }
    page = client.get(API, params={"limit": 1}).json()
    rest = client.get(API, params={"cursor": page["next"]}).json()
    assert [*page["items"], *rest["items"]] == [newest, oldest]


def test_one_export_is_as_in_the_list_and_is_not_sent_twice(client):
    answer = client.get(f"{API}/boxes")
    assert answer.json() == client.get(API).json()["items"][1]
    again = client.get(f"{API}/boxes", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("address", ["", "/download"])
def test_an_export_is_not_there_before_its_end(client, copied, address):
    name, folder = copied
    shutil.rmtree(folder)
    is_problem(client.get(f"{API}/{name}{address}"), 404, name)
    folder.mkdir()  # as an order claims it
    is_problem(client.get(f"{API}/{name}{address}"), 404, name, "its job")
    assert {one["name"] for one in client.get(API).json()["items"]} == {"boxes", "coco"}


WRONG = {"format": "yolo", "images": "x", "annotations": 1, "dropped": 0, "splits": {}}


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"report": 1}', json.dumps({"report": WRONG})])
def test_a_damaged_export_is_told_and_left_out_of_the_list(client, copied, text):
    name, folder = copied
    (folder / "export.json").write_text(text)
    is_problem(client.get(f"{API}/{name}"), 409, f"exports/{name}", "export.json")
    assert {one["name"] for one in client.get(API).json()["items"]} == {"boxes", "coco"}


# --------------------------------------------------------------------------------------- download


@pytest.mark.parametrize("name", ["boxes", "coco"])
def test_a_download_unpacks_to_the_same_files(client, name, tmp_path):
    answer = client.get(f"{API}/{name}/download")
    assert unpacked(answer, tmp_path) == files(client.folder / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert f'filename="{name}.tar"' in answer.headers["content-disposition"]
    assert client.get(f"{API}/{name}/download").content == answer.content


def test_a_download_is_not_sent_twice_and_goes_on_where_it_broke_off(client):
    whole = client.get(f"{API}/boxes/download")
    tag, size = whole.headers["etag"], len(whole.content)
    known = client.get(f"{API}/boxes/download", headers={"If-None-Match": tag})
    assert (known.status_code, known.content) == (304, b"")
    for start in (1, 512, 5000, size - 1):
        headers = {"Range": f"bytes={start}-", "If-Range": tag}
        rest = client.get(f"{API}/boxes/download", headers=headers)
        assert rest.status_code == 206
        assert rest.headers["content-range"] == f"bytes {start}-{size - 1}/{size}"
        assert rest.content == whole.content[start:]
    is_problem(client.get(f"{API}/boxes/download", headers={"Range": f"bytes={size}-"}), 416)


def test_head_of_a_download_reads_no_file(client, monkeypatch):
    got = client.get(f"{API}/boxes/download")
    monkeypatch.setattr(archive, "stream", unread)
    head = client.head(f"{API}/boxes/download")
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "etag", "accept-ranges", "content-disposition"):
        assert head.headers[name] == got.headers[name]
    part = client.head(f"{API}/boxes/download", headers={"Range": "bytes=9-"})
    assert (part.status_code, part.content) == (206, b"")


def unread(*asked):
    raise AssertionError("read for a body that nobody gets")
    yield b""


def test_another_export_of_the_same_name_is_never_gone_on_with(client, copied):
    name, folder = copied
    first = client.get(f"{API}/{name}/download")
    label = next(folder.glob("labels/*/*.txt"))
    label.write_bytes(label.read_bytes()[::-1])  # as long as before
    headers = {"Range": "bytes=5-", "If-Range": first.headers["etag"]}
    second = client.get(f"{API}/{name}/download", headers=headers)
    assert second.status_code == 200
    assert len(second.content) == len(first.content)
    assert second.content != first.content


def test_links_and_hidden_files_are_not_sent(client, copied, tmp_path):
    name, folder = copied
    plain = files(folder)
    secret = tmp_path / "secrets"
    secret.mkdir()
    (secret / "secret.txt").write_text("secret")
    (folder / "linked.txt").symlink_to(secret / "secret.txt")
    (folder / "linked").symlink_to(secret)
    (folder / ".hidden").write_text("hidden")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("hidden")
    answer = client.get(f"{API}/{name}/download")
    assert unpacked(answer, tmp_path / "out") == plain


def test_an_export_that_is_a_link_is_not_there(client, tmp_path):
    shutil.copytree(client.folder / "boxes", tmp_path / "elsewhere")
    link = client.folder / "linked"
    link.symlink_to(tmp_path / "elsewhere")
    try:
        is_problem(client.get(f"{API}/linked"), 404)
        is_problem(client.get(f"{API}/linked/download"), 404)
    finally:
        link.unlink()


LAST = {"runs": "recipe.json", "detectors": "report.html", "evaluations": "report.html"}


@pytest.mark.parametrize("kind", LAST)
def test_what_jobs_have_made_can_be_downloaded_when_it_is_complete(client, kind, tmp_path):
    folder = client.folder.parent / kind / "done"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "model.safetensors").write_bytes(bytes(range(256)) * 9)
    (folder / ".lock").touch()
    is_problem(client.get(f"/api/v1/{kind}/done/download"), 409, "complete")
    (folder / LAST[kind]).write_text("{}")
    found = unpacked(client.get(f"/api/v1/{kind}/done/download"), tmp_path)
    assert found == {
        "inner/model.safetensors": bytes(range(256)) * 9,
        LAST[kind]: b"{}",
    }
    is_problem(client.get(f"/api/v1/{kind}/none/download"), 404)


@pytest.mark.parametrize("kind", ["targets", "recipes", "grammars", "jobs", "exports/.."])
def test_nothing_else_is_downloaded(client, kind):
    assert client.get(f"/api/v1/{kind}/boxes/download").status_code == 404


# ---------------------------------------------------------------------------------------- removal


def test_an_export_that_is_removed_is_gone_for_good(client, copied):
    name, folder = copied
    assert client.delete(f"{API}/{name}").status_code == 204
    assert {path.name for path in folder.parent.iterdir()} == {"boxes", "coco"}
    is_problem(client.delete(f"{API}/{name}"), 404)


def test_an_export_that_a_job_makes_is_not_removed(client, copied):
    name, folder = copied
    job = client.app.state.service.jobs.make("export", {"out": quoted(folder)}, None)
    is_problem(client.delete(f"{API}/{name}"), 409, job.id, "cancel")
    assert folder.is_dir()
    job.cancel()
    assert client.delete(f"{API}/{name}").status_code == 204
