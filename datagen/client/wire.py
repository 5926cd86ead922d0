"""Requests that survive lost connections, and a server's problems as errors of ours."""

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2
from pydantic import BaseModel

from datagen import __version__
from datagen.errors import (
    BusyError,
    DatagenError,
    DiskFullError,
    GrammarError,
    InputError,
    MissingError,
    ServerError,
)

log = logging.getLogger(__name__)
Item = TypeVar("Item", bound=BaseModel)

PROBLEM = "application/problem+json"
AWAY = (429, 502, 503, 504)  # another attempt may go better
_CONNECT = 10.0  # seconds
_FIRST, _LONGEST = 0.25, 5.0  # seconds between two attempts
_KINDS: Mapping[int, type[DatagenError]] = {
    409: BusyError,
    429: BusyError,
    501: MissingError,
    507: DiskFullError,
}


class Lost(Exception):
    """An attempt that failed, where another one may go better."""

    def __init__(self, error: DatagenError, pause: float | None = None) -> None:
        """The error is for when patience is over; pause: seconds until the server wants it."""
        self.error, self.pause = error, pause
        super().__init__(str(error))


class Wire:
    """One server; safe to be used from several threads."""

    def __init__(self, url: str, token: str | None, *, timeout: float, patience: float) -> None:
        self.url = _sound(url)
        self._patience = patience
        headers = {"User-Agent": f"datagen/{__version__}", "Accept": f"application/json, {PROBLEM}"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        times = httpx2.Timeout(timeout, connect=_CONNECT)
        self._http = httpx2.Client(base_url=self.url, headers=headers, timeout=times)

    def close(self) -> None:
        self._http.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """The answer; what is refused is raised. The request must be one that may come twice."""
        attempts = self.attempts()
        while True:
            try:
                with self._told():
                    answer = self._http.request(
                        method, path, json=json, content=content, params=params, headers=headers
                    )
                if method == "DELETE" and answer.status_code == 404 and attempts.number:
                    return answer  # an attempt before this one did it
                self._refuse(answer)
                return answer
            except Lost as lost:
                attempts.again(lost)

    def one(self, kind: type[Item], method: str, path: str, json: Any = None, **more: Any) -> Item:
        """The answer as data. Keys that a newer server gives besides are left out."""
        content = self.ask(method, path, json=json, **more).content
        return kind.model_validate_json(content, extra="ignore")

    @contextmanager
    def stream(
        self, path: str, headers: Mapping[str, str], *, quiet: float | None = None
    ) -> Iterator[httpx2.Response]:
        """An answer that is read while it comes: one attempt, Lost where it breaks off.

        Quiet: seconds without a byte, after which it counts as lost.
        """
        times = httpx2.USE_CLIENT_DEFAULT if quiet is None else httpx2.Timeout(quiet)
        with (
            self._told(),
            self._http.stream("GET", path, headers=dict(headers), timeout=times) as answer,
        ):
            if not answer.is_success:
                answer.read()
                self._refuse(answer)
            yield answer

    def attempts(self) -> "Attempts":
        """For who reads streams."""
        return Attempts(self.url, self._patience)

    def _refuse(self, answer: httpx2.Response) -> None:
        """What an answer that is none raises; Lost where the next one may be one.

        The server itself says when to come again, or means its refusal; a proxy cannot know.
        """
        if answer.is_success:
            return
        error = error_of(answer, self.url)
        after = answer.headers.get("retry-after", "")
        if answer.status_code in AWAY and (after.isdecimal() or _problem(answer) is None):
            raise Lost(error, float(after) if after.isdecimal() else None)
        raise error

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except httpx2.TransportError as error:
            said = str(error).partition("\n")[0] or type(error).__name__
            raise Lost(ServerError(f"{self.url}: cannot be reached ({said})")) from error


class Attempts:
    """How often something was tried in a row, and whether it is tried once more."""

    def __init__(self, url: str, patience: float) -> None:
        self.number = 0  # that failed
        self._url, self._patience = url, patience
        self._end = time.monotonic() + patience

    def went_well(self) -> None:
        """From here on all patience is there again."""
        self.number, self._end = 0, time.monotonic() + self._patience

    def again(self, lost: Lost) -> None:
        """Wait for the next attempt; raises the error where patience is over."""
        pause = lost.pause or min(_LONGEST, _FIRST * 2**self.number)
        if time.monotonic() + pause > self._end:
            raise lost.error from lost.__cause__
        if self.number == 0:
            log.warning("%s; trying again", lost.error)
        self.number += 1
        time.sleep(pause)


def error_of(answer: httpx2.Response, url: str) -> DatagenError:
    """What a server says is wrong, as the error that it would be here."""
    said = _problem(answer)
    status = answer.status_code
    if said is None:
        kind = InputError if 400 <= status < 500 else ServerError
        return kind(f"{url}: answers {status} {answer.reason_phrase}; is this a datagen server?")
    text = str(said.get("detail", status))
    if text == said.get("title"):  # nothing but what the status means
        text = f"{url}{answer.request.url.path}: {text.lower()}"
    if isinstance(said.get("line"), int) and isinstance(said.get("column"), int):
        return _of_grammar(said, text)
    if status == 401:
        text += "; here by DATAGEN_TOKEN, or Client(url, token)"
    if status in _KINDS:
        return _KINDS[status](text)
    return InputError(text) if status < 500 else ServerError(f"{url}: {text}")


def _of_grammar(said: Mapping[str, Any], text: str) -> GrammarError:
    error = GrammarError(
        str(said.get("message", text)),
        path=str(said.get("path", "<text>")),
        line=said["line"],
        column=said["column"],
        remedy=str(said.get("remedy") or ""),
    )
    error.args = (text,)  # with the caret below the line, which only the server has
    return error


def _problem(answer: httpx2.Response) -> dict[str, Any] | None:
    if not answer.headers.get("content-type", "").startswith(PROBLEM):
        return None
    try:
        said = json.loads(answer.content)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def _sound(url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:  # a port that is no number
        good = False
    if not good or parts.query or parts.fragment:
        raise InputError(f"a server is given as http://HOST:PORT, or https://; got {url[:80]}")
    if parts.username or parts.password:
        raise InputError("a server's address holds no password; give the token by DATAGEN_TOKEN")
    return url.rstrip("/")
