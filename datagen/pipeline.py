"""The assembled products: a recipe becomes frames, a dataset, the same image again, a verdict."""

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from datagen.audit import Finding, agreement
from datagen.dataset import store
from datagen.dataset import verify as checking
from datagen.dataset.sites import Site, taken
from datagen.dataset.store import Shard
from datagen.dataset.totals import Totals, add_up
from datagen.dataset.verify import VerifyReport, read_recipe
from datagen.decoding import decode
from datagen.digest import canonical
from datagen.editing import first_edited as first_edited
from datagen.errors import InputError, PartialError
from datagen.files import write_atomic
from datagen.frame import Frame
from datagen.frames import first as first
from datagen.frames import label as label
from datagen.frames import opened as opened
from datagen.interfaces import Component
from datagen.jobs.attempt import raised
from datagen.jobs.conducted import Conducted, Order
from datagen.jobs.executors import Executor, Workers, hired
from datagen.jobs.making import shard_payloads
from datagen.parts import Part
from datagen.recipe import Recipe
from datagen.scene import Scene
from datagen.shards import make_shard as make_shard
from datagen.shards import rendered_digest
from datagen.storage.address import Address, place_in, place_of, quoted

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """`done` of `total` images are published or under way; the rate counts this run's only."""

    done: int
    total: int
    images_per_second: float


@dataclass(frozen=True)
class Report:
    """A finished dataset."""

    out: Path | Address
    count: int  # images
    annotations: int
    categories: dict[str, int]  # labelled things of each class
    recipe_digest: str
    dataset_digest: str
    rendered: int  # images made by this run; the others were there
    seconds: float

    @property
    def images_per_second(self) -> float:
        return self.rendered / self.seconds if self.seconds > 0 else 0.0

    def to_json(self) -> dict[str, Any]:
        rate = round(self.images_per_second, 2)
        return vars(self) | {"out": str(self.out), "images_per_second": rate}


