"""Celery: the only file that imports it. One task, which hands each message to an Attendant."""

import base64
import json
import logging
import os
import ssl
import sys
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn, cast

from celery import Celery, shared_task, signals
from celery.apps.worker import Worker
from celery.concurrency import asynpool, prefork
from celery.exceptions import CPendingDeprecationWarning, WorkerLostError
from celery.worker import state
from kombu.entity import Queue
from kombu.exceptions import InconsistencyError, KombuError, OperationalError
from kombu.transport import redis as kombu_redis
from kombu.transport import virtual
from redis import Redis
from redis.exceptions import RedisError

from datagen.errors import DatagenError
from datagen.jobs.address import shown
from datagen.jobs.attending import Attendant
from datagen.jobs.batch import folder_id
from datagen.jobs.broker import Broker
from datagen.jobs.crew import ONE_THREAD
from datagen.jobs.markers import at_work
from datagen.jobs.work import QUEUES

log = logging.getLogger(__name__)

_TASK = "datagen.attend"
_JOBS = "DATAGEN_JOBS"  # tells a worker's processes the jobs folder
# Seconds. Work is cut into pieces of about a minute; what takes an hour hangs. Nobody waits for it
# where a process dies: datagen.jobs.watching sees that long before.
_LIMIT = 3600
_PATIENCE = 5.0  # seconds that a conductor waits for an answer of Redis

_LEAVE = 30.0  # seconds for the work of a worker that ends, where it shall not take longer
_LEAVING = 0.2  # seconds between two looks whether that work is done

Message = tuple[str, int, int]  # job, batch, payload


# -------------------------------------------------------------------------------------- settings


def application(broker_url: str, jobs: Path, *, patience: float = 30.0) -> Celery:
    """Celery for one jobs folder; messages of other folders on the same Redis are not seen.

    `patience`, in seconds, is how long it waits for an answer of Redis.
    """
    # A redelivered message does no harm, and the conductor sends again by itself: late is right.
    visible = 2 * _LIMIT
    app = Celery("datagen", include=[__name__], set_as_current=False)
    app.conf.update(
        broker_url=broker_url,
        broker_transport=f"{__name__}:Transport",
        task_serializer="json",
        result_serializer="json",
        accept_content=["json"],
        result_accept_content=["json"],
        task_acks_late=True,
        task_reject_on_worker_lost=True,  # a killed process costs no more than the attempt
        task_ignore_result=True,  # what came of it is on the disk
        task_track_started=False,
        task_time_limit=_LIMIT,
        task_soft_time_limit=_LIMIT - 60,
        task_queues=[Queue(name) for name in QUEUES],
        task_default_queue=QUEUES[0],
        task_create_missing_queues=False,
        worker_prefetch_multiplier=1,
        worker_pool_start_method="spawn",  # neither CUDA nor OpenGL survives a fork
        worker_proc_alive_timeout=60,  # a spawned process takes 5 s and more to come up
        worker_max_tasks_per_child=1000,
        worker_soft_shutdown_timeout=_LEAVE,
        worker_cancel_long_running_tasks_on_connection_loss=False,  # what is finished is used
        worker_enable_remote_control=False,  # who can write to Redis shall not command workers
        worker_send_task_events=False,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        visibility_timeout=visible,
        broker_transport_options={
            "visibility_timeout": visible,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "health_check_interval": 10,
            "socket_timeout": patience,
            "socket_connect_timeout": min(patience, 5),
            "socket_keepalive": True,
            "global_keyprefix": _prefix(jobs),
        },
    )
    if broker_url.startswith("rediss:"):  # else kombu takes any certificate
        app.conf.broker_use_ssl = {"ssl_cert_reqs": ssl.CERT_REQUIRED}
    return app


def _prefix(jobs: Path) -> str:
    return f"datagen:{folder_id(jobs)}:"


