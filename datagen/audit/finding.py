"""One broken promise."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """`annotation` is an instance id in a frame and an annotation id in a file."""

    code: str
    message: str
    image: int | None = None  # image id, in a file
    annotation: int | None = None
    file: str | None = None  # that is broken, relative to the dataset's folder
    severity: Literal["error", "warning"] = "error"
