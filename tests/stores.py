"""An S3 server of our own, for tests only: moto's, which forgets everything at its end."""

import logging
from collections.abc import Callable
from pathlib import Path
from threading import Lock, Thread

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

BUCKET = "pictures"
Fault = Callable[[str, str], int | None]  # (method, key) -> status to answer with, or nothing


class Store:
    """What it holds outlasts `stop`; `fault` is asked before every request."""

    def __init__(self) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.fault: Fault | None = None
        self.ignores_conditions = False
        self.loses_answers = False  # to the first PUT of each object, which is done
        self._lost: set[str] = set()
        self.requests: list[tuple[str, str]] = []
        self._application = DomainDispatcherApplication(create_backend_app)
        # moto looks and writes in two steps; a store that may be used does both at once.
        self._one_writer = Lock()
        self.port = 0
        self.start()
        names = {
            "aws_access_key_id": "owner",
            "aws_secret_access_key": "x",
            "region_name": "us-east-1",
        }
        self._client = boto3.client("s3", endpoint_url=self.url, **names)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._server = make_server("127.0.0.1", self.port, self._answer, threaded=True)
        self.port = self._server.server_port
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, environ, start_response):
        method, key = environ["REQUEST_METHOD"], environ["PATH_INFO"].removeprefix(f"/{BUCKET}/")
        self.requests.append((method, key))
        if self.ignores_conditions:
            environ.pop("HTTP_IF_NONE_MATCH", None)
        status = self.fault(method, key) if self.fault is not None else None
        if status is not None:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start_response(f"{status} a fault", [("Content-Length", "0")])
            return []
        if method != "PUT":
            return self._application(environ, start_response)
        with self._one_writer:
            is_lost = self.loses_answers and key not in self._lost
            self._lost.add(key)
            answer = list(self._application(environ, _nobody if is_lost else start_response))
        if is_lost:
            start_response("503 lost", [("Content-Length", "0")])
        return [] if is_lost else answer

    def make(self, bucket: str) -> None:
        self._client.create_bucket(Bucket=bucket)

    def objects(self, prefix: str) -> dict[str, bytes]:
        """All below a prefix: relative name -> content."""
        found = {}
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=BUCKET, Prefix=f"{prefix}/"
        )
        for entry in (entry for page in pages for entry in page.get("Contents", ())):
            body = self._client.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"]
            found[entry["Key"].removeprefix(f"{prefix}/")] = body.read()
        return found

    def put(self, key: str, content: bytes) -> None:
        self._client.put_object(Bucket=BUCKET, Key=key, Body=content)

    def delete(self, key: str) -> None:
        self._client.delete_object(Bucket=BUCKET, Key=key)


def _nobody(status, headers, exc_info=None):
    """In place of the one who is told what the answer is."""


def files(folder: Path) -> dict[str, bytes]:
    """All files of a dataset folder: relative name -> content."""
    paths = [p for p in folder.rglob("*") if p.is_file() and p.name != ".lock"]
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in paths}