class _QoS(kombu_redis.QoS):
    """Forgets what it cannot acknowledge.

    kombu would count it as under way for ever: a worker all of whose processes were busy when Redis
    went away took no message any more (kombu 5.7.0).
    """

    def ack(self, delivery_tag: str) -> None:
        with self._forgetting(delivery_tag):
            super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        with self._forgetting(delivery_tag):
            super().reject(delivery_tag, requeue)

    @contextmanager
    def _forgetting(self, delivery_tag: str) -> Iterator[None]:
        try:
            yield
        except self.channel.connection_errors:
            log.warning("Redis is away: a message cannot be acknowledged, and may come again")
            virtual.QoS.ack(self, delivery_tag)


class _Channel(kombu_redis.Channel):
    """Survives what is no message at all, which would end kombu's loop and with it the worker."""

    QoS = _QoS

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            log.warning("dropped: a message that no datagen wrote (%s)", type(error).__name__)
            return True


class Transport(kombu_redis.Transport):
    """Redis, with one guard more."""

    Channel = _Channel


# ---------------------------------------------------------------------------------------- worker


class _Processes(asynpool.AsynPool):
    """Finds the pipes of processes that were killed before there was a loop to notice it.

    Celery has none for the next process then, and the worker ends (5.7.0).
    """

    def get_process_queues(self) -> Any:
        for pipes, process in self._queues.items():
            if process is not None and process not in self._pool:
                self._queues[pipes] = None
        return super().get_process_queues()


class _Pool(prefork.TaskPool):
    """Goes on when a process is killed before it is ready, and starts another one.

    Celery would end the worker (5.7.0), as it does, and should, where a process ends by itself.
    """

    Pool = _Processes

    def did_start_ok(self) -> bool:
        assert self._pool is not None  # it has been started
        return all((process.exitcode or 0) <= 0 for process in self._pool._pool)


class _Worker(Worker):
    """Knows why it ended, and ends as soon as its processes are done."""

    failure: Exception | None = None  # what Celery could not go on with, and only logs

    def stop(self, in_sighandler: bool = False, exitcode: int | None = None) -> None:
        error = sys.exc_info()[1]  # Celery stops us while it handles it (5.7.0)
        if isinstance(error, Exception):
            self.failure = error
        super().stop(in_sighandler, exitcode)

    # Celery sleeps for all of this time, and hears of nothing meanwhile (5.7.0).
    def wait_for_soft_shutdown(self) -> None:
        end, pool = time.monotonic() + _LEAVE, cast(Any, self.pool)
        jobs, idle = Path(os.environ[_JOBS]), 0
        # Twice: between a message and its marker a process is at work, too.
        while state.active_requests and idle < 2 and time.monotonic() < end:
            ours = {process.pid for process in pool._pool._pool}
            idle = 0 if ours & at_work(jobs) else idle + 1
            time.sleep(_LEAVING)


_attendant: Attendant | None = None  # of this process; a context manager cannot span its messages


@shared_task(name=_TASK)
def _attend(*positional: Any, **named: Any) -> None:
    """Any arguments: whoever can write to Redis chooses them, and an Attendant looks at them."""
    global _attendant
    if _attendant is None:
        _attendant = Attendant(Path(os.environ[_JOBS]))
    _attendant.attend(positional, named)


@signals.setup_logging.connect
def _set_up_logging(**_: Any) -> None:
    """In place of Celery's own: a fresh process logs plainly, any other is left as it is."""
    logging.basicConfig(format="%(asctime)s %(processName)s: %(message)s", level=logging.WARNING)


def _without_traceback(record: logging.LogRecord) -> bool:
    """A process that was killed is worth a line; where in Celery that was noticed is not."""
    if record.exc_info and record.exc_info[0] is WorkerLostError:
        record.exc_info = None
    return True


@signals.worker_process_shutdown.connect
def _close(**_: Any) -> None:
    if _attendant is not None:
        _attendant.close()


