"""Boxes in space and the depth below their things: neither is computed from the other."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from datagen.audit.finding import Finding
from datagen.frame import Box3D, Layout, Pinhole
from datagen.labels import Annotation

DEPTH_SLACK = 0.6  # m; mirrors, branches and arms reach out of a box that detectors want tight


def audit_space(layout: Layout, annotations: Sequence[Annotation]) -> Iterator[Finding]:
    """Findings about camera and boxes in space; flat worlds have none."""
    if layout.camera is not None:
        image = {"width": layout.width, "height": layout.height, "camera": layout.camera.to_json()}
        yield from (Finding("camera", f"the frame: {f}") for f in camera_faults(image))
    boxes = {thing.id: thing.box3d for thing in layout.instances}
    ranges: dict[int, tuple[float, float]] = {}
    for one in annotations:
        box = one.box3d
        if box != boxes.get(one.instance_id):
            yield _of(one, "the label's box in space is not the thing's")
        elif box is not None:
            faults = list(_box(box.centre, box.size, box.rotation_y, one.truncation))
            yield from (_of(one, fault) for fault in faults)
            if not faults:
                ranges[one.instance_id] = _range(box)
    if ranges and layout.depth is not None:
        yield from _depths(layout.instance_map, layout.depth, annotations, ranges)


def box_faults(annotation: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a stored label's `box3d`."""
    box = annotation["box3d"]
    if not isinstance(box, dict) or not all(
        _is_numbers(box.get(key), 3) for key in ("centre", "size")
    ):
        yield "its box in space has no centre or no size of three numbers"
        return
    if not _is_numbers([box.get("rotation_y"), box.get("alpha")], 2):
        yield "its box in space has no rotation_y or no alpha"
        return
    truncation = annotation.get("truncation", 0.0)
    share = truncation if isinstance(truncation, int | float) else 0.0
    yield from _box(box["centre"], box["size"], box["rotation_y"], share)
    read = Box3D.from_json(box)
    if abs(math.remainder(box["alpha"] - read.alpha, math.tau)) > 1e-6:
        yield f"alpha {box['alpha']}, but rotation and place make it {read.alpha}"


def camera_faults(image: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a stored image's `camera`."""
    try:
        camera = Pinhole.from_json(image["camera"])
    except (KeyError, TypeError, ValueError) as error:
        yield f"its camera cannot be read ({type(error).__name__}: {error})"
        return
    numbers = (camera.fx, camera.fy, camera.cx, camera.cy, *camera.distortion, *camera.pose)
    if len(camera.pose) != 16 or not all(map(math.isfinite, numbers)):
        yield "its camera has a number that is not finite, or no pose of 16 numbers"
    elif min(camera.fx, camera.fy) <= 0:
        yield f"its camera has the focal lengths {camera.fx} and {camera.fy}"
    if (camera.width, camera.height) != (image.get("width"), image.get("height")):
        yield f"its camera is of a {camera.width} x {camera.height} image"


def _is_numbers(values: object, count: int) -> bool:
    return (
        isinstance(values, list)
        and len(values) == count
        and all(isinstance(v, int | float) and math.isfinite(v) for v in values)
    )


def _box(
    centre: Sequence[float], size: Sequence[float], rotation_y: float, truncation: float
) -> Iterator[str]:
    if not all(map(math.isfinite, (*centre, *size, rotation_y))):
        yield "its box in space has a number that is not finite"
        return
    if not min(size) > 0:
        yield f"its box in space has the size {tuple(size)}"
    if abs(rotation_y) > math.pi + 1e-9:
        yield f"rotation_y {rotation_y} is not within -pi and pi"
    if centre[2] <= 0 and truncation == 0:
        yield f"its box in space lies {-centre[2]:.2f} m behind the camera, yet nothing is cut off"


def _range(box: Box3D) -> tuple[float, float]:
    """Least and greatest depth of the box, m."""
    z = box.corners()[:, 2]
    return float(z.min()), float(z.max())


def _depths(
    instance_map: np.ndarray,
    depth: np.ndarray,
    annotations: Sequence[Annotation],
    ranges: dict[int, tuple[float, float]],
) -> Iterator[Finding]:
    """The depth of every visible pixel against its thing's box."""
    size = int(instance_map.max()) + 1
    near, far = np.full(size, -np.inf), np.full(size, np.inf)
    for key, (low, high) in ranges.items():
        if 0 <= key < size:
            near[key], far[key] = low - DEPTH_SLACK, high + DEPTH_SLACK
    with np.errstate(invalid="ignore"):
        stray = (depth < near[instance_map]) | (depth > far[instance_map])
    odd = np.bincount(instance_map[stray], minlength=size)
    for one in annotations:
        count = int(odd[one.instance_id]) if 0 <= one.instance_id < size else 0
        if count:
            low, high = ranges[one.instance_id]
            yield _of(one, f"{count} pixels lie outside its box, {low:.2f} to {high:.2f} m ahead")


def _of(annotation: Annotation, message: str) -> Finding:
    what = f"instance {annotation.instance_id} ({annotation.path or 'root'})"
    return Finding("box3d", f"{what}: {message}", annotation=annotation.instance_id)
