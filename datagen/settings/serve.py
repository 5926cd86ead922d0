"""What `datagen serve` may be told, with its defaults."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

NAME = r"^[a-z0-9-]{1,40}$"  # of everything that has an address on the server
Name = Annotated[str, Field(pattern=NAME)]


class _Section(BaseModel):
    # No Component: those are of recipes, and would load numpy into a process that stays small.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Quota(_Section):
    """What one who asks may have under way; more is refused with 429."""

    jobs: int = Field(default=100, ge=1)  # that have not ended
    images: int = Field(default=1_000_000, ge=1)  # of jobs of `generate` that have not ended
    previews: int = Field(default=4, ge=1)  # and checks, at once


class Token(_Section):
    """Who may ask from elsewhere: the sha256 of a secret, never the secret."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    quota: Quota = Quota()


class Limits(_Section):
    """What is refused before it is read, or before it takes too long."""

    body: int = Field(default=1 << 20, ge=1 << 10)  # bytes of a request, but for uploads
    upload: int = Field(default=64 << 20, ge=1 << 10)  # bytes of one picture, or of an archive
    pictures: int = Field(default=20_000, ge=1)  # of one target
    target: int = Field(default=4 << 30, ge=1 << 20)  # bytes of one target
    targets: int = Field(default=100, ge=1)  # that were uploaded
    texts: int = Field(default=1000, ge=1)  # recipes, and as many grammars, of the server's own
    patience: float = Field(default=20.0, gt=0)  # seconds without a byte of a request
    preview: float = Field(default=60.0, gt=0)  # seconds for a check or a preview
    memory: int = Field(default=2 << 30, ge=256 << 20)  # bytes, for the same


class Serve(_Section):
    """A server: where it listens, what it may touch, and who may ask."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)  # 0: any that is free
    home: str = "out/service"  # all that is uploaded or made lies there
    jobs: str | None = None  # the jobs folder; None: `jobs` in `home`
    workers: int | None = Field(default=None, ge=0, le=256)  # processes; None: the cores; 0: none
    hosts: tuple[str, ...] = ()  # names that a proxy in front of it is reached by
    targets: dict[Name, str] = Field(default_factory=dict)  # folders of photos that may be learned
    tokens: dict[Name, Token] = Field(default_factory=dict)  # none: who reaches it may ask
    quota: Quota = Quota()  # where there are no tokens
    limits: Limits = Limits()