def serve(broker_url: str, jobs: Path, queues: Sequence[str], concurrency: int) -> None:
    """Work until a signal says stop: SIGTERM or SIGINT finish what is under way.

    InputError where the broker refuses us; while it does not answer, waits for it. DatagenError
    where Celery cannot go on.
    """
    if not Broker(broker_url).answers():
        log.warning("the broker at %s does not answer; trying on", shown(broker_url))
    logging.getLogger("celery.worker.request").addFilter(_without_traceback)
    # Twelve lines about a setting that is set, whenever Redis goes away.
    warnings.simplefilter("ignore", CPendingDeprecationWarning)
    os.environ.update(ONE_THREAD)  # before a process is started, which inherits it
    os.environ[_JOBS] = os.path.abspath(jobs)
    worker = _Worker(
        app=application(broker_url, jobs),
        queues=list(queues),
        concurrency=concurrency,
        pool=_Pool,
        optimization="fair",
        max_memory_per_child=_memory() // concurrency,
        loglevel="WARNING",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    worker.start()
    if worker.failure is not None:
        kind = type(worker.failure).__name__
        raise DatagenError(
            f"Celery ended this worker, since it could not go on ({kind}: {worker.failure}); "
            "mend that, and start it again"
        ) from worker.failure


def _memory() -> int:
    """Of this machine, kB; who grows beyond a fair share of it is replaced."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024


# ------------------------------------------------------------------------------------- conductor


class BrokerAway(Exception):
    """Redis does not answer now; it may later."""


class Post:
    """The conductor's side: sends messages, and looks which of them still wait.

    Each call raises BrokerAway while Redis does not answer, and InputError when it refuses us.
    """

    def __init__(self, broker_url: str, jobs: Path) -> None:
        self._broker, self._prefix = Broker(broker_url), _prefix(jobs)
        self._app = application(broker_url, jobs, patience=_PATIENCE)
        self._producer: Any = None
        self._known: dict[bytes | str, Message | None] = {}  # what the last look into Redis read

    def send(self, queue: str, message: Message) -> None:
        try:
            if self._producer is None:
                if not self._broker.answers():  # without the many tries of who is connected
                    raise BrokerAway
                self._producer = self._app.amqp.Producer(self._app.connection_for_write())
            self._app.send_task(_TASK, message, queue=queue, producer=self._producer, retry=False)
        except (OperationalError, KombuError, RedisError, InconsistencyError, OSError) as error:
            self._fail(error)

    def waiting(self, queue: str) -> tuple[set[Message], set[Message]]:
        """The messages that no worker has taken yet, and those that one holds, dead or alive.

        What is no message of ours is left out.
        """
        patience = {"socket_timeout": _PATIENCE, "socket_connect_timeout": _PATIENCE}
        try:
            with Redis.from_url(self._broker.url, retry=None, **patience) as redis:
                untaken = redis.lrange(f"{self._prefix}{queue}", 0, -1)
                taken = redis.hvals(f"{self._prefix}unacked")
        except (RedisError, OSError) as error:
            self._fail(error)
        # Most were there at the last look: thousands wait for minutes, and are asked after often.
        before, self._known = self._known, {}
        for text in (*untaken, *taken):
            self._known[text] = before[text] if text in before else _read(text)
        return self._messages(untaken), self._messages(taken)

    def _messages(self, found: Iterable[bytes | str]) -> set[Message]:
        return {message for text in found if (message := self._known[text]) is not None}

    def _fail(self, error: Exception) -> NoReturn:
        self.close()
        self._broker.answers()  # InputError where it refuses us
        raise BrokerAway(str(error)) from error

    def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(Exception):  # it is broken already
                producer.connection.release()


def _read(text: bytes | str) -> Message | None:
    """The arguments of a message as it lies in Redis, alone or with its exchange and key."""
    with suppress(ValueError, LookupError, TypeError):
        data = json.loads(text)
        whole = data[0] if isinstance(data, list) else data
        job, batch, index = json.loads(base64.b64decode(whole["body"]))[0]
        return str(job), int(batch), int(index)
    return None
