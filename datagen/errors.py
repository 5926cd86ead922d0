"""Every error that datagen raises on purpose; the message says what, where, and what to do."""


class DatagenError(Exception):
    """Something went wrong while running; the command line exits with `exit_code`."""

    exit_code = 1


class InputError(DatagenError):
    """What the user gave cannot be used: an option, a path, an image, a file's content."""

    exit_code = 2


class RecipeError(InputError):
    """A recipe has an unknown key, a value out of range, or names something that is not there."""


class EditError(InputError):
    """A picture does not allow an edit that was asked of it: a move out of it, for example."""


class GrammarError(InputError):
    """A scene grammar is wrong; carries the place and shows it with a caret.

    `line` and `column` count from 1; `remedy` is the sentence that tells what to do.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str = "<text>",
        line: int = 1,
        column: int = 1,
        source: str = "",
        remedy: str = "",
    ) -> None:
        self.message, self.path, self.line, self.column = message, path, line, column
        self.source, self.remedy = source, remedy
        super().__init__(self._render())

    def _render(self) -> str:
        head = f"{self.path}:{self.line}:{self.column}: {self.message}"
        if self.remedy:
            head += f"; {self.remedy}"
        lines = self.source.splitlines()
        if not 1 <= self.line <= len(lines):
            return head
        # A caret under a very long line helps nobody: show a window around the column.
        start = max(0, self.column - 61)
        shown = lines[self.line - 1][start : start + 120].replace("\t", " ")
        return f"{head}\n    {shown}\n    {' ' * (self.column - 1 - start)}^"


class VerifyError(DatagenError):
    """A dataset is not what its manifest and its labels promise."""

    exit_code = 3


class PartialError(DatagenError):
    """Part of the work failed for good; the rest is published and can be resumed."""

    exit_code = 4


class MissingError(DatagenError):
    """A dependency, a device or a plug-in is not there."""

    exit_code = 5


class BusyError(DatagenError):
    """Another process is writing to the same folder."""


class DiskFullError(DatagenError):
    """The disk is full; what was published stays, and the run can be resumed."""


class StoreError(DatagenError):
    """An object store cannot be reached; what was published stays, and the run can be resumed."""


class ServerError(DatagenError):
    """A datagen server cannot be reached, or failed; what it has taken goes on."""


class Cancelled(DatagenError):
    """Somebody asked the job to stop; what was published stays, and the job can be resumed."""


class JobError(DatagenError):
    """A job came to no good end; the command exits as it would have without a queue."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        self.exit_code = exit_code
        super().__init__(message)


class Detached(DatagenError):
    """Nobody watches the job any more, by Ctrl-C; it goes on."""

    exit_code = 130


class RejectedError(DatagenError):
    """A picture's labels cannot be trusted; another attempt at the image may be better.

    The message says why, and what to do when all attempts end so. `score`, the higher the better,
    tells the best of them: a gate's agreement between picture and layout, for example.
    """

    def __init__(self, message: str, score: float) -> None:
        self.score = score
        super().__init__(message)


class AuditError(DatagenError):
    """A label breaks one of the product's promises; such a frame is never written."""


class ImageError(DatagenError):
    """One image cannot be made, whatever is tried; the other shards are not affected."""

    def __init__(self, message: str, index: int) -> None:
        self.index = index
        super().__init__(f"image {index}: {message}")
