"""A datagen server from Python: `Client("http://127.0.0.1:8000")`.

Requests and answers are those of `datagen.web.types`. It needs httpx2, of the extra `web`.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import quote

from datagen.client import following, uploading
from datagen.client.download import DATASETS, bring
from datagen.client.wire import Wire
from datagen.errors import InputError
from datagen.jobs.ledger import State
from datagen.progress import Advance
from datagen.web import types
from datagen.web.home import MADE

Item = TypeVar("Item", bound=types.Message)
_MOST = 200  # items of a part of a list


class _Named(types.Message):
    name: str


def _silent(done: int, total: int, words: str) -> None:
    pass


class Client:
    """A server, and who asks it.

    Every method raises a DatagenError with the server's own words: InputError for what is refused
    or not there (GrammarError with line and column), BusyError for what is in use, DiskFullError
    and MissingError for what the server lacks, ServerError where it fails or cannot be reached.

    Where a connection is lost, or a proxy answers for a server that is away, the request is sent
    again until `patience` is over. All requests may come twice: nothing is done twice.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        timeout: float = 120.0,
        patience: float = 60.0,
    ) -> None:
        """Timeout: seconds without a byte of an answer; patience: seconds of trying again."""
        self._wire = Wire(url, token, timeout=timeout, patience=patience)

    @property
    def url(self) -> str:
        """Without a token, and without a slash at its end."""
        return self._wire.url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the connections go."""
        self._wire.close()

    # --------------------------------------------------------------------------------------- jobs

    def submit(self, order: types.AnyOrder, *, key: str | None = None) -> types.Job:
        """Queue a job: types.Generate, Learn, Train, Evaluate or Export.

        However often it is sent, it makes one job. With a `key` of your own that holds for several
        calls, too: the same key and order give the same job, in another process and next week.
        BusyError for a name that is taken, and over a quota.
        """
        headers = {"Idempotency-Key": key or secrets.token_hex(16)}
        plain = order.model_dump(mode="json")
        return self._wire.one(types.Job, "POST", "/api/v1/jobs", plain, headers=headers)

    def jobs(self, *, state: State | None = None, verb: str | None = None) -> Iterator[types.Job]:
        """The newest first."""
        return self._listed(types.Job, "/api/v1/jobs", {"state": state, "verb": verb})

    def job(self, name: str) -> types.Job:
        """How it stands; with its result, once it is done."""
        return self._wire.one(types.Job, "GET", _job(name))

    def follow(
        self, name: str, *, said: Callable[[str], object] = lambda line: None
    ) -> Iterator[types.Job]:
        """The job whenever it has changed, until its end; `said` gets each line of its log.

        By server-sent events; by asking once a second where something on the way holds them up.
        """
        return following.follow(self._wire, _job(name), said)

    def log(self, name: str) -> types.Log:
        """What happened to it: the last thousand lines."""
        return self._wire.one(types.Log, "GET", f"{_job(name)}/log")

    def cancel(self, name: str) -> types.Job:
        """Stop it; what is published is kept. One that has ended stays as it is."""
        return self._wire.one(types.Job, "POST", f"{_job(name)}/cancel")

    def retry(self, name: str) -> types.Job:
        """Let it go on where it ended without being done. BusyError where it is about to stop."""
        return self._wire.one(types.Job, "POST", f"{_job(name)}/retry")

    def remove(self, name: str) -> None:
        """Forget a job that has ended; what it made stays. BusyError where it has not ended."""
        self._wire.ask("DELETE", _job(name))

    # ----------------------------------------------------------------------------------- datasets

    def datasets(self) -> Iterator[types.Dataset]:
        """Finished, or under way; the newest first."""
        return self._listed(types.Dataset, "/api/v1/datasets")

    def dataset(self, name: str) -> types.Dataset:
        return self._wire.one(types.Dataset, "GET", _dataset(name))

    def images(
        self,
        name: str,
        *,
        category: str | None = None,
        least_visible: float | None = None,
        factor: tuple[str, str] | None = None,
    ) -> Iterator[types.Image]:
        """By index; of a dataset under way, those that are published.

        `category` and `least_visible` (0 to 1) ask for a thing of this class that shows so much of
        itself; `factor`, such as ("sky.shade", "cloudy"), for a value of the scene.
        """
        asked = {
            "category": category,
            "least_visible": least_visible,
            "factor": None if factor is None else "=".join(factor),
        }
        return self._listed(types.Image, f"{_dataset(name)}/images", asked)

    def verify(self, name: str) -> types.Verdict:
        """Whether every file of a dataset is what its manifest promises, and every label sound."""
        return self._wire.one(types.Verdict, "POST", f"{_dataset(name)}/verify")

    def download(self, what: str, out: str | Path, *, progress: Advance = _silent) -> Path:
        """Bring something complete into the new or empty folder `out`; gives that folder.

        `what` is the name of a dataset, or KIND/NAME, as `makes` of a job. Every file of a dataset
        is checked against its manifest. VerifyError for what is not whole, and `out` is not touched
        then. `progress` is told bytes. A connection that is lost goes on where it was.
        """
        kind, _, name = what.rpartition("/")
        out, kind = Path(out), kind or DATASETS
        if kind not in MADE.values():
            raise InputError(f"`{what}`: can be brought: {', '.join(MADE.values())}")
        bring(self._wire, kind, name, out, progress)
        return out

    def names(self, kind: str) -> list[str]:
        """Of all that the server has of a kind, such as "datasets" or "runs"; see web.home.KINDS.

        In the order of their addresses' lists: by name, or the newest first.
        """
        return [one.name for one in self._listed(_Named, f"/api/v1/{quote(kind, safe='')}")]

    def exports(self) -> Iterator[types.Exported]:
        """Datasets in other formats, those that are complete; the newest first."""
        return self._listed(types.Exported, "/api/v1/exports")

    # -------------------------------------------------------------------------- what jobs are given

    def targets(self) -> Iterator[types.Target]:
        """Folders of photos that may be learned from."""
        return self._listed(types.Target, "/api/v1/targets")

    def upload_target(
        self, name: str, folder: str | Path, *, progress: Advance = _silent
    ) -> types.Unpacked:
        """Make the target `name` of the PNG and JPEG pictures below a folder.

        A target of this name is added to; pictures of the same names are replaced. Gives what was
        taken, and what was left out and why. `progress` is told pictures.
        """
        place = f"/api/v1/targets/{quote(name, safe='')}"
        return uploading.upload(self._wire, place, Path(folder), progress)

    def check(self, text: str) -> types.Checked:
        """What a grammar makes, and its mistakes; GrammarError where it cannot be read."""
        asked = types.GrammarText(text=text).model_dump(mode="json")
        return self._wire.one(types.Checked, "POST", "/api/v1/check", asked)

    def preview(
        self,
        world: types.WorldOf,
        *,
        number: int = 12,
        seed: int | None = None,
        boxes: bool = True,
        masks: bool = True,
    ) -> bytes:
        """A contact sheet of the first images, as PNG; at most 36 of them."""
        asked = types.Preview(world=world, number=number, seed=seed, boxes=boxes, masks=masks)
        plain = asked.model_dump(mode="json")
        return self._wire.ask("POST", "/api/v1/previews", json=plain).content

    def _listed(
        self, kind: type[Item], path: str, asked: Mapping[str, Any] | None = None
    ) -> Iterator[Item]:
        given = {name: value for name, value in (asked or {}).items() if value is not None}
        cursor: dict[str, str] = {}
        while True:
            params = {**given, "limit": _MOST, **cursor}
            page = self._wire.one(types.Page[kind], "GET", path, params=params)
            yield from page.items
            if page.next is None:
                return
            cursor = {"cursor": page.next}


def _job(name: str) -> str:
    return f"/api/v1/jobs/{quote(name, safe='')}"


def _dataset(name: str) -> str:
    return f"/api/v1/datasets/{quote(name, safe='')}"
