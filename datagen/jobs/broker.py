"""The broker's address: told apart, shown without its password, and tried."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from datagen.errors import InputError
from datagen.jobs.address import shown

NAMES = ("DATAGEN_BROKER", "CELERY_BROKER_URL")  # in the environment; the first one set counts
_LOCAL = ("localhost", "127.0.0.1", "::1")
_TRIED = 5.0  # seconds for an answer


@dataclass(frozen=True)
class Broker:
    """Where Redis is. `url` may hold a password: `name` is what may be shown."""

    url: str

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            whole = bool(parts.hostname) and parts.path.strip("/").isdecimal() | (parts.path in "/")
            good = parts.scheme in ("redis", "rediss") and whole and (parts.port or 1) > 0
        except ValueError:  # a port that is no number
            good = False
        if not good:
            raise InputError(
                "the broker must be given as redis://[USER:PASSWORD@]HOST[:PORT][/NUMBER], or "
                f"rediss:// with TLS; got {_presentable(self.url)}"
            )

    @property
    def name(self) -> str:
        """The same for every way to write one address, without user and password."""
        parts = self._parts
        host = "127.0.0.1" if self.is_local else str(parts.hostname)
        host = f"[{host}]" if ":" in host else host
        return f"{parts.scheme}://{host}:{parts.port or 6379}/{parts.path.strip('/') or 0}"

    @property
    def is_local(self) -> bool:
        return self._parts.hostname in _LOCAL

    @property
    def danger(self) -> str | None:
        """What a stranger in the network could do; None where nothing is known."""
        if self.is_local:
            return None
        if not self._parts.password:
            return f"{self.name} is asked for without a password: who reaches it can disturb jobs"
        if self._parts.scheme != "rediss":
            return f"{self.name} is reached without TLS: who listens on the way reads its password"
        return None

    @property
    def _parts(self) -> SplitResult:
        return urlsplit(self.url)

    def answers(self) -> bool:
        """Whether it can be reached now; InputError where it refuses us for good."""
        # Slow to import, and every verb that can be queued imports this module.
        from redis import Redis, exceptions

        client = Redis.from_url(
            self.url, socket_connect_timeout=_TRIED, socket_timeout=_TRIED, retry=None
        )
        try:
            return bool(client.ping())
        except exceptions.AuthenticationError as error:
            raise InputError(
                f"the broker at {self.name} refuses user or password ({error})"
            ) from error
        except (exceptions.ConnectionError, exceptions.TimeoutError):
            return False
        except exceptions.RedisError as error:
            raise InputError(f"the broker at {self.name} cannot be used: {error}") from error
        finally:
            client.close()


def chosen(given: str | None, environment: Mapping[str, str] = os.environ) -> Broker | None:
    """The broker of an option, else that of the environment; None when there is neither."""
    url = given or next((environment[name] for name in NAMES if environment.get(name)), None)
    return None if url is None else Broker(url)


def _presentable(url: str) -> str:
    """What was given, unless a password may hide in it where none should be."""
    text = shown(url) if "://" in url else "@"
    return "something else" if "@" in text or not urlsplit(url).netloc else text[:80]
