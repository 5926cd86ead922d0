"""Where a dataset is: the address `s3://bucket/prefix` of an object store, or a path, as text."""

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from datagen.digest import of_bytes
from datagen.errors import BusyError, InputError

SCHEME = "s3"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
_PART = re.compile(r"(?!\.\.?$)[A-Za-z0-9!_.'()=+,-]+")  # needs no escape in any tool


@dataclass(frozen=True)
class Address:
    """All objects of a dataset have names that begin with `prefix`/."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"{SCHEME}://{self.bucket}/{self.prefix}"

    @property
    def working_folder(self) -> Path:
        """For what this machine keeps while it works there; losing it costs downloads only.

        Each machine has its own: homes may be shared, and locks on them need not reach across.
        """
        cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
        name = of_bytes(str(self).encode())[:16]
        return cache / "datagen" / "stores" / socket.gethostname() / name


def is_url(text: str) -> bool:
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) is not None


def address(text: str) -> Address:
    """Read a URL; InputError, which tells no secret, for one that cannot be used."""
    scheme, _, rest = text.partition("://")
    if not is_url(text):
        raise InputError(f"this is no URL of an object store; write {SCHEME}://bucket/prefix")
    if scheme != SCHEME:
        raise InputError(
            f"{scheme}://...: datagen knows {SCHEME}://bucket/prefix and folders of this machine"
        )
    bucket, _, prefix = rest.partition("/")
    prefix = prefix.rstrip("/")
    if set("@:?#") & set(rest):
        raise InputError(
            f"{SCHEME}://...: leave user, password and options out of the URL; credentials come "
            "from the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) or from ~/.aws, and "
            "another server than Amazon's from AWS_ENDPOINT_URL"
        )
    if not _BUCKET.fullmatch(bucket):
        raise InputError(f"{text}: `{bucket}` cannot be a bucket; write {SCHEME}://bucket/prefix")
    if not all(map(_PART.fullmatch, prefix.split("/"))):
        raise InputError(
            f"{text}: name a place in the bucket, as {SCHEME}://{bucket}/streets/v1, in letters, "
            "digits and - _ . = + , ! ' ( )"
        )
    return Address(bucket, prefix)


def place_of(out: str | Path | Address) -> Path | Address:
    """Where somebody wants something: an address for a URL, else a folder."""
    if isinstance(out, str):
        # With one slash it would be a folder, and surely nobody means that.
        return address(out) if is_url(out) or out.startswith(f"{SCHEME}:/") else Path(out)
    return out


def quoted(place: Path | Address) -> str:
    """A path, or an address, as text that JSON can hold."""
    return quote(str(place) if isinstance(place, Address) else os.fsencode(place))


def unquoted(text: str) -> Path:
    """Undo `quoted` for a path."""
    return Path(os.fsdecode(unquote_to_bytes(text)))


def place_in(text: str) -> Path | Address:
    """Undo `quoted`; InputError for an address that is none."""
    plain = os.fsdecode(unquote_to_bytes(text))
    return address(plain) if is_url(plain) else Path(plain)


@contextmanager
def in_the_name_of(at: Address, *folders: Path) -> Iterator[None]:
    """What is wrong with folders that stand for an address is told of the address."""
    try:
        yield
    except (InputError, BusyError) as error:
        text = str(error)
        for folder in folders:
            text = text.replace(str(folder), str(at))
        raise type(error)(text) from error
