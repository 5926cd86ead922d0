"""The machine's check-up: what counts as missing, and what it says about it."""

import json

from packaging.requirements import Requirement

from datagen.doctor import machine as doctor
from datagen.doctor.check import Check, State


def test_a_package_below_its_floor_fails_with_the_remedy():
    check = doctor.package(Requirement("numpy>=99"))
    assert check.state is State.FAIL
    assert ">=99" in check.found
    assert check.remedy == "pip install 'numpy>=99'"


def test_a_package_that_is_not_there_fails():
    check = doctor.package(Requirement("no-such-package-of-ours>=1"))
    assert (check.state, check.found) == (State.FAIL, "missing")


def test_what_the_core_needs_is_here_where_the_tests_run():
    assert [c for c in doctor.packages() + doctor.clashes() if c.state is State.FAIL] == []


def test_two_distributions_that_own_the_same_files_are_a_failure(monkeypatch):
    names = {"cv2": ("numpy", "pydantic")}  # any two that are installed
    monkeypatch.setattr(doctor, "SAME_FILES", names)
    (check,) = doctor.clashes()
    assert check.state is State.FAIL
    assert "pip uninstall" in check.remedy


def test_one_way_to_draw_is_enough():
    works = Check("GL by EGL", State.OK, "llvmpipe")
    lacks = Check("GL by OSMesa", State.WARN, "failed: no library", "apt install libosmesa6")
    assert [c.state for c in doctor.one_gl_suffices([works, lacks])] == [State.OK, State.OK]
    both = [lacks, Check("GL by EGL", State.WARN, "failed: no driver", "apt install libegl1")]
    assert doctor.one_gl_suffices(both) == both


def test_the_way_that_3d_worlds_take_is_named() -> None:
    egl = Check("GL by EGL", State.OK, "llvmpipe; 4.5")
    mesa = Check("GL by OSMesa", State.OK, "llvmpipe; 4.5")
    first, second = doctor.explained([egl, mesa])
    assert first.found == "llvmpipe; 4.5; chosen for 3D worlds, on the CPU" and second == mesa


def test_without_opengl_2d_worlds_are_offered() -> None:
    lacks = Check("GL by EGL", State.WARN, "failed: no driver", "apt install libegl1")
    (check,) = doctor.explained([lacks])
    assert check.remedy == "apt install libegl1; 2D worlds are drawn without it"


def test_a_platform_without_a_driver_is_a_warning_with_the_package_to_install():
    check = doctor._probe("GL", "raise SystemExit('no driver')", State.WARN, "apt install libegl1")
    assert check == Check("GL", State.WARN, "failed: no driver", "apt install libegl1")


def test_a_driver_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr(doctor, "PROBE_SECONDS", 0.2)
    check = doctor._probe("GL", "import time; time.sleep(60)", State.WARN, "apt install libegl1")
    assert check.state is State.WARN
    assert "no answer" in check.found


def test_free_memory_and_disk_are_measured(tmp_path):
    assert doctor.memory().found.endswith("GiB free")
    assert str(tmp_path) in doctor.disk(tmp_path).found


def test_doctor_as_json_names_every_check_and_the_verdict(cli):
    done = cli("doctor", "--json", "--quiet")
    data = json.loads(done.out)
    names = [check["name"] for check in data["checks"]]
    assert {"python", "torch", "GL by EGL", "redis-server", "disk"} <= set(names)
    fails = [check for check in data["checks"] if check["state"] == "fail"]
    assert data["ok"] is not bool(fails)
    assert done.code == (5 if fails else 0)
