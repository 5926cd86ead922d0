"""What is refused before any of the server's own code sees it (RELIABILITY's bad input 36)."""

import asyncio
import socket
import time
from pathlib import Path

import pytest
from servers import SECRET, app, digest_of, server

from datagen.errors import InputError
from datagen.files import locked as writing
from datagen.web.guard import known
from datagen.web.heads import Heads

ORDER = {"verb": "generate", "world": {"recipe": "aerial"}, "count": 4}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with app(tmp_path_factory.mktemp("guard")) as found:
        yield found


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    tokens = {"alice": {"sha256": digest_of(SECRET)}}
    with app(tmp_path_factory.mktemp("locked"), tokens=tokens) as found:
        yield found


def is_problem(answer, status: int, *words: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    about = answer.json()
    assert about["status"] == status
    for word in words:
        assert word in about["detail"]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "[", ""])
def test_a_host_that_is_not_ours_is_refused(client, host):
    is_problem(client.get("/api/v1/jobs", headers={"host": host}), 400, "hosts")


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "[::1]:8000", "LOCALHOST"])
def test_a_host_that_is_ours_is_answered(client, host):
    assert client.get("/api/v1/jobs", headers={"host": host}).status_code == 200


def test_a_host_of_the_configuration_is_answered(tmp_path):
    with app(tmp_path, hosts=["streets.example"]) as found:
        answer = found.get("/api/v1/jobs", headers={"host": "streets.example"})
        assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_page_of_another_origin_cannot_change_anything(client, headers):
    is_problem(client.post("/api/v1/jobs", json=ORDER, headers=headers), 403, "origin")
    assert client.get("/api/v1/jobs").json()["total"] == 0


def test_no_token_no_answer_but_that_the_server_lives(locked):
    refused = locked.get("/api/v1/jobs")
    is_problem(refused, 401, "Bearer")
    assert refused.headers["www-authenticate"] == "Bearer"
    assert locked.get("/health/live").status_code == 200
    assert locked.get("/api/v1/openapi.json").status_code == 401


@pytest.mark.parametrize(
    "given", ["Bearer wrong", f"Basic {SECRET}", "Bearer", f"Bearer {SECRET} "]
)
def test_a_wrong_token_is_refused(locked, given):
    is_problem(locked.get("/api/v1/jobs", headers={"authorization": given}), 401)


def test_the_right_token_is_answered_in_a_header_or_a_cookie(locked):
    header = {"authorization": f"Bearer {SECRET}"}
    assert locked.get("/api/v1/jobs", headers=header).status_code == 200
    token = SECRET.replace(" ", "%20")
    refused = locked.get("/api/v1/jobs", headers={"cookie": f"datagen_token={token}"})
    assert refused.status_code == 401  # cookies hold no spaces: the token is another text
    cookie = {"cookie": f'datagen_token="{SECRET}"'}
    assert locked.get("/api/v1/jobs", headers=cookie).status_code == 200


def test_who_asks_without_a_token_in_a_browser_is_sent_to_the_login(locked):
    answer = locked.get("/", headers={"accept": "text/html"}, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?to=/"


def test_tokens_are_told_apart_by_all_of_their_letters():
    digests = {"alice": digest_of("a" * 40), "bob": digest_of("b" * 40)}
    assert known("a" * 40, digests) == "alice"
    assert known("b" * 40, digests) == "bob"
    assert known("a" * 39, digests) is None
    assert known("", digests) is None


def test_other_addresses_than_this_machine_need_a_token(tmp_path):
    from datagen.cli.serve import settings_of

    with pytest.raises(InputError, match="DATAGEN_TOKEN"):
        settings_of(None, {"host": "0.0.0.0"}, {})
    file = tmp_path / "serve.toml"
    file.write_text(f'host = "0.0.0.0"\n[tokens.alice]\nsha256 = "{digest_of(SECRET)}"\n')
    assert settings_of(file, {}, {}).tokens.keys() == {"alice"}


def test_a_body_is_refused_by_its_length_and_by_what_comes(tmp_path):
    with app(tmp_path, limits={"body": 2000}) as found:
        is_problem(found.post("/api/v1/jobs", content=b"x" * 2001), 413, "2,000")
        pieces = (b"x" * 500 for _ in range(5))  # no Content-Length
        is_problem(found.post("/api/v1/jobs", content=pieces), 413, "2,000")
        assert found.post("/api/v1/jobs", content=b"x" * 1999).status_code == 422


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/jobs/..%2f..%2fetc%2fpasswd",
        "/runs/..%2f..%2fetc/passwd",
        "/api/v1/jobs/%2e%2e",
        "/static/..%2f..%2fapp.py",
        "/static/%2e%2e/app.py",
    ],
)
def test_no_path_leaves_the_servers_folder(client, path):
    assert client.get(path).status_code in (404, 422)


