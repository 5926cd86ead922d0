"""One module for each kind of thing that has addresses."""

from datagen.web.api import datasets, health, jobs, metrics

ROUTERS = (health.router, metrics.router, jobs.router, datasets.router)
