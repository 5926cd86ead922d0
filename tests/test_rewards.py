"""What pictures cost, by every reward; and the views and bandwidths that they are seen through."""

import numpy as np
import pytest
import torch
from structures import rng

from datagen.features.counts import Heads, RowHead
from datagen.learning.gap import mmd2
from datagen.learning.kde import median_squared_distance
from datagen.learning.structure.rewards import Kernels, View, reward, whole
from datagen.learning.structure.views import count_views
from datagen.settings.learn import Reinforcement

SETTINGS = Reinforcement()


def features(law, count, index=0):
    """Counts 0.. drawn by `law`, as one column, with the small noise that a network leaves."""
    generator = rng(index)
    counts = generator.choice(len(law), count, p=law)
    noisy = counts + generator.normal(0, 0.02, count)
    return torch.from_numpy(noisy[:, None].astype(np.float32)), counts


def cost_of(generated, real, views=None, log_weights=None, **settings):
    chosen = SETTINGS.model_copy(update=settings)
    kernels = Kernels(real, views or whole(real.shape[1]), chosen)
    weights = torch.zeros(len(generated)) if log_weights is None else log_weights
    return reward(kernels, chosen)(generated, real, weights)


# ------------------------------------------------------------------------------------------- kde


def test_what_is_generated_too_often_costs_and_what_is_missing_pays():
    real, _ = features([0.1, 0.3, 0.2, 0.4], 1000)
    generated, counts = features([0.4, 0.3, 0.2, 0.1], 1000, index=1)
    cost = cost_of(generated, real).numpy()
    means = [cost[counts == n].mean() for n in range(4)]
    assert means[0] > 0.5
    assert means[3] < -0.5
    assert max(abs(means[1]), abs(means[2])) < 0.3


def test_what_no_target_shows_costs_the_most_but_not_more_than_the_clip():
    real, _ = features([0.5, 0.5], 500)
    generated, counts = features([0.3, 0.3, 0, 0, 0, 0, 0, 0, 0.4], 500, index=1)
    cost = cost_of(generated, real)
    assert float(cost.max()) <= SETTINGS.clip
    assert float(cost[counts == 8].min()) == pytest.approx(SETTINGS.clip, rel=0.2)


def test_equal_sets_cost_nothing_on_average():
    real, _ = features([0.2] * 5, 1000)
    generated, _ = features([0.2] * 5, 1000, index=1)
    assert abs(float(cost_of(generated, real).mean())) < 0.05


def test_a_rare_and_right_scene_is_not_punished():
    # 2 % of both sets; a kernel on itself would make it look twice as frequent in a small batch.
    real, _ = features([0.49, 0.0, 0.49, 0.0, 0.02], 1000)
    costs = []
    for k in range(1, 40):
        generated, counts = features([0.49, 0.0, 0.49, 0.0, 0.02], 50, index=k)
        cost = cost_of(generated, real).numpy()
        costs += cost[counts == 4].tolist()
    assert len(costs) > 20
    assert np.mean(costs) < 0.3


def test_a_total_of_its_own_is_seen_among_many_columns():
    # Ten classes with the same shares; only how many things there are differs.
    generator = rng(2)
    few = generator.multinomial(3, [0.1] * 10, 500).astype(np.float32)
    many = generator.multinomial(6, [0.1] * 10, 500).astype(np.float32)
    both = np.concatenate([few, many])
    real = torch.from_numpy(np.column_stack([many, many.sum(1)]))
    generated = torch.from_numpy(np.column_stack([both, both.sum(1)]))
    names = (*map(str, range(10)), "all")
    heads = Heads(names=names, categories=10, classes=(7,) * 11, width=4)
    cost = cost_of(generated, real, count_views(heads))
    assert float(cost[:500].mean()) > float(cost[500:].mean()) + 2


