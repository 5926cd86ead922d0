"""Clients that ask a server how jobs stand, until standard input ends: `service_crowd.py URL`.

Writes how long each answer took, s, as a JSON list. A process of their own, of one thread.
"""

import asyncio
import json
import sys
import time

import httpx2

from datagen.rng import Stream, rng_for

CLIENTS, EVERY = 200, 1.0  # s between two questions of a client
LISTS = 0.05  # share of questions for the first page of the list


async def crowd(url: str) -> list[float]:
    """All of them, over connections that are kept."""
    waits: list[float] = []
    end = asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
    limits = httpx2.Limits(max_connections=CLIENTS, max_keepalive_connections=CLIENTS)
    async with httpx2.AsyncClient(base_url=url, limits=limits, timeout=60) as client:
        names = await _all(client)

        async def one(number: int) -> None:
            rng = rng_for(0, number, Stream.EVALUATE)
            await asyncio.sleep(rng.uniform(0, EVERY))  # not all at once
            while not end.done():
                name = "" if rng.random() < LISTS else f"/{rng.choice(names)}"
                began = time.monotonic()
                (await client.get(f"/api/v1/jobs{name}")).raise_for_status()
                waits.append(time.monotonic() - began)
                await asyncio.sleep(max(0.0, EVERY - waits[-1]))

        await asyncio.gather(*(one(k) for k in range(CLIENTS)))
    return waits


async def _all(client: httpx2.AsyncClient) -> list[str]:
    """The ids of all jobs."""
    names: list[str] = []
    asked = {"limit": "200"}
    while True:
        part = (await client.get("/api/v1/jobs", params=asked)).json()
        names += [job["id"] for job in part["items"]]
        if part["next"] is None:
            return names
        asked["cursor"] = part["next"]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(crowd(sys.argv[1]))))
