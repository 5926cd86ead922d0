"""The Redis that the environment names: is it there, sound, and safe to use?

It is asked with PING and INFO alone, which the user that docs/deploy/ sets up may use.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from packaging.version import InvalidVersion, Version
from redis import Redis
from redis.exceptions import RedisError

from datagen.doctor.check import Check, State
from datagen.errors import InputError
from datagen.jobs.broker import Broker, chosen

# kombu asks for messages that were not answered by ZRANGE ... BYSCORE.
OLDEST = Version("6.2")
# CVE-2025-49844: with a Lua script, who may write to Redis can run code there. Workers need
# scripts. The first release of each series without it; series that are not here have none, and
# later ones are sound.
PATCHED = {
    "Redis": ("6.2.20", "7.2.11", "7.4.6", "8.0.4", "8.2.2"),
    "Valkey": ("7.2.11", "8.0.6", "8.1.4"),
}
NEARLY_FULL = 0.8  # of the memory that it may use
_SECONDS = 5.0  # for an answer
_UNSAFE = "use rediss://USER:PASSWORD@HOST, or keep Redis on this machine; see docs/deploying.md"


def examined() -> list[Check]:
    """No line where no broker is named."""
    try:
        found = chosen(None)
    except InputError as error:
        return [Check("broker", State.WARN, str(error), "set DATAGEN_BROKER anew, or unset it")]
    return [] if found is None else [*_reached(found)]


def _reached(place: Broker) -> Iterator[Check]:
    if place.danger is not None:
        yield Check("broker's address", State.WARN, place.danger, _UNSAFE)
    try:
        with Redis.from_url(
            place.url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS, retry=None
        ) as client:
            client.ping()
            yield Check("broker", State.OK, f"{place.name} answers")
            yield from judged(client.info())
    except RedisError as error:
        remedy = "start it, or set DATAGEN_BROKER anew; an ACL user needs +ping and +info"
        yield Check("broker", State.WARN, f"{place.name}: {str(error)[:120]}", remedy)


def judged(info: Mapping[str, Any]) -> Iterator[Check]:
    """What INFO says."""
    yield _version(info)
    yield _eviction(info)
    yield _persistence(info)
    yield _memory(info)


def _version(info: Mapping[str, Any]) -> Check:
    kind = "Valkey" if info.get("server_name") == "valkey" else "Redis"
    text = str(info.get(f"{kind.lower()}_version", "unknown"))
    name, found = "broker's version", f"{kind} {text}"
    try:
        version = Version(text)
    except InvalidVersion:
        return Check(name, State.WARN, found, f"Redis {OLDEST} or newer, which tells its version")
    if version < OLDEST:
        return Check(name, State.WARN, f"{found}: too old for Celery", f"Redis {OLDEST} or newer")
    if not is_patched(version, kind):
        remedy = f"{kind} {', '.join(PATCHED[kind])} or newer"
        if kind == "Redis" and version.release[:2] == (7, 0):
            remedy += ", or Debian's 7.0.15-1~deb12u6, which shows as 7.0.15 here"
        return Check(name, State.WARN, f"{found}: CVE-2025-49844 by its number", remedy)
    return Check(name, State.OK, found)


def is_patched(version: Version, kind: str) -> bool:
    """Whether a release, by its number alone, is without CVE-2025-49844."""
    first = [Version(text) for text in PATCHED[kind]]
    same = [fixed for fixed in first if fixed.release[:2] == version.release[:2]]
    return version >= same[0] if same else version > first[-1]


def _eviction(info: Mapping[str, Any]) -> Check:
    policy = str(info.get("maxmemory_policy", "unknown"))
    if policy == "noeviction":
        return Check("broker's eviction", State.OK, policy)
    remedy = "maxmemory-policy noeviction: else a full Redis drops what Celery needs"
    return Check("broker's eviction", State.WARN, policy, remedy)


def _persistence(info: Mapping[str, Any]) -> Check:
    name = "broker's persistence"
    if not info.get("aof_enabled"):
        remedy = "appendonly yes: else a restart forgets what waits, and it is sent again later"
        return Check(name, State.WARN, "no append-only file", remedy)
    for key in ("aof_last_write_status", "aof_last_bgrewrite_status"):
        if info.get(key, "ok") != "ok":
            remedy = "look at Redis' log; its disk may be full"
            return Check(name, State.WARN, f"append-only file; {key} is {info[key]}", remedy)
    return Check(name, State.OK, "append-only file")


def _memory(info: Mapping[str, Any]) -> Check:
    used = int(info.get("used_memory", 0))
    limit = int(info.get("maxmemory", 0)) or int(info.get("total_system_memory", 0))
    found = f"{used / 1e6:.0f} of {limit / 1e6:,.0f} MB"
    if limit and used > NEARLY_FULL * limit:
        remedy = "raise maxmemory, or remove what others keep there: a full Redis takes no message"
        return Check("broker's memory", State.WARN, found, remedy)
    return Check("broker's memory", State.OK, found)
