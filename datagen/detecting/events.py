"""Readings for TensorBoard, where its package is installed: the extra `track`."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import util
from pathlib import Path
from typing import Any

FOLDER = "tensorboard"  # in the run's

Log = Callable[[int, Mapping[str, float]], None]  # step, readings


@contextmanager
def opened_events(run: Path) -> Iterator[Log]:
    """Writes the readings of each step; without the package, nothing."""
    if util.find_spec("tensorboard") is None:
        yield lambda step, values: None
        return
    with ExitStack() as stack:
        writer: Any = None

        def log(step: int, values: Mapping[str, float]) -> None:
            nonlocal writer
            if writer is None:
                writer = _opened(run / FOLDER, step)
                stack.callback(writer.close)
            for name, value in values.items():
                writer.add_scalar(name, value, step)

        yield log


def _opened(folder: Path, step: int) -> Any:
    """A writer whose readings count from `step` on; those of a run that was killed later do not."""
    from torch.utils.tensorboard import SummaryWriter  # seconds to load

    return SummaryWriter(str(folder), purge_step=step)
