"""One module for each kind of thing that has addresses."""

from datagen.web.api import datasets, health, jobs, metrics, runs, worlds

ROUTERS = (
    health.router,
    metrics.router,
    jobs.router,
    worlds.router,
    runs.router,
    datasets.router,
)
