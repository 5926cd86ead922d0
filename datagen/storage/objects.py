"""The objects below one address: read, listed, written; each is whole or absent at any moment.

No other module knows of s3fs. Of all the file systems that speak fsspec's language only this one
was read for what matters here: its `mode="create"` is one conditional PUT (If-None-Match: *), while
the common one looks first and writes then, which two workers can do at once.
"""

import errno
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from datagen.errors import DatagenError, InputError, MissingError, StoreError
from datagen.storage.address import Address

if TYPE_CHECKING:
    from s3fs import S3FileSystem

AT_ONCE = 16  # requests of one process under way
_PATIENCE = 60.0  # seconds for which a request is made again that fails for a passing reason
_FIRST = 5.0  # the same for the first one, behind which a wrong address is more likely
_PAUSES = (0.2, 5.0)  # seconds between two tries: at first, and at most
_PASSING = (errno.EIO, errno.EBUSY, errno.EREMOTEIO)  # 500, 503, 409, and what s3fs has no name for
_ABSENT = ("NoSuchKey", "404")
_THERE = ("PreconditionFailed", "412")

Item = TypeVar("Item")
Result = TypeVar("Result")


class Objects:
    """Names are relative to the address, as `shards/00000000-00000064/shard.json`."""

    def __init__(self, at: Address) -> None:
        """Makes one request; raises what keeps all others from being answered."""
        self.at = at
        self._system = _system()
        self._patience = _FIRST
        self._page("", {"MaxKeys": 1})
        self._patience = _PATIENCE

    # ---------------------------------------------------------------------------------- reading

    def read(self, name: str) -> bytes | None:
        """None where it is not there."""
        try:
            # With one part at a time nobody asks for the size first.
            return self._try(self._system.cat_file, self._path(name), max_concurrency=1)
        except _Absent:
            return None

    def has(self, name: str) -> bool:
        key = {"Bucket": self.at.bucket, "Key": f"{self.at.prefix}/{name}"}
        try:
            self._try(self._system.call_s3, "head_object", **key)
        except _Absent:
            return False
        return True

    def download(self, name: str, path: Path) -> bool:
        """Into a file, which is not whole before the end; False where it is not there."""
        try:
            self._try(self._system.get_file, self._path(name), str(path))
        except _Absent:
            return False
        return True

    def below(self, folder: str = "") -> tuple[list[str], list[str]]:
        """Names of the objects directly below, and of what would be folders."""
        names: list[str] = []
        folders: list[str] = []
        start, more = len(f"{self.at.prefix}/{folder}"), {"Delimiter": "/"}
        while True:
            page = self._page(folder, more)
            keys = [entry["Key"] for entry in page.get("Contents", ())]
            places = [entry["Prefix"].rstrip("/") for entry in page.get("CommonPrefixes", ())]
            names += [key[start:] for key in keys]
            folders += [place[start:] for place in places]
            if not page.get("IsTruncated"):
                return names, folders
            more = {"Delimiter": "/", "ContinuationToken": page["NextContinuationToken"]}

    def _page(self, folder: str, more: dict[str, Any]) -> dict[str, Any]:
        where = {"Bucket": self.at.bucket, "Prefix": f"{self.at.prefix}/{folder}"}
        return self._try(self._system.call_s3, "list_objects_v2", **where, **more)

    # ---------------------------------------------------------------------------------- writing

    def create(self, name: str, path: Path) -> bool:
        """Write a file's content, unless the object is there: then it stays, and this is False.

        An earlier try of the same request may have come through without its answer, so False
        says nothing about who wrote what is there.
        """
        try:
            self._try(self._system.put_file, str(path), self._path(name), mode="create")
        except _There:
            return False
        return True

    def write(self, name: str, path: Path) -> None:
        """Write a file's content over whatever is there."""
        self._try(self._system.put_file, str(path), self._path(name))

    def delete(self, name: str) -> None:
        key = {"Bucket": self.at.bucket, "Key": f"{self.at.prefix}/{name}"}
        self._try(self._system.call_s3, "delete_object", **key)

    def each(self, act: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """`act` on all items, several at once; results in the order of completion."""
        waiting: set[Future[Result]] = set()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            try:
                for item in items:
                    if len(waiting) >= 2 * AT_ONCE:  # a million futures would need memory
                        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                        yield from (one.result() for one in done)
                    waiting.add(pool.submit(act, item))
                while waiting:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    yield from (one.result() for one in done)
            finally:
                for one in waiting:
                    one.cancel()

    # ----------------------------------------------------------------------------------- trying

    def _path(self, name: str) -> str:
        return f"{self.at.bucket}/{self.at.prefix}/{name}"

    def _try(self, act: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Do it, again and again while it fails for a passing reason.

        Raises _Absent and _There, an error of this machine's disk as it is, all else as ours.
        """
        from aiohttp import ClientError as BrokenAnswer
        from botocore.exceptions import BotoCoreError, ClientError

        of_the_net = (BotoCoreError, ClientError, BrokenAnswer, TimeoutError, ConnectionError)
        end = time.monotonic() + self._patience
        pause, longest = _PAUSES
        while True:
            try:
                return act(*args, **options)
            except (OSError, *of_the_net) as error:
                code = _code(error)
                if code in _ABSENT:
                    raise _Absent from error
                if code in _THERE:
                    raise _There from error
                if code is None and not isinstance(error, of_the_net):
                    raise
                if not _may_pass(error) or time.monotonic() + pause > end:
                    raise self._told(error) from error
            time.sleep(pause)
            pause = min(2 * pause, longest)

    def _told(self, error: Exception) -> DatagenError:
        """What a person is told about a request that failed."""
        if _may_pass(error):
            return StoreError(
                f"{self.at}: the store cannot be reached, or fails ({error}); what was published "
                "is safe: run the same command with --resume when it is back"
            )
        if isinstance(error, FileNotFoundError):
            return InputError(f"{self.at}: there is no bucket {self.at.bucket}; make it first")
        return InputError(
            f"{self.at}: {error}; credentials come from the environment (AWS_ACCESS_KEY_ID, "
            "AWS_SECRET_ACCESS_KEY) or from ~/.aws, the server from AWS_ENDPOINT_URL"
        )


class _Absent(Exception):
    """There is no such object."""


class _There(Exception):
    """There is such an object, and there should not be."""


def _system() -> "S3FileSystem":
    try:
        from s3fs import S3FileSystem
    except ModuleNotFoundError as error:
        raise MissingError("s3:// needs the package s3fs: pip install 'datagen[s3]'") from error
    retries = {"mode": "standard", "total_max_attempts": 2}  # `_try` has more patience
    return S3FileSystem(
        config_kwargs={"max_pool_connections": AT_ONCE, "retries": retries},
        use_listings_cache=False,  # others write there too
        skip_instance_cache=True,
    )


def _code(error: Exception) -> str | None:
    """What the server calls it, which s3fs keeps in the cause; None where no server said it."""
    for one in (error, error.__cause__):
        answer = getattr(one, "response", None)
        if isinstance(answer, dict):
            return str(answer.get("Error", {}).get("Code"))
    return None


def _may_pass(error: Exception) -> bool:
    """Whether the same request may be answered in a while."""
    from botocore.exceptions import BotoCoreError, HTTPClientError
    from botocore.exceptions import ConnectionError as NoConnection

    if isinstance(error, BotoCoreError):
        return isinstance(error, NoConnection | HTTPClientError)
    if isinstance(error, OSError) and _code(error) is not None:
        return isinstance(error, TimeoutError) or error.errno in _PASSING
    return True
