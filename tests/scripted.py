"""A server that answers as a test tells it, also badly: for what real ones do seldom."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

PROBLEM = "application/problem+json"


@dataclass(frozen=True)
class Asked:
    """A request."""

    path: str
    headers: Message
    body: bytes


class Answer(BaseHTTPRequestHandler):
    """Each request takes the next step of the script."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *about: object) -> None:
        pass

    def _next(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.asked.append(Asked(self.path, self.headers, body))
        step = self.server.steps.pop(0)
        step(self)

    do_GET = do_POST = do_DELETE = do_PUT = _next

    def send(self, status: int, body: bytes, length: int | None = None, **headers: str) -> None:
        """An answer; one that says another `length` than it has breaks off."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        if length is not None:
            self.hang_up()

    def hang_up(self) -> None:
        """Break the connection off."""
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True


Step = Callable[[Answer], None]


def lost(answer: Answer) -> None:
    """No answer at all."""
    answer.hang_up()


def data(value: Any, status: int = 200, **headers: str) -> Step:
    body = json.dumps(value).encode()
    return lambda answer: answer.send(status, body, Content_Type="application/json", **headers)


def problem(status: int, detail: str, *, after: str | None = None, **more: Any) -> Step:
    body = json.dumps({"title": "t", "status": status, "detail": detail, **more}).encode()
    headers = {} if after is None else {"Retry-After": after}
    return lambda answer: answer.send(status, body, Content_Type=PROBLEM, **headers)


def page(status: int, **headers: str) -> Step:
    """What a proxy says."""
    return lambda answer: answer.send(status, b"<h1>no</h1>", Content_Type="text/html", **headers)


def events(*told: tuple[str, Any], breaks: bool = False) -> Step:
    """Server-sent events, and the end."""
    body = "".join(f"event: {name}\ndata: {json.dumps(value)}\n\n" for name, value in told)

    def step(answer: Answer) -> None:
        length = len(body) + 1 if breaks else None
        answer.send(200, body.encode(), length, Content_Type="text/event-stream")

    return step


@contextmanager
def scripted(*steps: Step) -> Iterator[ThreadingHTTPServer]:
    """Runs until the end; `asked` has the requests, `steps` what is left of the script."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.daemon_threads = True
    server.steps, server.asked = list(steps), []
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
