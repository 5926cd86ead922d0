"""Scenes as graphs of numbers, and back."""

import math
import subprocess
import sys

import pytest
import torch
from faulty import ROOT
from toys import ARROW, batch_of, grammar_of, prior_scenes, things

from datagen.learning.attributes.graphs import graphs_of, scenes_of, vocabulary

STREET = """
world street
canvas 64 x 48
start Scene
Scene -> Road * uniform_int(1, 3)
Road -> car * uniform_int(0, 3)
Road { x: 32 px  gap: uniform(2, 6) px mutable  width: 40 px  height: 6 px
       draw: road  category: "road" }
car {
  category: "car"
  draw: car
  x: uniform(-0.4, 0.4) width mutable
  yaw: normal(0, 5) deg mutable [-30, 30]
  length: uniform(3, 5) px
  width: 2 px
  colour: choice(red 1, white 2)
}
"""


def graphed(text, count):
    """Vocabulary, scenes and graphs of a grammar."""
    batch = batch_of(grammar_of(text), count)
    return batch.known, batch.scenes, batch.graphs


def test_nodes_stand_in_preorder_and_edges_follow_the_tree():
    graphs = batch_of(grammar_of(), 2).graphs  # Scene -> bg arrow, twice
    assert len(graphs.nodes) == 6
    assert graphs.edges.parent.tolist() == [0, 0, 3, 3]
    assert graphs.edges.child.tolist() == [1, 2, 4, 5]


def test_every_edge_of_a_deep_tree_joins_a_node_to_its_own_parent():
    _, scenes, graphs = graphed(STREET, 20)
    paths = [(k, placed.path) for k, scene in enumerate(scenes) for placed in scene.walk()]
    for parent, child in zip(graphs.edges.parent, graphs.edges.child, strict=True):
        scene, path = paths[child]
        assert paths[parent] == (scene, path.rpartition(".")[0])
    assert len(graphs.edges.child) == len(paths) - len(scenes)


def test_only_mutable_attributes_have_slots():
    batch = batch_of(grammar_of(), 3)
    assert [(slot.scene, slot.path, slot.name) for slot in batch.graphs.slots] == [
        (scene, "1", name) for scene in range(3) for name in ("x", "yaw")
    ]
    assert batch.known.kinds == {("arrow", "x"): 0, ("arrow", "yaw"): 1}


def test_a_whole_turn_is_a_circle_in_radians_and_a_part_of_one_an_interval_in_its_own_unit():
    circle = batch_of(grammar_of(), 1).graphs
    assert circle.on_circle.tolist() == [False, True]
    assert circle.span.tolist() == pytest.approx([32, 2 * math.pi])
    arc = batch_of(grammar_of(ARROW, **{"deg mutable": "deg mutable [-30, 90]"}), 1).graphs
    assert arc.on_circle.tolist() == [False, False]
    assert (arc.low[1], arc.high[1]) == (-30, 90)


def test_an_angle_is_turned_into_its_range():
    text = ARROW.replace("normal(0, 10) deg mutable", "normal(0, 10) deg mutable [320, 400]")
    graphs = batch_of(grammar_of(text), 50).graphs
    yaws = graphs.value[graphs.kind == 1]
    assert 350 < float(yaws.mean()) < 370
    assert float(yaws.min()) > 310


def test_values_put_back_give_the_same_scenes():
    for text in (ARROW, STREET):
        known, scenes, graphs = graphed(text, 10)
        for before, after in zip(
            scenes, scenes_of(known, scenes, graphs, graphs.value), strict=True
        ):
            for a, b in zip(before.walk(), after.walk(), strict=True):
                assert b.node.attributes == pytest.approx(a.node.attributes, abs=1e-9)
                assert vars(b.world) == pytest.approx(vars(a.world), abs=1e-9)


def test_new_values_arrive_in_base_units():
    known, scenes, graphs = graphed(ARROW, 2)
    moved = scenes_of(known, scenes, graphs, torch.tensor([1.0, 0.5, 2.0, -0.5]).double())
    assert things(moved, "x").tolist() == [1, 2]
    assert things(moved, "yaw").tolist() == [0.5, -0.5]


def test_a_share_of_the_parent_is_in_its_own_unit_and_comes_back_in_pixels():
    known, scenes, graphs = graphed(STREET, 10)
    shares = graphs.kind == known.kinds["car", "x"]
    assert (graphs.low[shares] == -0.4).all()
    values = graphs.value.masked_fill(shares, 0.25)
    assert things(scenes_of(known, scenes, graphs, values), "x", "car").tolist() == pytest.approx(
        [10.0] * int(shares.sum())
    )


def test_roads_stack_anew_when_a_gap_changes():
    known, scenes, graphs = graphed(STREET, 10)
    gaps = graphs.kind == known.kinds["Road", "gap"]
    moved = scenes_of(known, scenes, graphs, graphs.value.masked_fill(gaps, 4.0))
    for scene in moved:
        roads = [p.world.y for p in scene.walk() if p.node.symbol == "Road"]
        assert roads == pytest.approx([7 + 10 * k for k in range(len(roads))])


def test_what_is_kept_is_cut_off_at_the_ends_and_brought_round_the_circle():
    graphs = batch_of(grammar_of(), 1).graphs
    kept = graphs.kept(torch.tensor([40.0, math.pi + 0.5]).double())
    assert kept.tolist() == pytest.approx([32, 0.5 - math.pi])


def test_features_say_symbol_place_and_standing_among_siblings():
    grammar = grammar_of(STREET)
    known = vocabulary(grammar)
    scenes = [s for s in prior_scenes(grammar, 30) if len(s.root.children) == 3][:1]
    graphs = graphs_of(known, scenes)
    roads = graphs.nodes[graphs.nodes[:, known.symbols["Road"]] == 1]
    assert roads[:, -2].tolist() == pytest.approx([0, 1 / 3, 2 / 3])
    assert roads[:, -1].tolist() == pytest.approx([1 / 3] * 3)
    assert (graphs.nodes[:, : len(known.symbols)].sum(1) == 1).all()


def test_standardised_values_have_mean_0_and_spread_1_under_the_prior():
    known = vocabulary(grammar_of())
    graphs = graphs_of(known, prior_scenes(grammar_of(), 400))
    arrows = graphs.nodes[graphs.nodes[:, known.symbols["arrow"]] == 1]
    for name in ("x", "yaw", "width"):
        z = arrows[:, len(known.symbols) + 3 * known.columns[name] + 2]
        assert abs(float(z.mean())) < 0.15
        assert float(z.std()) == pytest.approx(1, abs=0.15)


def test_scenes_without_anything_mutable_have_no_slots():
    grammar = grammar_of(STREET, **{"uniform_int(1, 3)": "0"})
    graphs = batch_of(grammar, 3).graphs
    assert (len(graphs.slots), graphs.value.shape, len(graphs.nodes)) == (0, (0,), 3)


def test_the_vocabulary_does_not_depend_on_the_hash_seed():
    code = (
        "from toys import grammar_of; from test_scene_graphs import STREET\n"
        "from datagen.learning.attributes.graphs import vocabulary\n"
        "known = vocabulary(grammar_of(STREET)); print(known.symbols, known.columns, known.kinds)"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            check=True, text=True, stdout=subprocess.PIPE, cwd=ROOT / "tests",
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(told) == 1
