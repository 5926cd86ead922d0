"""One module for each kind of thing that has addresses."""

from datagen.web.api import datasets, health, jobs, metrics, worlds

ROUTERS = (health.router, metrics.router, jobs.router, worlds.router, datasets.router)
