"""One module for each kind of thing that has addresses."""

from datagen.web.api import health, jobs

ROUTERS = (health.router, jobs.router)