def test_weights_stand_for_repeated_pictures():
    real, _ = features([0.25] * 4, 200)
    generated, _ = features([0.4, 0.3, 0.2, 0.1], 50, index=1)
    times = torch.from_numpy(rng(5).integers(1, 4, 50))
    repeated = cost_of(generated.repeat_interleave(times, 0), real)
    weighed = cost_of(generated, real, log_weights=times.float().log())
    # Of several copies each leaves only itself out, so small differences remain.
    first = torch.cat([torch.zeros(1, dtype=torch.int64), times.cumsum(0)[:-1]])
    assert float((repeated[first] - weighed).abs().mean()) < 0.2
    assert np.corrcoef(repeated[first], weighed)[0, 1] > 0.97


# --------------------------------------------------------------------------------------- the others


@pytest.mark.parametrize("name", ["witness", "mmd"])
def test_mmd_rewards_fall_as_the_sets_come_closer(name):
    real, _ = features([0.1, 0.3, 0.2, 0.4], 1000)
    near, _ = features([0.15, 0.25, 0.2, 0.4], 1000, index=1)
    far, _ = features([0.6, 0.2, 0.1, 0.1], 1000, index=2)
    close, distant = (float(cost_of(x, real, reward=name).mean()) for x in (near, far))
    assert close < distant


def test_the_batch_reward_is_the_same_for_all_and_differs_by_the_squared_mmd():
    real, _ = features([0.25] * 4, 400)
    sets = [
        features(law, 300, index=k)[0] for k, law in enumerate(([0.4, 0.3, 0.2, 0.1], [0.25] * 4))
    ]
    costs = [cost_of(x, real, reward="mmd") for x in sets]
    assert all(len(c.unique()) == 1 for c in costs)
    expected = [mmd2(x.numpy(), real.numpy(), SETTINGS.scales) for x in sets]
    assert float(costs[0][0] - costs[1][0]) == pytest.approx(expected[0] - expected[1], abs=1e-4)


def test_the_witness_knows_who_is_too_many():
    real, _ = features([0.1, 0.3, 0.2, 0.4], 1000)
    generated, counts = features([0.4, 0.3, 0.2, 0.1], 1000, index=1)
    cost = cost_of(generated, real, reward="witness").numpy()
    means = [cost[counts == n].mean() for n in range(4)]
    assert means[0] == max(means)
    assert means[3] == min(means)


# ------------------------------------------------------------------------------- views, bandwidths


def test_bandwidths_by_name():
    real = torch.from_numpy(rng().normal(0, 2, (300, 5)).astype(np.float32))
    view = View((0, 2, 4), (1.0, 1.0, 3.0))
    median = median_squared_distance(view.of(real))
    named = {
        name: view.variances(real, SETTINGS.model_copy(update={"bandwidth": name}))
        for name in ("d", "median", "multiscale")
    }
    assert named["d"] == (3.0,)
    assert named["median"] == pytest.approx((median,))
    assert named["multiscale"] == pytest.approx([s * median for s in SETTINGS.scales])
    assert View((1,), (1.0,), 0.3).variances(real, SETTINGS) == pytest.approx((0.09,))


def test_the_spread_of_huge_bandwidths_is_near_zero():
    real, _ = features([0.2] * 5, 300)
    generated, _ = features([0.2] * 5, 300, index=1)
    wide = SETTINGS.model_copy(update={"scales": (1e6,)})
    assert Kernels(real, whole(1), wide).spread(generated) < 1e-3
    assert Kernels(real, whole(1), SETTINGS).spread(generated) > 0.1


def test_counting_features_are_seen_together_alone_and_row_by_row():
    row = RowHead(item="Road", axis="y", items=3, categories=(0, 1))
    heads = Heads(
        names=("car", "road", "all"), categories=2, classes=(3, 3, 5), width=4, rows=(row,)
    )
    assert len(heads.columns()) == 9
    views = count_views(heads)
    assert [v.columns for v in views] == [(0, 1, 2), (2,), (3, 4, 5), (6, 7, 8)]
    within = count_views(heads, (1, 2))
    assert within[:4] == views
    assert [v.columns for v in within[4:]] == [(9, 10), (11, 12)]
    assert heads.columns()[3:6] == ("car of Road 1", "car of Road 2", "car of Road 3")
