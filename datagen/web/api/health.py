"""Whether the server lives, and whether it can take work."""

from fastapi import APIRouter

from datagen.errors import DatagenError
from datagen.files import disk_space
from datagen.web.problems import Refused
from datagen.web.service import Here

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live")
async def live() -> dict[str, bool]:
    """The process answers."""
    return {"live": True}


@router.get("/ready")
def ready(service: Here) -> dict[str, bool]:
    """Jobs can be written, and somebody carries them out; else 503."""
    probe = service.home.jobs / ".ready"
    try:
        with disk_space(service.home.jobs):
            probe.write_bytes(b"\0" * 4096)
            probe.unlink()
    except (DatagenError, OSError) as error:
        raise Refused(503, f"jobs cannot be written: {error}") from error
    if service.keeper is not None and not service.keeper.is_alive():
        raise Refused(503, "nobody carries out jobs: the keeper has ended; restart the server")
    return {"ready": True}