def test_every_answer_has_the_headers_that_browsers_need(client):
    for path in ("/health/live", "/api/v1/jobs", "/nothing"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "unsafe" not in headers["content-security-policy"]
        assert "default-src 'none'" in headers["content-security-policy"]


# ------------------------------------------------------------------------------ a real connection


def ask(port: int, head: bytes, pieces=(), pause: float = 0.0) -> bytes:
    """What a server says to bytes that are sent piece by piece."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
        line.sendall(head)
        for piece in pieces:
            try:
                line.sendall(piece)
            except OSError:
                break  # it has hung up
            time.sleep(pause)
        said = b""
        try:
            while part := line.recv(65536):
                said += part
        except ConnectionResetError:
            pass
        return said


def resident(pid: int) -> float:
    """Memory of a process at its highest, MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def test_ten_gigabytes_are_refused_in_little_memory_and_a_slow_body_in_time(tmp_path):
    config = tmp_path / "serve.toml"
    config.write_text("[limits]\npatience = 1.0\n")
    with server(tmp_path / "home", "--config", str(config), "--workers", "0") as one:
        json = b"Host: localhost\r\nContent-Type: application/json\r\n"
        order = b"POST /api/v1/jobs HTTP/1.1\r\n" + json
        told = ask(one.port, order + b"Content-Length: 10000000000\r\n\r\n")
        assert b" 413 " in told.split(b"\r\n")[0]
        piece = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        head = order + b"Transfer-Encoding: chunked\r\n\r\n"
        told = ask(one.port, head, (piece for _ in range(10_000)))
        assert b" 413 " in told.split(b"\r\n")[0]
        # Also where the app answers before it has read the body, which nobody reads then.
        upload = b"PUT /api/v1/targets/No_Name/pictures/a.png HTTP/1.1\r\nHost: localhost\r\n"
        told = ask(
            one.port, upload + b"Transfer-Encoding: chunked\r\n\r\n", (piece for _ in range(99))
        )
        assert b" 422 " in told.split(b"\r\n")[0] and b"onnection: close" in told
        began = time.monotonic()
        told = ask(one.port, order + b"Content-Length: 100\r\n\r\n", [b"{"])
        assert b" 408 " in told.split(b"\r\n")[0]
        assert time.monotonic() - began < 10
        assert resident(one.process.pid) < 64
        assert one.stop() == 0


# ------------------------------------------------------------------------------------------ heads


@pytest.mark.parametrize(
    "path",
    [
        *("/api/v1/jobs", "/api/v1/openapi.json", "/health/live", "/metrics"),
        *("/api/v1/jobs/none", "/api/v1/nothing", "/api/v1/check"),
        *("/", "/datasets", "/datasets/none", "/login", "/static/pages.css"),
    ],
)
def test_head_answers_as_get_does_without_the_body(client, path):
    got, head = client.get(path), client.head(path)
    assert head.status_code == got.status_code
    assert head.content == b""
    assert got.content
    for name in ("content-type", "etag", "allow", "content-security-policy"):
        assert head.headers.get(name) == got.headers.get(name)
    if path != "/metrics":  # which counts what was asked
        assert head.headers["content-length"] == str(len(got.content))


def test_head_needs_a_token_where_get_does(locked):
    assert locked.head("/api/v1/jobs").status_code == 401
    browser = {"Accept": "text/html"}
    there = locked.head("/jobs", headers=browser, follow_redirects=False)
    assert (there.status_code, there.headers["location"]) == (303, "/login?to=/jobs")
    bearer = {"Authorization": f"Bearer {SECRET}"}
    assert locked.head("/api/v1/jobs", headers=bearer).status_code == 200


def test_head_is_counted_as_what_it_is(client):
    client.head("/api/v1/jobs")
    assert 'datagen_http_requests_total{method="HEAD",status="200"}' in client.get("/metrics").text


def test_head_of_what_has_no_end_is_answered_at_once(client):
    jobs = client.app.state.service.jobs
    job = jobs.make("generate", {"out": "/elsewhere"}, None)  # nobody carries it out
    answer = client.head(f"/api/v1/jobs/{job.id}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.content == b""


def test_head_ends_who_would_send_more():
    sent: list[str] = []

    async def long(scope, receive, send):
        assert scope["method"] == "GET"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        sent.append("a body that nobody gets")

    async def told(message):
        sent.append(message["type"])

    async def nothing():
        raise AssertionError("HEAD has no body")

    asyncio.run(Heads(long)({"type": "http", "method": "HEAD"}, nothing, told))
    assert sent == ["http.response.start", "http.response.body"]


def test_head_leaves_a_connection_that_can_be_used(tmp_path):
    """What a real server makes of it: nothing of a body comes before the next answer."""
    with server(tmp_path / "home", "--workers", "0") as one:
        with socket.create_connection(("127.0.0.1", one.port), timeout=10) as connection:
            for path in ("/api/v1/openapi.json", "/api/v1/jobs/none", "/health/live"):
                asked = f"HEAD {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
                connection.sendall(asked.encode())
                answer = b""
                while b"\r\n\r\n" not in answer:
                    answer += connection.recv(1 << 16)
                assert answer.startswith(b"HTTP/1.1 ")
                assert answer.endswith(b"\r\n\r\n")
        assert one.stop() == 0


# ------------------------------------------------------------------------------------------ words


def test_what_the_library_says_names_addresses_and_no_path_of_the_server(tmp_path):
    shared = tmp_path / "photos"
    shared.mkdir()
    (tmp_path / "real").mkdir()
    (tmp_path / "home").symlink_to(tmp_path / "real")
    jobs = str(tmp_path / "queue")
    with app(tmp_path / "home", jobs=jobs, targets={"oslo": str(shared)}) as client:
        said = client.app.state.service.home.named
        for folder in ("home", "real"):
            text = f"{tmp_path / folder}/runs/a: another run (pid 7) is writing here"
            assert said(text) == "runs/a: another run (pid 7) is writing here"
        assert said(f"{jobs}/abc/state.json: is damaged") == "jobs/abc/state.json: is damaged"
        assert said(f"{shared}: holds no picture") == "targets/oslo: holds no picture"
        assert said(f"`{shared}/a.png`") == "`targets/oslo/a.png`"
        assert said(f"{shared}-2: is not ours") == f"{shared}-2: is not ours"


def test_who_is_refused_since_another_writes_there_is_told_the_name(tmp_path):
    with app(tmp_path / "home") as client:
        folder = tmp_path / "home" / "datasets" / "town"
        folder.mkdir()
        (folder / "recipe.json").write_text("{}")
        order = {"verb": "generate", "world": {"recipe": "colored_shapes"}, "name": "town"}
        with writing(folder):
            answer = client.post("/api/v1/jobs", json=order)
        is_problem(answer, 503, "datasets/town: another run")
        assert "/tmp" not in answer.text
