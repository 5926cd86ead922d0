"""What people see: pages made here, which htmx keeps fresh where a browser runs it."""

from fastapi import FastAPI

from datagen.web.pages import (
    datasets,
    detecting,
    editor,
    exporting,
    failing,
    home,
    jobs,
    learning,
    login,
    recipes,
    results,
    static,
    targets,
)

_ROUTERS = (
    static.router,
    home.router,
    jobs.router,
    exporting.router,
    datasets.router,
    editor.router,
    recipes.router,
    learning.router,
    targets.router,
    detecting.router,
    results.router,
    login.router,
)


def install(app: FastAPI) -> None:
    """From now on the app has pages, and its errors are pages where a page was asked for."""
    for router in _ROUTERS:
        app.include_router(router)
    failing.install(app)
