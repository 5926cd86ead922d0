"""The server's app: which addresses it answers at, and what starts and ends with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from datagen import __version__
from datagen.web import pages, problems
from datagen.web.api import ROUTERS
from datagen.web.guard import Guard
from datagen.web.heads import Heads
from datagen.web.service import Service
from datagen.web.traffic import Counted, Traffic


def make_app(service: Service) -> FastAPI:
    """An ASGI app; who serves it starts and ends the service with it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if service.keeper is not None:
            service.keeper.start()
        try:
            yield
        finally:
            service.clerks.close()
            if service.keeper is not None:
                service.keeper.stop()

    app = FastAPI(
        title="datagen",
        version=__version__,
        summary="Labelled synthetic datasets for a place you have only unlabelled photos of.",
        lifespan=lifespan,
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    app.state.service = service
    app.state.traffic = Traffic()
    problems.install(app, service.home)
    for router in ROUTERS:
        app.include_router(router)
    pages.install(app)
    app.add_middleware(Guard, settings=service.settings)
    app.add_middleware(Heads)
    app.add_middleware(Counted, traffic=app.state.traffic)
    return app
