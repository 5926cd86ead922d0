"""Errors point into the user's text, and their kind decides the exit code."""

import pytest

from datagen import errors
from datagen.errors import DatagenError, GrammarError, ImageError, InputError, JobError

TEXT = "world w\nScene -> car *\ncar {}\n"


def rendered(column: int, source: str, line: int = 1) -> list[str]:
    return str(GrammarError("wrong", line=line, column=column, source=source)).split("\n")


def test_the_message_says_where_what_and_what_to_do_and_shows_the_line():
    error = GrammarError(
        "a count is missing", path="a.scene", line=2, column=14, source=TEXT, remedy="write `* 3`"
    )
    assert str(error) == (
        "a.scene:2:14: a count is missing; write `* 3`\n    Scene -> car *\n                 ^"
    )
    assert (error.path, error.line, error.column) == ("a.scene", 2, 14)
    assert (error.message, error.remedy) == ("a count is missing", "write `* 3`")


@pytest.mark.parametrize("column", [1, 5, 14])
def test_the_caret_stands_under_its_column(column):
    _, shown, caret = rendered(column, TEXT, line=2)
    assert shown[4:] == "Scene -> car *"
    assert caret.index("^") - 4 == column - 1


def test_the_caret_may_stand_behind_the_end_of_the_line():
    _, shown, caret = rendered(7, "abcdef")
    assert len(shown) == 10
    assert caret == " " * 10 + "^"


def test_a_tab_counts_as_one_column():
    _, shown, caret = rendered(3, "\t\tx")
    assert shown[caret.index("^")] == "x"
    assert "\t" not in shown


@pytest.mark.parametrize("column", [1, 60, 61, 62, 500, 5000])
def test_a_long_line_is_shown_as_a_window_around_the_column(column):
    line = "a" * (column - 1) + "!" + "b" * 3000
    _, shown, caret = rendered(column, line)
    assert shown[caret.index("^")] == "!"
    assert len(shown) <= 4 + 120


@pytest.mark.parametrize("line", [0, 4, 99])
def test_a_place_outside_the_text_shows_no_line(line):
    (head,) = rendered(1, TEXT, line=line)
    assert head == f"<text>:{line}:1: wrong"


def test_an_empty_text_shows_no_line():
    assert str(GrammarError("the text is empty")) == "<text>:1:1: the text is empty"


def test_an_image_error_carries_its_index():
    error = ImageError("too bright", 7)
    assert (str(error), error.index) == ("image 7: too bright", 7)


def test_an_error_of_a_job_has_the_exit_code_of_what_stopped_it():
    assert (JobError("partly", 4).exit_code, JobError("failed").exit_code) == (4, 1)


def test_every_error_is_one_of_ours_with_the_exit_code_of_its_kind():
    kinds = {v for v in vars(errors).values() if isinstance(v, type)}
    assert all(issubclass(kind, DatagenError) for kind in kinds)
    codes = {kind.__name__: kind.exit_code for kind in kinds}
    assert codes == {
        "DatagenError": 1,
        "InputError": 2,
        "RecipeError": 2,
        "EditError": 2,
        "GrammarError": 2,
        "VerifyError": 3,
        "PartialError": 4,
        "MissingError": 5,
        "BusyError": 1,
        "DiskFullError": 1,
        "StoreError": 1,
        "ServerError": 1,
        "Cancelled": 1,
        "JobError": 1,
        "Detached": 130,
        "RejectedError": 1,
        "AuditError": 1,
        "ImageError": 1,
    }
    assert issubclass(GrammarError, InputError)
