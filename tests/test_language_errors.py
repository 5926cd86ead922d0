"""Every mistake in a grammar is told with its place and a remedy, and never as a traceback."""

import time
from pathlib import Path

import pytest

from datagen.errors import GrammarError, InputError
from datagen.language import load, parse

BAD = sorted((Path(__file__).parent / "scenes" / "bad").glob("*.scene"))
HEAD = "world w\ncanvas 64 x 64\nstart Scene\n"


def refusal(text: str) -> GrammarError:
    with pytest.raises(GrammarError) as caught:
        parse(text)
    return caught.value


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_grammar_is_refused_at_the_expected_place(path: Path) -> None:
    expected = path.read_text().splitlines()[0].removeprefix("# expect: ")
    with pytest.raises(GrammarError) as caught:
        load(path)
    first = str(caught.value).splitlines()[0]
    assert first.startswith(f"{path}:{expected}"), first
    assert caught.value.remedy
    assert caught.value.exit_code == 2


def test_the_caret_stands_under_the_mistake() -> None:
    error = refusal(HEAD + "Scene -> a\na { x: unifrom(0, 1) }\n")
    _, shown, caret = str(error).splitlines()
    assert shown[caret.index("^") :].startswith("unifrom")


def test_windows_line_ends_and_a_byte_order_mark_are_accepted(tmp_path: Path) -> None:
    path = tmp_path / "a.scene"
    path.write_bytes(b"\xef\xbb\xbf" + (HEAD + "Scene -> empty\n").replace("\n", "\r\n").encode())
    assert load(path) == parse(HEAD + "Scene -> empty\n")


def test_a_missing_file_a_folder_and_binary_data_are_named(tmp_path: Path) -> None:
    (tmp_path / "b.scene").write_bytes(b"world w\ncanvas \xff\xfe")
    for name, fragment in [
        ("none.scene", "no such file"),
        ("", "is a directory"),
        ("b.scene", ":2:8: this is not UTF-8 text"),
    ]:
        with pytest.raises(InputError, match=fragment):
            load(tmp_path / name)


def test_a_grammar_above_the_size_cap_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.scene"
    path.write_text("#" * 300_000)
    with pytest.raises(GrammarError, match="larger than 256 kB"):
        load(path)
    assert "larger than 256 kB" in str(refusal("#" * 300_000))


def test_a_string_that_is_never_closed_is_told_at_once() -> None:
    began = time.process_time()
    assert "never closed" in str(refusal(HEAD + '"' + '\\"' * 100_000))
    assert time.process_time() - began < 10  # it took minutes


def test_more_rules_or_alternatives_than_the_caps_are_refused() -> None:
    many = "".join(f"A{i} -> empty\n" for i in range(2001))
    assert "more than 2000 rules" in str(refusal(HEAD + many))
    wide = "Scene -> " + " | ".join(["empty"] * 257)
    assert "more than 256 alternatives" in str(refusal(HEAD + wide))


def test_an_unreachable_explosion_is_no_error() -> None:
    parse(HEAD + "Scene -> a\nWild -> Wild Wild [0.6] | a [0.4]\na {}\n")


def test_supercritical_recursion_passes_with_an_explicit_depth() -> None:
    grammar = parse(HEAD + "max_depth 9\nScene -> Scene Scene [0.6] | a [0.4]\na {}\n")
    assert grammar.max_depth == 9


def test_an_alternative_of_probability_zero_ends_nothing() -> None:
    assert "never ends" in str(refusal(HEAD + "Scene -> Scene a [1] | a [0]\na {}\n"))
