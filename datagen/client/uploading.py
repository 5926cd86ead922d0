"""Photos to a server's target."""

from pathlib import Path

from datagen.client.wire import Wire
from datagen.progress import Advance
from datagen.web import types


def upload(wire: Wire, name: str, folder: Path, progress: Advance) -> types.Target:
    raise NotImplementedError
