"""The run folder and the loop: checkpoints that are whole, readings that never double."""

import json
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn

from datagen import recipe
from datagen.errors import InputError
from datagen.learning.loop import Tick, train
from datagen.learning.run import RunFolder, opened_run, restore, state_of
from datagen.learning.spec import Spec


class Counter:
    """A trainee whose state is a product of its steps: one too many or too few would show."""

    def __init__(self, steps: int, die_at: int | None = None) -> None:
        self.steps, self.die_at = steps, die_at
        self.state = torch.ones((), dtype=torch.float64)
        self.begun: list[int] = []

    def begin(self, step: int) -> None:
        self.begun.append(step)

    def step(self, k: int) -> Mapping[str, float]:
        if k == self.die_at:
            raise KeyboardInterrupt
        self.state = self.state * 1.5 + k
        return {"value": float(self.state)}

    def tensors(self) -> dict[str, Tensor]:
        return {"state": self.state}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        self.state = tensors["state"]


def go(run, trainee, phase="one", every=3, ticks=None):
    train(
        run,
        phase,
        trainee,
        checkpoint_every=every,
        progress=(lambda tick: None) if ticks is None else ticks.append,
    )
    return float(trainee.state)


def readings(run):
    return [json.loads(line) for line in run.metrics_file.read_text().splitlines()]


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path)


@pytest.mark.parametrize("die_at", range(8))
def test_a_loop_that_stopped_anywhere_goes_on_as_if_it_had_not(run, tmp_path, die_at):
    (tmp_path / "whole").mkdir()
    whole = RunFolder(tmp_path / "whole")
    expected = go(whole, Counter(8))
    with pytest.raises(KeyboardInterrupt):
        go(run, Counter(8, die_at))
    again = Counter(8)
    assert go(run, again) == expected
    assert again.begun == [die_at // 3 * 3]
    assert readings(run) == readings(whole)


def test_a_finished_phase_does_not_run_again(run):
    go(run, Counter(8))
    again = Counter(8, die_at=0)
    go(run, again)
    assert again.begun == []
    assert len(readings(run)) == 8


def test_the_last_step_is_told_and_saved(run):
    ticks: list[Tick] = []
    go(run, Counter(7), ticks=ticks)
    assert (ticks[-1].phase, ticks[-1].step, ticks[-1].steps) == ("one", 7, 7)
    step, tensors = run.latest("one")
    assert step == 7 and float(tensors["state"]) == readings(run)[-1]["value"]


def test_two_checkpoints_are_kept(run):
    go(run, Counter(8), every=1)
    assert sorted(p.name for p in run.checkpoints.iterdir()) == ["one-00000007", "one-00000008"]


def test_the_older_checkpoint_serves_when_the_newer_is_damaged(run):
    expected = go(run, Counter(8))
    (run.checkpoints / "one-00000008" / "state.safetensors").write_bytes(b"\0" * 9)
    again = Counter(8)
    assert go(run, again) == expected
    assert again.begun == [6]
    assert [line["iteration"] for line in readings(run)] == list(range(1, 9))


def test_a_phase_begins_anew_when_no_checkpoint_can_be_read(run):
    expected = go(run, Counter(8))
    for path in run.checkpoints.glob("*/state.safetensors"):
        path.unlink()
    again = Counter(8)
    assert go(run, again) == expected
    assert again.begun == [0]
    assert len(readings(run)) == 8


def test_phases_do_not_see_each_others_checkpoints_or_readings(run):
    go(run, Counter(5), "one")
    go(run, Counter(4), "two")
    for path in run.checkpoints.glob("two-*/*"):
        path.unlink()
    go(run, Counter(4), "two")
    assert [line["phase"] for line in readings(run)] == ["one"] * 5 + ["two"] * 4
    assert run.latest("three") is None
    assert len(readings(run)) == 9


def test_a_torn_last_reading_is_dropped(run):
    with pytest.raises(KeyboardInterrupt):
        go(run, Counter(8, die_at=5))
    with open(run.metrics_file, "a") as file:
        file.write('{"phase": "one", "iterat')
    go(run, Counter(8))
    assert [line["iteration"] for line in readings(run)] == list(range(1, 9))


def test_half_a_checkpoint_is_swept_away(tmp_path):
    spec = Spec(recipe.load("multi_mnist"), "digest of the pictures", "1.0")
    with opened_run(tmp_path / "run", spec=spec, resume=False) as run:
        go(run, Counter(8))
        (run.checkpoints / ".one-00000009.77").mkdir()
    with opened_run(tmp_path / "run", spec=spec, resume=True) as run:
        assert run.latest("one")[0] == 8
        assert list(run.checkpoints.glob(".*")) == []


def test_a_module_and_its_optimizer_come_back_bit_for_bit():
    def fresh(seed):
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
        return net, torch.optim.AdamW(net.parameters(), 0.1)

    def step(net, optimizer, k):
        torch.manual_seed(k)
        optimizer.zero_grad()
        net(torch.randn(8, 3)).square().mean().backward()
        optimizer.step()

    whole, other = fresh(0), fresh(1)
    for k in range(3):
        step(*whole, k)
    restore(*other, {name: t.clone() for name, t in state_of(*whole).items()})
    for k in range(3, 6):
        step(*whole, k)
        step(*other, k)
    expected, found = state_of(*whole), state_of(*other)
    assert expected.keys() == found.keys()
    assert all(torch.equal(t, found[name]) for name, t in expected.items())


def test_a_fused_optimizer_goes_on_with_each_number_where_it_was():
    """Convolutions lie in memory as channels last, and checkpoints as rows."""

    def fresh(seed):
        torch.manual_seed(seed)
        net = nn.Conv2d(4, 8, 3).to(memory_format=torch.channels_last)
        return net, torch.optim.Adam(net.parameters(), 0.1, fused=True)

    def step(net, optimizer, k):
        torch.manual_seed(k)
        optimizer.zero_grad()
        net(torch.randn(2, 4, 6, 6)).square().mean().backward()
        optimizer.step()

    whole, other = fresh(0), fresh(1)
    for k in range(3):
        step(*whole, k)
    rows = {
        name: t.clone(memory_format=torch.contiguous_format) for name, t in state_of(*whole).items()
    }
    restore(*other, rows)
    for k in range(3, 6):
        step(*whole, k)
        step(*other, k)
    expected, found = state_of(*whole), state_of(*other)
    assert all(torch.equal(t, found[name]) for name, t in expected.items())


def test_checkpoints_of_a_stage_that_came_again_are_its_own(tmp_path):
    run = RunFolder(tmp_path)
    run.save("reinforce", 400, {"x": torch.ones(1)})
    run.save("reinforce-2", 50, {"x": torch.zeros(1)})
    for step in (100, 150, 200):
        run.save("reinforce-2", step, {"x": torch.zeros(1)})
    step, tensors = run.latest("reinforce")
    assert (step, float(tensors["x"])) == (400, 1.0)
    assert run.latest("reinforce-2")[0] == 200


def test_readings_that_are_no_numbers_end_the_run_with_a_remedy(tmp_path):
    with pytest.raises(InputError, match=r"loss is nan at step 3; lower the learning rate"):
        RunFolder(tmp_path).record("pretrain", 3, {"loss": float("nan")})
