"""One module for each kind of thing that has addresses."""

from datagen.web.api import datasets, exports, health, jobs, metrics, runs, targets, worlds

ROUTERS = (
    health.router,
    metrics.router,
    jobs.router,
    worlds.router,
    targets.router,
    runs.router,
    datasets.router,
    exports.router,
)
