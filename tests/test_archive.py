"""The archive of a dataset is made while it is read: little is held, and nothing is made up."""

import io
import tarfile
import tracemalloc

import pytest

from datagen.dataset import archive, listing, store
from datagen.dataset.archive import Member
from datagen.errors import InputError


def unpacked(pieces) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


@pytest.mark.parametrize("name", ["a", "x" * 100, "x" * 101, f"{'d' * 150}/{'x' * 120}", "ü" * 60])
@pytest.mark.parametrize("size", [0, 1, 512, 600_000])
def test_what_goes_in_comes_out_and_the_size_is_known_before(tmp_path, name, size):
    (tmp_path / "file").write_bytes(b"z" * size)
    members = [Member(name, size, "file"), Member("b", 3, b"abc")]
    pieces = list(archive.stream(tmp_path, members))
    assert unpacked(pieces) == {name: b"z" * size, "b": b"abc"}
    assert sum(map(len, pieces)) == archive.size_of(members)


def test_the_size_of_a_huge_file_is_known_before():
    huge = 1 << 40
    assert archive.size_of([Member("a", huge, "a")]) == huge + 512 + 2 * 512 + 2 * 512


@pytest.mark.parametrize("start", [0, 1, 511, 512, 513, 514, 515, 516, 1024, 1030, 2000, 3000])
def test_an_archive_can_begin_anywhere(tmp_path, start):
    (tmp_path / "file").write_bytes(b"12345")
    members = [Member("a", 5, "file"), Member("b", 3, b"abc")]
    whole = b"".join(archive.stream(tmp_path, members))
    assert b"".join(archive.stream(tmp_path, members, start)) == whole[start:]


def test_a_large_file_is_never_in_memory(tmp_path):
    size = 64 << 20
    with (tmp_path / "large").open("wb") as file:
        file.truncate(size)
    tracemalloc.start()
    try:
        sent = sum(map(len, archive.stream(tmp_path, [Member("large", size, "large")])))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sent == size + 3 * 512
    assert peak < 4 << 20


@pytest.mark.parametrize("size", [4, 6])
def test_a_file_of_another_length_ends_the_archive(tmp_path, size):
    (tmp_path / "file").write_bytes(b"12345")
    with pytest.raises(InputError, match="written with"):
        list(archive.stream(tmp_path, [Member("a", size, "file")]))


@pytest.mark.parametrize("name", ["../out", "/etc/passwd", "a/../../out", "link", "dir/in", "dir"])
def test_no_name_leads_out_of_the_folder(tmp_path, name):
    folder = tmp_path / "dataset"
    folder.mkdir()
    (tmp_path / "out").write_text("secret")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "in").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "out")
    (folder / "dir").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError):
        store.inside(folder, name)
    with pytest.raises(InputError):
        list(archive.stream(folder, [Member("a", 6, name)]))


@pytest.mark.parametrize("text", ["", "{\n", '{\n"a": 1\n}\n', '{\n"a": \n'])
def test_a_manifest_that_is_none_of_ours_is_told(tmp_path, text):
    (tmp_path / listing.FILE).write_text(text)
    with pytest.raises(InputError):
        listing.head(tmp_path)


@pytest.mark.parametrize("line", ['"a": {}', '"a": {"size": "x"}', '"a": 3', "no"])
def test_a_file_without_a_size_is_told(tmp_path, line):
    (tmp_path / listing.FILE).write_text('{\n"files": {\n' + line + "\n}\n}\n")
    with pytest.raises(InputError):
        list(listing.files(tmp_path))
