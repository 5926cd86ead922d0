"""Photos that are uploaded: judged, counted, and never more of them in memory than a piece."""

import gzip
import http.client
import io
import json
import os
import resource
import socket
import struct
import tarfile
import time
import zlib
from contextlib import closing
from pathlib import Path

import pytest
import servers
from PIL import Image

from datagen.dataset.targets import load_targets
from datagen.files import is_locked
from datagen.jobs.ledger import Jobs
from datagen.web.uploads import stem_of

LIMITS = {"upload": 300_000, "pictures": 5, "target": 1 << 20, "targets": 3}


def png(colour="red", size=(20, 16), format="PNG"):
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, format)
    return file.getvalue()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def of_header(width, height, rest=b""):
    """A PNG that says how large it is, and then anything."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + rest + chunk(b"IDAT", b"x") * 2


def tar(*members, gz=False, **options):
    """A tar of (name, bytes) or of tarfile.TarInfo."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz" if gz else "w", **options) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member, io.BytesIO(b"x" * member.size))
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
    return file.getvalue()


def special(name, kind, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.fixture
def web(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "one.jpg").write_bytes(png(format="JPEG"))
    (photos / "notes.txt").write_text("no picture")
    with servers.app(tmp_path / "home", limits=LIMITS, targets={"place": str(photos)}) as client:
        yield client


def home_of(web):
    return web.app.state.service.home.folder


def put(web, name, file, data, **options):
    return web.put(f"/api/v1/targets/{name}/pictures/{file}", content=data, **options)


def pack(web, name, data):
    return web.post(f"/api/v1/targets/{name}/archive", content=data)


def problem(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()["detail"]


def files(web):
    """All that lies among the targets, hidden things included."""
    return sorted(p for p in (home_of(web) / "targets").rglob("*") if not p.is_dir())


def nothing_left(web):
    return list((home_of(web) / "targets").iterdir()) == []


# ---------------------------------------------------------------------------------------- pictures


def test_the_first_picture_makes_the_target_and_a_second_of_its_name_replaces_it(web):
    answer = put(web, "city", "a.png", png())
    assert answer.status_code == 201
    told = {"name": "city", "pictures": 1, "bytes": len(png()), "uploaded": True}
    assert answer.json() == told
    other = png("blue", (40, 40), "JPEG")
    assert put(web, "city", "a.png", other).status_code == 200
    assert put(web, "city", "b.png", png()).json()["pictures"] == 2
    assert web.get("/api/v1/targets/city").json() == told | {
        "pictures": 2,
        "bytes": len(other) + len(png()),
    }
    assert len(load_targets(home_of(web) / "targets" / "city", (16, 16)).images) == 2
    assert web.delete("/api/v1/targets/city").status_code == 204
    assert nothing_left(web)
    problem(web.get("/api/v1/targets/city"), 404)
    problem(web.delete("/api/v1/targets/city"), 404)


@pytest.mark.parametrize(
    "name",
    [
        "..%2f..%2fx.png",
        "..",
        "%2e%2e",
        "x%00.png",
        ".hidden.png",
        "a%20b<script>.png",
        "%F0%9F%98%80.png",
        "x" * 255,
        "CON.png",
        "--rf.png",
        "a%5c..%5cb.png",
        "a%0a.png",
    ],
)
def test_no_name_becomes_a_path(web, name):
    answer = web.put(f"/api/v1/targets/city/pictures/{name}", content=png())
    assert answer.status_code in (201, 404, 405), answer.text
    allowed = set("abcdefghijklmnopqrstuvwxyz0123456789-./")
    for path in files(web):
        assert path.parent == home_of(web) / "targets" / "city"
        assert set(path.name) <= allowed
        assert path.suffix == ".png"
    assert not [p for p in home_of(web).parent.rglob("*.png") if "targets" not in p.parts]


def test_names_on_the_disk_keep_the_order_and_the_folders_of_frames():
    frames = [f"Clip 1/Frame_{k:04d}.PNG" for k in range(30)]
    assert [stem_of(one) for one in frames] == sorted(stem_of(one) for one in frames)
    assert len({stem_of(one).partition("/")[0] for one in frames}) == 1
    assert stem_of("a/b/c.png").count("/") == 1
    assert stem_of("A.png") != stem_of("a.png")
    assert stem_of("ü.png") != stem_of("ö.png")


@pytest.mark.parametrize(
    ("data", "status", "words"),
    ids=lambda value: value if isinstance(value, str) else "",
    argvalues=[
        (b"", 415, "not a PNG or JPEG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "not a PNG or JPEG"),
        (b"SIMPLE  =                    T" * 100, 415, "not a PNG or JPEG"),
        (png(format="WEBP"), 415, "not a PNG or JPEG"),
        (png(format="TIFF"), 415, "not a PNG or JPEG"),
        (png(format="GIF"), 415, "not a PNG or JPEG"),
        (of_header(50_000, 50_000), 422, "million pixels"),
        (of_header(8000, 8000), 422, "more than 40 million pixels"),
        (of_header(7, 100), 422, "smaller than 8 px"),
        (of_header(64, 64, chunk(b"zTXt", b"k\0\0" + zlib.compress(b"x" * (4 << 20)))), 422, ""),
        (b"\x89PNG\r\n\x1a\n", 415, "not a PNG or JPEG"),
    ],
)
def test_what_is_no_picture_of_sound_size_leaves_nothing(web, data, status, words):
    assert words in problem(put(web, "city", "a.png", data), status)
    assert nothing_left(web)


def test_the_content_decides_and_never_the_name(web):
    put(web, "city", "a.png", png(format="JPEG"))
    put(web, "city", "b.exe", png())
    assert sorted(path.suffix for path in files(web)) == [".jpg", ".png"]


def test_there_are_no_more_pictures_bytes_or_targets_than_the_limits(web):
    for number in range(5):
        assert put(web, "city", f"{number}.png", png()).status_code == 201
    assert "5 pictures" in problem(put(web, "city", "5.png", png()), 413)
    assert put(web, "city", "4.png", png("blue")).status_code == 200
    large = of_header(64, 64, b"") + b"x" * 250_000
    for number in range(4):
        assert put(web, "large", f"{number}.png", large).status_code == 201
    assert "1,048,576 bytes" in problem(put(web, "large", "4.png", large), 413)
    assert web.get("/api/v1/targets/large").json()["pictures"] == 4
    put(web, "third", "a.png", png())
    assert "3 targets" in problem(put(web, "fourth", "a.png", png()), 409)
    names = [one["name"] for one in web.get("/api/v1/targets").json()["items"]]
    assert names == ["city", "large", "place", "third"]


def test_one_body_over_the_cap_is_refused_however_it_is_sent(web):
    assert "300,000" in problem(put(web, "city", "a.png", b"x" * 300_001), 413)

    def pieces():
        yield of_header(64, 64)
        for _ in range(40):
            yield b"x" * 10_000

    assert "300,000" in problem(put(web, "city", "a.png", pieces()), 413)
    assert nothing_left(web)


def test_a_folder_of_the_configuration_is_listed_and_stays(web):
    told = {"name": "place", "pictures": 1, "bytes": len(png(format="JPEG")), "uploaded": False}
    assert web.get("/api/v1/targets").json()["items"] == [told]
    for answer in (
        put(web, "place", "a.png", png()),
        pack(web, "place", tar(("a.png", png()))),
        web.delete("/api/v1/targets/place"),
    ):
        assert "configuration" in problem(answer, 409)
    assert sorted(p.name for p in (home_of(web).parent / "photos").iterdir()) == [
        "notes.txt",
        "one.jpg",
    ]


def test_names_of_targets_are_names(web):
    for name in ("..%2fx", "A", "a_b", "x" * 41, ".part"):
        assert put(web, name, "a.png", png()).status_code in (404, 422)
        assert web.get(f"/api/v1/targets/{name}").status_code in (404, 422)
    assert nothing_left(web)


def test_a_target_that_a_job_learns_from_stays_as_it_is(web):
    put(web, "city", "a.png", png())
    jobs = Jobs(home_of(web) / "jobs")
    folder = home_of(web) / "targets" / "city"
    job = jobs.make("learn", {"target": str(folder.resolve()), "out": "/x"}, None)
    web.app.state.service.overview.forget()
    for answer in (
        put(web, "city", "b.png", png()),
        pack(web, "city", tar(("b.png", png()))),
        web.delete("/api/v1/targets/city"),
    ):
        assert job.id in problem(answer, 409)
    assert put(web, "city2", "b.png", png()).status_code == 201
    job.cancel()
    web.app.state.service.overview.forget()
    assert put(web, "city", "b.png", png()).status_code == 201


def test_a_full_disk_is_told_and_leaves_nothing(web):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # as on a disk with a quota
    try:
        answer = put(web, "city", "a.png", of_header(64, 64) + b"x" * 200_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "full" in problem(answer, 507)
    assert nothing_left(web)


# ---------------------------------------------------------------------------------------- archives


@pytest.mark.parametrize("options", [{}, {"gz": True}, {"format": tarfile.GNU_FORMAT}])
def test_pictures_of_an_archive_are_taken_and_other_files_are_told(web, options):
    long = "a-folder-of-a-long-name/" * 5 + "x" * 90 + ".png"
    data = tar(
        special("photos", tarfile.DIRTYPE),
        ("photos/a.png", png()),
        ("photos/b.jpg", png(format="JPEG")),
        (long, png("blue")),
        ("photos/README", b"words"),
        ("photos/.DS_Store", b"words"),
        ("photos/._a.png", png()),
        ("photos/ü.png", png("green")),
        **options,
    )
    answer = pack(web, "city", data)
    assert answer.status_code == 200, answer.text
    assert answer.json()["taken"] == 4
    assert answer.json()["left_out"] == 1
    assert answer.json()["reasons"] == [
        {"name": "photos/README", "reason": "not a PNG or JPEG image"}
    ]
    assert answer.json()["target"]["pictures"] == 4
    stems = {stem_of(one) for one in ("photos/a.png", "photos/b.jpg", "photos/ü.png", long)}
    folder = home_of(web) / "targets" / "city"
    assert {str(p.relative_to(folder).with_suffix("")) for p in files(web)} == stems
    assert pack(web, "city", data).json()["target"]["pictures"] == 4  # the same again


BAD = {
    "absolute": tar(("a.png", png()), ("/etc/x.png", png())),
    "windows": tar(("C:\\x.png", png())),
    "up": tar(("a.png", png()), ("x/../../y.png", png())),
    "up as a folder": tar(special("../x", tarfile.DIRTYPE)),
    "a link": tar(("a.png", png()), special("x.png", tarfile.SYMTYPE, "/etc/passwd")),
    "a hard link": tar(("a.png", png()), special("x.png", tarfile.LNKTYPE, "a.png")),
    "a device": tar(special("x", tarfile.CHRTYPE)),
    "a pipe": tar(special("x", tarfile.FIFOTYPE)),
    "no tar": b"x" * 5000,
    "empty": b"",
    "half": tar(("a.png", png()), ("b.png", png() * 40))[:2000],
    "half, at the end of a file": tar(("a.png", png()), ("b.png", png()))[:1024],
    "half, gzipped": tar(("a.png", os.urandom(9000)), gz=True)[:5000],
    "a sum that is wrong": tar(("a.png", png())).replace(b"a.png", b"b.png", 1),
    "no picture": tar(("a.txt", b"words")),
    "sparse": tar(special("x.png", tarfile.GNUTYPE_SPARSE)),
}


@pytest.mark.parametrize("what", BAD)
def test_an_archive_with_anything_wrong_leaves_nothing(web, what):
    problem(pack(web, "city", BAD[what]), 422)
    assert nothing_left(web)


def test_an_archive_of_too_much_leaves_nothing(web):
    many = tar(*((f"{k}.png", png()) for k in range(6)))
    assert "5 pictures" in problem(pack(web, "city", many), 413)
    folders = tar(("a.png", png()), *(special(f"d{k}", tarfile.DIRTYPE) for k in range(40)))
    assert "20 entries" in problem(pack(web, "city", folders), 413)
    large = tar(("a.png", of_header(64, 64) + os.urandom(1000) + bytes(400_000)), gz=True)
    assert "300,000 bytes" in problem(pack(web, "city", large), 413)
    filling = of_header(64, 64) + os.urandom(4000) + bytes(290_000)
    over = tar(*((f"{k}.png", filling) for k in range(4)), gz=True)
    assert len(over) < 300_000
    assert "1,048,576 bytes" in problem(pack(web, "city", over), 413)
    assert nothing_left(web)


def test_an_archive_that_unfolds_without_end_is_given_up_early(web):
    bomb = gzip.compress(tar(("a.png", png()), (".hidden", bytes(200 << 20))))
    assert len(bomb) < 300_000
    began = time.process_time()
    assert "100 times" in problem(pack(web, "city", bomb), 422)
    assert time.process_time() - began < 3
    assert nothing_left(web)


def test_a_header_that_promises_gigabytes_takes_no_memory(web):
    head = tarfile.TarInfo("././@LongLink")
    head.type, head.size = tarfile.GNUTYPE_LONGNAME, 4 << 30
    data = head.tobuf(tarfile.GNU_FORMAT) + bytes(100_000)
    assert "header of more than" in problem(pack(web, "city", data), 422)
    head.type = tarfile.XHDTYPE
    for records in (b"9999999 path=x\n", b"0 path=x\n", b"x" * 30, b"24 size=99999999999999\n"):
        head.size = len(records)
        data = head.tobuf(tarfile.USTAR_FORMAT) + records + bytes(512 - len(records))
        problem(pack(web, "city", data + tar(("a.png", png()))), 422)
    assert nothing_left(web)


def test_a_name_in_an_extended_header_is_no_way_out(web):
    for name in ("../" * 60 + "x.png", "/" + "x/" * 60 + "x.png"):
        for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
            assert "absolute path" in problem(
                pack(web, "city", tar((name, png()), format=form)), 422
            )
    assert nothing_left(web)


# --------------------------------------------------------------------------- a server of its own


def resident(server, what):
    """Bytes: VmRSS now, VmHWM at most so far."""
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(what))


def begun(server, length):
    """A connection on which an upload has begun, and not ended."""
    connection = socket.create_connection(("127.0.0.1", server.port), 30)
    head = (
        f"PUT /api/v1/targets/city/pictures/a.png HTTP/1.1\r\nHost: 127.0.0.1\r\n{length}\r\n\r\n"
    )
    connection.sendall(head.encode() + (b"" if "chunked" in length else of_header(64, 64)))
    return connection


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with servers.server(tmp_path_factory.mktemp("served"), "--workers", "0") as one:
        yield one


def test_an_upload_as_large_as_the_cap_is_never_in_memory(server):
    before = resident(server, "VmRSS")
    data = of_header(64, 64) + bytes(60 << 20)
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        connection.request("PUT", "/api/v1/targets/city/pictures/a.png", data)
        assert json.loads(connection.getresponse().read())["bytes"] == len(data)
        connection.request("POST", "/api/v1/targets/city/archive", tar(("b.png", data)))
        assert json.loads(connection.getresponse().read())["taken"] == 1
    assert resident(server, "VmHWM") - before < 24 << 20


def test_ten_gigabytes_are_refused_at_the_cap(server):
    before = resident(server, "VmRSS")
    with begun(server, f"Content-Length: {10 << 30}") as said:
        assert said.recv(100).startswith(b"HTTP/1.1 413")
    with begun(server, "Transfer-Encoding: chunked") as silent:
        piece = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
        sent = 0
        try:
            while sent < 10 << 30:
                silent.sendall(piece)
                sent += 1 << 20
        except OSError:  # it hangs up
            pass
        assert sent <= 80 << 20
    assert resident(server, "VmHWM") - before < 24 << 20
    wait_for_nothing_aside(server)


def test_half_an_upload_leaves_nothing_when_either_side_dies(server):
    with begun(server, "Content-Length: 1000000"):
        wait_for(lambda: parts(server))
    wait_for_nothing_aside(server)
    with begun(server, "Content-Length: 1000000"):
        wait_for(lambda: parts(server))
        server.kill()
        assert parts(server)
        server.start()
    assert not parts(server)


def test_a_server_that_starts_beside_another_leaves_its_uploads(server):
    with begun(server, "Content-Length: 1000000"):
        wait_for(lambda: parts(server) and is_locked(parts(server)[0]))
        with servers.server(server.home, "--workers", "0"):
            assert parts(server)
    wait_for_nothing_aside(server)


def parts(server):
    return list((server.home / "targets").glob(".*"))


def wait_for(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def wait_for_nothing_aside(server):
    wait_for(lambda: not parts(server))
