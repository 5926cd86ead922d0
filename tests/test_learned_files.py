"""Files of what was learned: they come back bit for bit, and are refused when they are not whole.

What is asked here is asked of every kind of them; what one kind has of its own, beside it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import torch
from appearances import TEXT, WORLD
from refusals import refused
from resuming import readings_of, same
from rewriting import ABSENT, header_of, rewritten
from safetensors.torch import load_file, save_file
from torch import nn
from trainees import TRAINEES

from datagen import plugins
from datagen.language import parse
from datagen.learning.appearance.weights import load_appearance_model, save_appearance_model
from datagen.learning.gnm.weights import load_gnm_model, save_gnm_model
from datagen.learning.layout.weights import load_layout_model, save_layout_model
from datagen.learning.relate.weights import load_relate_model, save_relate_model
from datagen.learning.relate_clips.weights import load_relate_clips_model, save_relate_clips_model
from datagen.learning.weights import load_model, new_model, save_model
from datagen.settings.learn import Learn

pytestmark = pytest.mark.usefixtures("one_thread")

LEARN = Learn(hidden=8, embedding=4, latents=2)


def taught(name, folder):
    """A trainee that has done all its steps."""
    trainee = TRAINEES[name](folder)
    readings_of(trainee)
    return trainee


@dataclass(frozen=True)
class Kind:
    """What a file is made from, how it is written and read, and how it can be damaged."""

    make: Callable[[Path], Any]
    save: Callable[..., None]  # path, what was made, grammar
    load: Callable[..., Any]  # path, grammar
    tensor: str  # one of its tensors
    wider: dict[str, Any]  # entries of the header of a larger network
    saved: Callable[[Any], Sequence[nn.Module]]  # of what was made
    loaded: Callable[[Any], Sequence[nn.Module]]  # of what was read, in the same order
    optional: tuple[str, ...] = ()  # entries that need not be there


def sampled(trainee):
    return [trainee.sampler()]


KINDS = {
    "layout": Kind(
        partial(taught, "layout"), save_layout_model, load_layout_model,
        "body.0.bias", {"width": 8},
        sampled, lambda model: [model],
    ),
    "relate": Kind(
        partial(taught, "relate"), save_relate_model, load_relate_model,
        "behind.constant", {"channels": 24},
        sampled, lambda model: [model.net], optional=("attempts",),
    ),
    "relate_clips": Kind(
        partial(taught, "relate_clips"), save_relate_clips_model, load_relate_clips_model,
        "motion.node.4.bias", {"still": {"channels": 24}},
        lambda trainee: trainee.samplers(), lambda model: [model.still.net, model.motion],
        optional=("still.attempts",),
    ),
    "gnm": Kind(
        partial(taught, "gnm"), save_gnm_model, load_gnm_model,
        "draw.out.bias", {"width": 8},
        sampled, lambda model: [model[0]],
    ),
    "appearance": Kind(
        lambda folder: (taught("appearance", folder), taught("gate", folder)),
        lambda path, both, grammar: save_appearance_model(path, both[0], both[1], grammar),
        load_appearance_model,
        "generator.paint.weight", {"style": 9},
        lambda both: [one.net for one in both], lambda model: [model.net, model.gate],
        optional=("format",),
    ),
    "structure": Kind(
        lambda folder: new_model(WORLD, LEARN, 7),
        lambda path, model, grammar: save_model(path, grammar, LEARN, model),
        load_model,
        "head.bias", {"structure": {"hidden": 16}},
        lambda model: [model], lambda model: [model.structure],
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Saved:
    kind: Kind
    path: Path
    made: Any
    bad: Path  # where damaged copies are written

    def refused(self, *words, path=None, header=None, tensors=None, world=TEXT):
        """The file with these changes, or another one, is refused."""
        if path is None:
            path = rewritten(self.path, self.bad, header, tensors)
        with refused(path.name, *words):
            self.kind.load(path, parse(world))


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Callable[[str], Saved]:
    @cache
    def made(name: str) -> Saved:
        folder, kind = tmp_path_factory.mktemp(name), KINDS[name]
        one = kind.make(folder)
        kind.save(folder / "model.safetensors", one, WORLD)
        return Saved(kind, folder / "model.safetensors", one, folder / "bad.safetensors")

    return made


@pytest.fixture(params=KINDS)
def file(request, saved) -> Saved:
    """Of each kind, made once."""
    return saved(request.param)


def files(*kinds):
    return pytest.mark.parametrize("file", kinds, indirect=True)


# ------------------------------------------------------------------------------------- what is kept


def test_what_was_learned_comes_back_bit_for_bit(file):
    loaded = file.kind.loaded(file.kind.load(file.path, WORLD))
    for ours, theirs in zip(file.kind.saved(file.made), loaded, strict=True):
        assert same(ours.state_dict(), theirs.state_dict())
        assert not theirs.training


@files("appearance")
def test_an_appearance_brings_the_styles_of_its_photos_and_the_unit_of_its_distance(file):
    model, (trainee, _) = load_appearance_model(file.path, WORLD), file.made
    assert torch.equal(model.bank, trainee.bank)
    assert torch.equal(model.unit, trainee.distance.unit)


def test_equal_runs_leave_equal_bytes(file, tmp_path):
    again = tmp_path / "again.safetensors"
    file.kind.save(again, file.kind.make(tmp_path), WORLD)
    assert again.read_bytes() == file.path.read_bytes()
    assert not list(tmp_path.glob(".*"))


# ------------------------------------------------------------------------------------ another world


@files("layout", "relate", "relate_clips", "gnm")
def test_a_model_of_another_canvas_says_which_one_to_set(file):
    words = "16 x 16 px", "32 x 16", "set canvas = [16, 16]"
    file.refused(*words, world=TEXT.replace("16 x 16", "32 x 16"))


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("layout", '"car"', '"lorry"', ["for toy, whose class 1 is car", "in other it is lorry"]),
        ("layout", "category:", "stuff:", ["class 1 is car", "it is sky (stuff)"]),
        ("layout", 'stuff: "sky"', "", ["class 2 is sky (stuff)", "it is nothing"]),
        ("relate", '"car"', '"lorry"', ["toy's category car, which other does not have"]),
        ("relate_clips", '"car"', '"lorry"', ["toy's category car, which other does not have"]),
        ("gnm", '"car"', '"lorry"', ["toy's category car, which other does not have"]),
        ("appearance", '"car"', '"lorry"', ["the categories car, but other has lorry"]),
        ("appearance", '"sky"', '"sea"', ["the stuff sky, but other has sea"]),
        ("structure", "-> sky car", "-> sky", ["was learned for toy", "here is other"]),
    ],
    indirect=["file"],
)
def test_a_model_of_another_world_is_refused_with_the_difference(file, old, new, words):
    assert old in TEXT
    file.refused(*words, world=TEXT.replace("world toy", "world other").replace(old, new))


# ------------------------------------------------------------------------------------------ no file


def test_a_file_that_is_not_there_or_torn_is_refused(file):
    file.refused(path=file.path.with_name("gone.safetensors"))
    file.bad.write_bytes(file.path.read_bytes()[:-1])
    file.refused(path=file.bad)


def test_tensors_of_something_else_are_refused_with_the_command_that_writes_them(file):
    save_file(load_file(file.path), file.bad)
    file.refused("`datagen learn`", path=file.bad)


@pytest.mark.parametrize(
    ("kind", "use"),
    [
        *(("generators", name) for name in ("semgan", "relate", "relate_clips", "gnm")),
        ("renderers", "imle"),
    ],
)
def test_who_has_no_file_says_which_command_writes_one(kind, use):
    with (
        refused(f"`{use}` has not learned", "`datagen learn`"),
        plugins.load(kind, use)().open(WORLD),
    ):
        pass


# --------------------------------------------------------------------------------------- the header


def test_a_header_that_is_no_json_is_refused(file):
    save_file(load_file(file.path), file.bad, {"datagen": "{"})
    file.refused("header", "not JSON", path=file.bad)


def test_another_format_is_refused(file):
    file.refused("header", "`format`", "datagen-other-1", header={"format": "datagen-other-1"})


@pytest.mark.parametrize(("name", "of"), [("gnm", "RELATE model"), ("relate", "GNM")])
def test_a_model_of_another_kind_is_refused_by_its_format_and_not_by_its_other_keys(
    saved, name, of
):
    other = "relate" if name == "gnm" else "gnm"
    with refused("header", f"`format` is 'datagen-{name}-1', which is no {of}; give another"):
        KINDS[other].load(saved(name).path, WORLD)


def test_an_entry_that_nobody_knows_is_refused(file):
    file.refused("header", "unknown key `colour`", header={"colour": "red"})


def test_each_entry_is_needed(file):
    for name, change in lacking(header_of(file.path)):
        if name not in file.kind.optional:
            file.refused("header", f"the key `{name}` is missing", header=change)


def lacking(header, prefix=""):
    """Dotted names of all entries, and the change that leaves out each."""
    for name, value in header.items():
        yield f"{prefix}{name}", {name: ABSENT}
        if isinstance(value, dict):
            for inner, change in lacking(value, f"{prefix}{name}."):
                yield inner, {name: change}


@pytest.mark.parametrize(
    ("file", "header", "words"),
    [
        ("layout", {"width": 10**6}, ["`width`"]),
        ("layout", {"latent": 4096, "size": [8192, 8192]}, ["8192 x 8192 px"]),
        ("relate", {"objects": [3, 2]}, ["do not fit"]),
        ("relate", {"area": 0}, ["`area`"]),
        ("relate_clips", {"still": {"objects": [3, 2]}}, ["do not fit"]),
        ("gnm", {"width": 10**6}, ["`width`"]),
        ("gnm", {"cell": 64}, ["no grid"]),
        ("appearance", {"channels": [10**9]}, ["`channels`"]),
        ("appearance", {"unseen": ["moon"]}, ["moon"]),
        ("appearance", {"like": {"car": "moon"}}, ["moon"]),
    ],
    indirect=["file"],
    ids=str,
)
def test_headers_that_make_no_sense_are_refused(file, header, words):
    file.refused(*words, header=header)


# -------------------------------------------------------------------------------------- the tensors


def test_a_header_of_a_larger_network_than_the_tensors_are_of_is_refused(file):
    file.refused("expected", header=file.kind.wider)


@pytest.mark.parametrize(
    ("file", "header", "words"),
    [
        ("relate", {"window": 8}, ["before.constant", "expected"]),
        ("relate", {"interaction": "ordered"}, ["poses.", "absent"]),
        ("gnm", {"background": 2}, ["behind", "absent"]),
        ("appearance", {"width": 32, "height": 32, "channels": [8, 10]}, ["expected"]),
    ],
    indirect=["file"],
    ids=str,
)
def test_a_header_of_another_network_is_refused(file, header, words):
    file.refused(*words, header=header)


def test_a_tensor_that_is_absent_unknown_or_of_another_shape_is_named(file):
    name = file.kind.tensor
    tensor = load_file(file.path)[name]
    file.refused(name, tensors={name: ABSENT})
    file.refused("unknown tensor more", tensors={"more": torch.zeros(2)})
    file.refused(name, "expected", str(list(tensor.shape)), tensors={name: tensor[None]})


@files("appearance")
def test_styles_that_are_absent_or_of_another_length_are_refused(file):
    file.refused("bank", tensors={"bank": ABSENT})
    file.refused("bank is [3, 2], expected [3, 6]", tensors={"bank": torch.zeros(3, 2)})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_tensor_of_what_is_no_number_is_named(file, value):
    name = file.kind.tensor
    filled = torch.full_like(load_file(file.path)[name], value)
    file.refused(name, "not a finite number", tensors={name: filled})


@files("layout", "relate", "relate_clips", "gnm", "appearance")
def test_a_tensor_of_another_type_is_named(file):
    name = file.kind.tensor
    tensor = load_file(file.path)[name]
    for other in (tensor.double(), tensor.int()):
        file.refused(name, str(other.dtype), "not torch.float32", tensors={name: other})
