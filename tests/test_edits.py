"""Edits of scenes: what people type, and that RELATE and GNM change what was asked and no more."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from balls import write_learner
from PIL import Image

from datagen.edits import NO_EDITS, Edits
from datagen.errors import EditError, InputError
from datagen.frame import Frame, Instance, Silhouette
from datagen.frames import named
from datagen.learning.gnm import editing as gnm_editing
from datagen.learning.gnm import objects as gnm_objects
from datagen.learning.relate import editing as relate_editing
from datagen.learning.relate.toggling import frame_of, taken_apart
from datagen.models import gnm, relate
from datagen.report import colour_of
from datagen.report.edited import edited_sheet
from datagen.rng import Stream, rng_for

# ---------------------------------------------------------------------------------- what is typed


def test_edits_are_read_as_they_are_typed():
    edits = Edits.parse(["1:5,-3", "12:+0.5,2"], [2], [3, 3])
    assert edits.moved == {1: (5.0, -3.0), 12: (0.5, 2.0)}
    assert edits.dropped == {2} and edits.recoloured == {3}
    assert edits.things == {1, 2, 3, 12}
    assert edits and not NO_EDITS and not Edits.parse([], [], [])


@pytest.mark.parametrize(
    "text", ["", "5,3", "a:1,2", "1:5", "1:5,3,4", "-1:5,3", "0:5,3", "1:nan,0"]
)
def test_a_move_that_is_none_is_refused_with_an_example(text):
    with pytest.raises(InputError, match="such as --move 1:5,-3"):
        Edits.parse([text], [], [])


def test_a_thing_is_moved_once():
    with pytest.raises(InputError, match="--move: names a thing twice"):
        Edits.parse(["1:5,3", "1:2,2"], [], [])


# ------------------------------------------------------------------------- moves out of a picture


def test_the_middle_of_a_thing_stays_in_its_picture():
    two = frame(2)  # of 24 x 16 px; the middles of things are at (2, 6) and (8, 6)
    Edits(moved={1: (22.0, 10.0), 2: (-8.0, -6.0)}).refuse_leaving(two)
    for way, place in (
        ((22.6, 0.0), r"\(25, 6\)"),
        ((-2.6, 0.0), r"\(-1, 6\)"),
        ((0.0, 11.0), r"\(2, 17\)"),
    ):
        words = rf"thing 1 would be at {place} px, outside the picture of 24 x 16 px; move it less"
        with pytest.raises(EditError, match=words):
            Edits(moved={1: way}).refuse_leaving(two)


def test_things_that_are_not_there_or_not_seen_leave_no_picture():
    unseen = Instance(1, 1, "ball.0", Silhouette(0, 0, np.zeros((0, 0), bool)))
    for found in (frame(0), replace(frame(0), instances=(unseen,))):
        Edits(moved={1: (500.0, 0.0)}).refuse_leaving(found)


def test_an_edit_that_a_picture_does_not_allow_is_no_fault_of_the_image():
    with pytest.raises(EditError, match=r"^image 3: --move: too far$") as raised, named(3):
        raise EditError("--move: too far")
    assert raised.value.exit_code == 2


# ------------------------------------------------------------------------------------------ sheet


def frame(count: int) -> Frame:
    ids = np.zeros((16, 24), np.int32)
    things = []
    for k in range(count):
        ids[4:8, 6 * k : 6 * k + 4] = k + 1
        things.append(Instance(k + 1, 1, f"ball.{k}", Silhouette(6 * k, 4, np.ones((4, 4), bool))))
    image = np.full((16, 24, 3), 40 * count, np.uint8)
    return Frame((ids > 0).astype(np.uint8), ids, None, tuple(things), ("ball",), image=image)


def test_the_sheet_shows_each_picture_beside_what_became_of_it():
    edits = Edits(dropped=frozenset({2}))
    pairs = [frame(2), frame(3)], [frame(1), frame(2)]
    sheet = edited_sheet(*pairs, edits, boxes=False, masks=False)
    centres = [tuple(sheet[70, 100 + 180 * k]) for k in range(4)]
    assert centres == [(80,) * 3, (40,) * 3, (120,) * 3, (80,) * 3]


def test_things_have_the_numbers_that_edits_name_them_by():
    sheet = edited_sheet(
        [frame(2)], [frame(1)], Edits(dropped=frozenset({2})), boxes=True, masks=False
    )
    # Seven times as large; above the box at (42, 28) from the picture's corner a number alone, for
    # with its category it would not fit small things; no line below counts those of each number.
    assert tuple(sheet[10 + 17, 10 + 42 + 1]) == colour_of(2)
    assert tuple(sheet[10 + 17, 10 + 42 + 20]) == (80, 80, 80)
    assert len(sheet) == 10 + 7 * 16 + 22 + 10


def test_a_thing_that_no_picture_has_is_refused():
    with pytest.raises(InputError, match="there is no thing 4 in these pictures: they have 3 at"):
        edited_sheet(
            [frame(3)], [frame(3)], Edits(recoloured=frozenset({4})), boxes=True, masks=True
        )


# ----------------------------------------------------------------------------------------- RELATE

SIZES = relate.Sizes(
    width=32, height=32, channels=16, window=4, background=3, appearance=0, constants=3,
    interaction="general", residual=True, pooling="sum", scale=False, spread=0.8,
)  # fmt: skip


@pytest.fixture(params=[0, 2], ids=["constants", "appearances"])
def net(request):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        sizes = replace(SIZES, appearance=request.param)
        return relate.Generator(sizes).eval().requires_grad_(False)


def drawn(net):
    """Three objects in four slots: the second one is not there."""
    latents = relate.draw_latents(net.sizes, rng_for(0, 0, Stream.RELATE), 1, (4, 4))
    latents.spots[:] = 0.5 * latents.spots
    latents.present[0, 1] = False
    return latents


def edit(net, edits):
    latents = drawn(net)
    before = net.lay(latents)
    after, left = relate_editing.edited(net, latents, edits, rng_for(0, 1, Stream.RELATE))
    return before, after, left


def same(before, after, slots):
    return all(torch.equal(before.objects[:, k], after.objects[:, k]) for k in slots)


def test_relate_drops_an_object_and_leaves_the_others_where_they_are_with_their_numbers(net):
    before, after, left = edit(net, Edits(dropped=frozenset({2})))
    assert left == [1, 3] and same(before, after, (0, 1, 3))
    assert before.objects[:, 2].abs().max() > 0 and after.objects[:, 2].abs().max() == 0
    assert torch.equal(before.background, after.background)
    sample = taken_apart(net, after)
    labelled = frame_of(sample, 1, ("ball",), (), 0.35, left)
    assert [thing.id for thing in labelled.instances] == [1, 3]
    assert set(np.unique(labelled.instance_map)) <= {0, 1, 3}


def test_relate_moves_an_object_by_whole_cells_and_no_other(net):
    before, after, left = edit(net, Edits(moved={2: (4.0, -8.0)}))  # a cell is 4 px
    assert left == [1, 2, 3] and same(before, after, (0, 1, 3))
    expected = torch.roll(before.objects[:, 2], (-2, 1), (-2, -1))
    inner = (..., slice(1, 6), slice(2, 7))
    torch.testing.assert_close(after.objects[:, 2][inner], expected[inner])
    moved = after.poses[0, 2] - before.poses[0, 2]
    torch.testing.assert_close(moved, torch.tensor([0.25, -0.5]))


def test_relate_gives_an_object_another_look_and_leaves_the_others(net):
    before, after, _ = edit(net, Edits(recoloured=frozenset({1})))
    assert same(before, after, (1, 2, 3)) and not same(before, after, (0,))
    assert torch.equal(before.poses, after.poses)


def test_relate_takes_the_next_of_its_looks_where_objects_have_no_noise():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = relate.Generator(SIZES).eval().requires_grad_(False)
    before, after, _ = edit(net, Edits(recoloured=frozenset({3})))  # slot 3 has constant 0
    wanted = net.lay(drawn(net), before.poses, torch.tensor([0, 1, 2, 1]))
    assert torch.equal(after.objects, wanted.objects)


def test_objects_of_relate_that_all_look_alike_have_no_other_look():
    net = relate.Generator(replace(SIZES, constants=1)).requires_grad_(False)
    with pytest.raises(EditError, match="--recolour: the objects of this model all look alike"):
        edit(net, Edits(recoloured=frozenset({1})))


def test_relate_leaves_a_picture_as_it_is_that_has_no_such_thing(net):
    everything = Edits({9: (1.0, 1.0)}, frozenset({8}), frozenset({7}))
    before, after, left = edit(net, everything)
    assert left == [1, 2, 3] and torch.equal(before.objects, after.objects)


# -------------------------------------------------------------------------------------------- GNM

GRID = gnm.Sizes(
    canvas=(64, 32), channels=1, cell=16, width=4, what=3, glimpse=8, drawing=2, latent=5,
    hidden=8, alpha=False, background=0, size=0.25, noise=0.2,
)  # fmt: skip
NUMBERS = {1: 1, 4: 2}  # cell -> thing


@pytest.fixture(scope="module")
def model():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return gnm.Gnm(GRID).eval().requires_grad_(False)


def two_objects():
    """In the middles of the second cell of the upper row and the first of the lower one."""
    presence = torch.zeros(1, 8)
    presence[0, [1, 4]] = 1
    values = torch.from_numpy(rng_for(3, 0, Stream.GNM).standard_normal((1, 8, 7), "float32"))
    values[..., 2:4] = 0
    return gnm.Objects(presence, values, None)


def changed(model, edits, objects=None):
    objects = two_objects() if objects is None else objects
    return gnm_editing.edited(model, objects, NUMBERS, edits, rng_for(0, 0, Stream.GNM))


def centre(model, objects, cell):
    return model.boxes(objects)[0, cell, :2]


def test_gnm_moves_an_object_to_the_very_place(model):
    for way, cell in (((5.0, 3.0), 1), ((16.0, 0.0), 2), ((30.0, 10.0), 7)):
        objects, numbers = changed(model, Edits(moved={1: way}))
        assert numbers == {cell: 1, 4: 2}
        goal = torch.tensor([24.0, 8.0]) + torch.tensor(way)
        torch.testing.assert_close(centre(model, objects, cell), goal)
        assert objects.presence.sum() == 2 and objects.presence[0, [cell, 4]].sum() == 2
        before = two_objects().values
        looks = (0, 1, 4, 5, 6)  # all but the place
        assert torch.equal(objects.values[0, cell, looks], before[0, 1, looks])
        assert torch.equal(objects.values[0, 4], before[0, 4])


def test_gnm_says_where_no_cell_is_free(model):
    full = two_objects()
    full.presence[:] = 1
    stays, _ = changed(model, Edits(moved={1: (3.0, 0.0)}), full)
    torch.testing.assert_close(centre(model, stays, 1), torch.tensor([27.0, 8.0]))
    with pytest.raises(EditError, match=r"--move: thing 1 would be at \(54, 8\) px, where no cell"):
        changed(model, Edits(moved={1: (30.0, 0.0)}), full)
    with pytest.raises(EditError, match=r"thing 2 would be at \(8, 90\) px"):
        changed(model, Edits(moved={2: (0.0, 66.0)}))


def test_gnm_drops_an_object_and_the_others_keep_their_numbers(model):
    objects, numbers = changed(model, Edits(dropped=frozenset({1})))
    assert numbers == {4: 2} and objects.presence[0].tolist() == [0, 0, 0, 0, 1, 0, 0, 0]
    labelled = gnm_objects.frame_of(model, objects, 1, ("digit",), 0.01, numbers)
    assert [thing.id for thing in labelled.instances] == [2]
    assert set(np.unique(labelled.instance_map)) == {0, 2}


def test_gnm_gives_an_object_the_look_of_another_scene(model):
    objects, numbers = changed(model, Edits(recoloured=frozenset({2})))
    before = two_objects().values
    assert numbers == NUMBERS
    assert torch.equal(objects.values[0, 4, :4], before[0, 4, :4])
    assert not torch.equal(objects.values[0, 4, 4:], before[0, 4, 4:])
    assert torch.equal(objects.values[0, 1], before[0, 1])


# ---------------------------------------------------------------------------------------- command


def test_a_world_that_is_drawn_is_edited_as_learned_ones_are(cli, tmp_path):
    recipe = write_learner(tmp_path, "").read_text().replace("renderers = []", "")
    (tmp_path / "table.toml").write_text(recipe)
    out = ("-n", 2, "-o", tmp_path / "p.png")
    done = cli("preview", tmp_path / "table.toml", "--move", "1;2", *out)
    done.refused(2, "--move 1;2: write THING:RIGHT,DOWN in px")
    cli("preview", tmp_path / "table.toml", "--recolour", 1, *out).refused(2, "--recolour gives")
    assert not (tmp_path / "p.png").exists()
    done = cli("preview", tmp_path / "table.toml", "--drop", 1, "--move", "2:4,0", *out)
    assert done.code == 0, done.err
    with Image.open(tmp_path / "p.png") as sheet:
        assert sheet.width > 4 * 160  # two pairs
