"""datagen serve"""

import hashlib
import os
from pathlib import Path
from typing import Annotated, Any

from typer import Context, Option

from datagen.cli.options import pairs
from datagen.decoding import decode, parse_toml, read_text
from datagen.errors import InputError, MissingError
from datagen.jobs.broker import chosen
from datagen.settings.serve import Serve

Config = Annotated[
    Path | None, Option("--config", metavar="FILE", help="TOML; options here come before it.")
]
Host = Annotated[str | None, Option("--host", help="Where to listen; 127.0.0.1 unless told.")]
Port = Annotated[int | None, Option("--port", min=0, max=65535, help="8000 unless told.")]
HomeFolder = Annotated[
    Path | None, Option("--home", metavar="DIR", help="What is made lies there; out/service.")
]
JobsIn = Annotated[
    Path | None, Option("--jobs", metavar="DIR", help="The jobs folder; else in --home.")
]
Broker = Annotated[
    str | None, Option("--broker", metavar="URL", help="Redis of workers that do the work.")
]
Workers = Annotated[
    int | None, Option("--workers", min=0, max=256, help="Processes here; 0: others do it.")
]
Targets = Annotated[
    list[str] | None,
    Option("--target", metavar="NAME=DIR", help="A folder of photos to learn from; repeatable."),
]
CAP = 1_000_000  # bytes of a configuration


def command(
    context: Context,
    config: Config = None,
    host: Host = None,
    port: Port = None,
    home: HomeFolder = None,
    jobs: JobsIn = None,
    broker: Broker = None,
    workers: Workers = None,
    target: Targets = None,
) -> None:
    """Goes on until Ctrl-C or SIGTERM. Beyond this machine it needs a token: DATAGEN_TOKEN."""
    given = {"host": host, "port": port, "home": home, "jobs": jobs, "workers": workers}
    settings = settings_of(config, given, pairs("--target", target or (), "NAME=DIR"))
    try:
        from datagen.web.serving import serve
    except ModuleNotFoundError as error:
        if error.name not in ("fastapi", "starlette", "uvicorn", "python_multipart"):
            raise
        raise MissingError("this needs the extra `web`: pip install 'datagen[web]'") from error
    serve(settings, chosen(broker), context.obj.say)


def settings_of(config: Path | None, given: dict[str, Any], targets: dict[str, str]) -> Serve:
    """From the file, the options, and DATAGEN_TOKEN; InputError where a token is missing."""
    data = {} if config is None else parse_toml(read_text(config, CAP), str(config))
    data |= {name: _plain(value) for name, value in given.items() if value is not None}
    data["targets"] = {**data.get("targets", {}), **targets}
    if secret := os.environ.get("DATAGEN_TOKEN"):
        digest = hashlib.sha256(secret.encode()).hexdigest()
        data["tokens"] = {**data.get("tokens", {}), "environment": {"sha256": digest}}
    settings = decode(Serve, data, str(config or "datagen serve"))
    if settings.host not in ("127.0.0.1", "localhost", "::1") and not settings.tokens:
        raise InputError(
            f"--host {settings.host}: others can reach this address; set DATAGEN_TOKEN to a long "
            "secret, or [tokens] in --config, and put a proxy with TLS in front"
        )
    return settings


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