def generate(
    recipe: Recipe,
    out: str | Path | Address,
    *,
    workers: Workers = 1,
    resume: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Report:
    """Write the recipe's dataset to `out`, a folder or the URL of a place in an object store.

    Who works, and how many, changes no byte of it.
    """
    place, began = place_of(out), time.monotonic()
    meter = _Meter(recipe.count, progress, began)
    executor = hired(workers, meter)  # a wrong number is told before anything is made
    with taken(recipe, place, resume=resume) as site:
        shards = store.shards_of(recipe.count, recipe.shard_size)
        missing = [shard for shard in shards if not store.is_published(site.folder, shard)]
        if missing or not store.is_complete(site.folder):
            site.reopen()
            meter.before = recipe.count - sum(map(len, missing))
            _render(recipe, site, missing, executor, meter)
            totals = site.finish(shards)
        else:
            totals = add_up(site.folder, shards, recipe.world().categories)
    rendered = sum(map(len, missing))
    return _report(recipe, place, totals, rendered, time.monotonic() - began)


def regen(
    folder: str | Path,
    index: int,
    sets: Sequence[str] = (),
    *,
    passes: Sequence[str] = (),
    size: tuple[int, int] | None = None,
) -> tuple[Scene | None, Frame]:
    """Image `index` of a dataset, made again from its recipe; `sets` say what has moved where.

    `passes` are made beside the dataset's own; `size` (width, height), px, is that of the picture,
    where a camera sees the scene.
    """
    recipe = read_recipe(Path(folder), sets)
    if not 0 <= index < recipe.count:
        raise InputError(f"{folder} has images 0 to {recipe.count - 1}; there is no image {index}")
    every = tuple(dict.fromkeys((*recipe.passes, *passes)))
    with opened(recipe.model_copy(update={"passes": every}), size) as make_frame:
        scene, frame, _ = make_frame(index)
    if size is not None and (scene is None or frame.camera is None):
        raise InputError(
            f"{folder}: no camera sees this world, so its pictures have the one size of its "
            "grammar; leave --size out"
        )
    return scene, frame


def verify(
    folder: str | Path,
    *,
    repair: bool = False,
    rerender: float = 0.0,
    raycast: float = 0.0,
    sets: Sequence[str] = (),
) -> VerifyReport:
    """Check every file; and make a share of the images again, which must come out the same.

    `raycast`: of this share, rays cast on the CPU must find the same things and depths, which
    OpenGL has no part in. `sets` say where what the images are made of has moved.
    """
    for name, share in (("rerender", rerender), ("raycast", raycast)):
        if not 0 <= share <= 1:
            raise InputError(f"{name} must be a share from 0 to 1, got {share}")
    report = checking.verify(Path(folder), repair=repair)
    if report.findings:
        return report
    found = [*_rerendered(Path(folder), rerender, sets), *_recast(Path(folder), raycast, sets)]
    return replace(report, findings=tuple(found))


def _chosen(count: int, share: float) -> list[int]:
    """Images evenly over the dataset."""
    number = math.ceil(share * count)
    return [k * count // number for k in range(number)]


def _recast(folder: Path, share: float, sets: Sequence[str]) -> Iterator[Finding]:
    """What the renderer of the dataset and rays see differently."""
    if share == 0:
        return
    recipe = read_recipe(folder, sets)
    drawn = recipe.renderers[-1]
    if drawn.use != "mesh":
        raise InputError(f"{folder}: rays judge what `mesh` draws, and `{drawn.use}` drew this")
    options = {k: v for k, v in drawn.options.items() if k in ("camera", "sensor", "time")}
    rays = recipe.model_copy(update={"renderers": (Part(use="raycast", options=options),)})
    with opened(recipe) as make_frame, opened(rays) as cast_frame:
        for index in _chosen(recipe.count, share):
            found = agreement.agreement(make_frame(index)[1], cast_frame(index)[1])
            yield from agreement.findings(index, found)


def _rerendered(folder: Path, share: float, sets: Sequence[str]) -> Iterator[Finding]:
    if share == 0:
        return
    recipe = read_recipe(folder, sets)
    chosen = set(_chosen(recipe.count, share))
    with opened(recipe) as make_frame:
        for shard in store.shards_of(recipe.count, recipe.shard_size):
            stored = store.summary(folder, shard)["digests"]
            for index in chosen.intersection(range(shard.start, shard.stop)):
                if rendered_digest(recipe, make_frame, index) != stored[index - shard.start]:
                    text = f"image {index} comes out differently when it is made again here"
                    yield Finding("rerender", text, image=index + 1)


# -------------------------------------------------------------------------------------- rendering


@dataclass
class _Meter:
    """How far a run is, from what each shard says."""

    total: int
    tell: Callable[[Progress], None] | None
    began: float
    before: int = 0  # images that were there
    now: int = 0  # images of this run; not summed anew, which a million images would make dear
    done: dict[int, int] = field(default_factory=dict)  # shard's first image -> images done

    def __call__(self, payload: dict[str, Any], done: int) -> None:
        self.now += done - self.done.get(payload["start"], 0)
        self.done[payload["start"]] = done
        if self.tell is not None:
            seconds = max(time.monotonic() - self.began, 1e-9)
            self.tell(Progress(self.before + self.now, self.total, self.now / seconds))


def _render(
    recipe: Recipe, site: Site, missing: list[Shard], executor: Executor, meter: _Meter
) -> None:
    """Publish the missing shards; what fails for good is put aside and told at the end."""
    place = site.place.resolve() if isinstance(site.place, Path) else site.place
    payloads = shard_payloads(place, missing)
    failed: list[dict[str, Any]] = []
    with executor.open("make_shard") as hands, closing(hands.run(payloads)) as reports:
        for report in reports:
            if "error" not in report:
                meter(report["payload"], report["payload"]["stop"] - report["payload"]["start"])
            elif report["error"]["type"] in ("ImageError", "WorkerLost"):
                failed.append(_set_aside(recipe, site, report))
            else:
                raise raised(report["error"])
    if failed:
        first = min(failed, key=lambda entry: entry["shard"])
        record = Path("quarantine", f"{first['shard']}.json")
        raise PartialError(
            f"{site.place}: {len(failed)} of {len(missing)} shards cannot be made; the first is "
            f"{first['shard']}, which fails at {first['message']}. All others are published; "
            f"{record if site.place == site.folder else site.folder / record} has the details, "
            "and --resume tries again"
        )


def _set_aside(recipe: Recipe, site: Site, report: dict[str, Any]) -> dict[str, Any]:
    """Put the failure on record; its message names the image, where that can be known."""
    error, shard = report["error"], Shard(report["payload"]["start"], report["payload"]["stop"])
    entry = {**error, "shard": shard.name}
    if error["type"] == "WorkerLost" and site.place == site.folder:
        entry["index"] = store.first_unwritten(site.folder, shard, recipe.image_format)
        entry["message"] = f"image {entry['index']}: {error['message']}"
    elif error["type"] == "WorkerLost":  # what it left lies on its own machine
        entry["message"] = f"one of images {shard.start} to {shard.stop - 1}: {error['message']}"
    log.warning("shard %s failed: %s", shard.name, entry["message"])
    aside = site.folder / "quarantine"
    aside.mkdir(exist_ok=True)
    write_atomic(aside / f"{shard.name}.json", canonical(entry) + b"\n")
    return entry


def _report(
    recipe: Recipe, out: Path | Address, totals: Totals, rendered: int, seconds: float
) -> Report:
    return Report(
        out=out,
        count=totals.images,
        annotations=totals.annotations,
        categories=totals.categories,
        recipe_digest=recipe.digest,
        dataset_digest=totals.digest,
        rendered=rendered,
        seconds=seconds,
    )


# ------------------------------------------------------------------------------------------- jobs


class _Ordered(Component):
    """The arguments of a job: a dataset to be made in `out`, percent-encoded."""

    recipe: Recipe
    out: str


def order(recipe: Recipe, out: str | Path | Address, *, resume: bool = False) -> Order:
    """The job of making the dataset; `out` is taken for it as by `generate`."""
    place = place_of(out)

    def claim() -> None:
        with taken(recipe, place, resume=resume):
            pass

    whole = place.resolve() if isinstance(place, Path) else place
    return Order("generate", {"recipe": recipe.encode(), "out": quoted(whole)}, claim)


def conduct(arguments: dict[str, Any], means: Conducted) -> dict[str, Any]:
    """Carry out a job of `order`; gives the Report as plain data."""
    asked = decode(_Ordered, arguments, "job")
    report = generate(
        asked.recipe,
        place_in(asked.out),
        workers=means.executor,
        resume=True,
        progress=lambda p: means.progress(p.done, p.total, ""),
    )
    return report.to_json()
