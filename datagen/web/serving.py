"""The server's process: it listens, says where, and ends in order."""

import logging
import socket
from collections.abc import Callable

import uvicorn

from datagen.errors import InputError
from datagen.jobs.broker import Broker
from datagen.jobs.stopping import stoppable
from datagen.settings.serve import Serve
from datagen.web.app import make_app
from datagen.web.service import make_service

_GRACE = 5  # seconds for answers that are under way at the end


def serve(settings: Serve, broker: Broker | None, say: Callable[[str], None]) -> None:
    """Answer until SIGTERM or SIGINT; InputError where nothing can listen, or write."""
    service = make_service(settings, broker)
    with stoppable(), _listening(settings) as heard:
        host, port = heard.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        say(f"datagen serves {service.home.folder} at http://{shown}:{port}")
        if service.keeper is None and broker is None:
            say(f"nobody here carries out jobs: start `datagen worker --jobs {service.home.jobs}`")
        config = uvicorn.Config(
            make_app(service),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE,
            limit_concurrency=1000,
            timeout_keep_alive=30,
        )
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        uvicorn.Server(config).run(sockets=[heard])


def _listening(settings: Serve) -> socket.socket:
    """A socket that listens; its port is known before anybody is told."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # With its protocol named, asyncio sends what is small at once (TCP_NODELAY).
    heard = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    heard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        heard.bind((settings.host, settings.port))
        heard.listen(2048)
    except OSError as error:
        heard.close()
        raise InputError(
            f"cannot listen at {settings.host}:{settings.port} ({error.strerror}); choose another "
            "--host or --port"
        ) from error
    return heard
