"""Weights of Mask R-CNN: written, taken over by another training, and refused when wrong."""

import json

import pytest
import torch
from coloured_pictures import labelled, scattered
from rewriting import ABSENT, rewritten
from safetensors.torch import load_file, save_file
from torchvision.models import resnet18

from datagen.errors import InputError
from datagen.labelled import Labelled
from datagen.settings.train import Train
from detectors._weights import cached, read_detector
from detectors.mask_rcnn import Detector

pytestmark = pytest.mark.usefixtures("one_thread")

HEADS = "roi_heads.box_predictor.", "roi_heads.mask_predictor.mask_fcn_logits."


@pytest.fixture(autouse=True)
def no_cache(tmp_path, monkeypatch):
    """No weights in torchvision's cache, whatever this machine has."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))


@pytest.fixture
def lesson(tmp_path):
    return scattered(tmp_path, 2)


@pytest.fixture
def model(lesson, tmp_path):
    path = tmp_path / "model.safetensors"
    Detector().pupil(lesson, Train(seed=5), None).save(path)
    return path


def refused(path, match):
    with pytest.raises(InputError, match=match), Detector(weights=str(path)).open():
        pass


HEADER = {
    "format": "datagen-detector-1",
    "use": "mask_rcnn",
    "size": "small",
    "categories": ["red", "blue"],
    "masks": True,
    "frozen": False,
    "side": None,
    "precision": "bfloat16",
    "pictures": 2,
}


def refused_with(model, match, header=None, tensors=None):
    """The same file with other entries of its header, or other tensors."""
    refused(rewritten(model, model.with_name("bad.safetensors"), header, tensors), match)


def test_the_header_says_what_the_detector_is(model):
    assert json.loads(read_detector(model)[0].model_dump_json()) == HEADER


def test_equal_weights_are_equal_bytes(model, lesson, tmp_path):
    Detector().pupil(lesson, Train(seed=5), None).save(tmp_path / "again.safetensors")
    assert model.read_bytes() == (tmp_path / "again.safetensors").read_bytes()


def test_no_weights_an_absent_file_and_another_size_are_refused(model, tmp_path):
    with pytest.raises(InputError, match="needs the weights"), Detector().open():
        pass
    refused(tmp_path / "none.safetensors", "cannot read these weights: No such file")
    said = pytest.raises(InputError, match="is of size small, not resnet50")
    with said, Detector(weights=str(model), size="resnet50").open():
        pass


def test_a_pickle_a_truncated_file_and_other_tensors_are_refused(model, tmp_path):
    whole = model.read_bytes()
    torch.save({"a": torch.zeros(3)}, tmp_path / "net.pth")
    refused(tmp_path / "net.pth", "not a whole safetensors file")
    (tmp_path / "cut.safetensors").write_bytes(whole[:-1000])
    refused(tmp_path / "cut.safetensors", "not a whole safetensors file")
    save_file({"a": torch.zeros(3)}, tmp_path / "other.safetensors")
    refused(tmp_path / "other.safetensors", "no weights written by `datagen train`")


def test_another_format_is_refused(model):
    words = "format 'datagen-detector-9', expected"
    refused_with(model, words, {"format": "datagen-detector-9"})


def test_a_header_with_unknown_or_absent_entries_is_refused(model):
    refused_with(model, "header.*colour", {"colour": "red"})
    refused_with(model, "header.*pictures", {"pictures": ABSENT})


def test_other_categories_than_the_tensors_are_for_are_refused(model):
    said = r"roi_heads.box_predictor.cls_score.weight is \[3, 256\], expected \[2, 256\]"
    refused_with(model, said, {"categories": ["red"]})


def test_an_absent_an_unknown_an_infinite_and_a_whole_tensor_are_refused(model):
    name = "backbone.body.bn1.running_mean"
    for tensor, words in (
        (ABSENT, f"tensor {name} is absent, expected \\[64\\]"),
        (torch.full((64,), torch.inf), f"{name} holds what is not a finite number"),
        (torch.zeros(64, dtype=torch.int64), f"{name} is torch.int64, not torch.float32"),
    ):
        refused_with(model, words, tensors={name: tensor})
    refused_with(model, "an unknown tensor zebra", tensors={"zebra": torch.zeros(2)})


def test_a_hundred_thousand_tensors_are_refused_without_reading_them(tmp_path):
    path = tmp_path / "many.safetensors"
    save_file({f"t{k}": torch.zeros(1) for k in range(100_000)}, path)
    refused(path, "holds 100000 tensors; a detector has fewer")


def test_a_training_goes_on_from_the_weights_of_another(model, lesson):
    pupil = Detector().pupil(lesson, Train(seed=6), model)
    taken = pupil.tensors()
    for name, tensor in load_file(model).items():
        assert torch.equal(taken[f"model.{name}"], tensor), name
    assert pupil.remarks() == []


def test_with_other_categories_only_the_last_layers_are_new(model, lesson):
    other = Labelled(lesson.folder, "coco", ("red", "green"), lesson.pictures, True)
    pupil = Detector().pupil(other, Train(seed=6), model)
    taken = pupil.tensors()
    for name, tensor in load_file(model).items():
        is_new = name.startswith(HEADS) and tensor.any()  # offsets start at zero in both
        if is_new:
            assert not torch.equal(taken[f"model.{name}"], tensor), name
        elif not name.startswith(HEADS):
            assert torch.equal(taken[f"model.{name}"], tensor), name
    assert "knows red, blue; here are red, green: the last layers" in pupil.remarks()[0]


def test_from_boxes_to_masks_and_back_is_said(model, lesson, tmp_path):
    boxes = labelled(lesson.folder, lesson.pictures, masks=False)
    pupil = Detector().pupil(boxes, Train(), model)
    assert "layers for masks are left out" in pupil.remarks()[0]
    pupil.save(tmp_path / "boxes.safetensors")
    again = Detector().pupil(lesson, Train(), tmp_path / "boxes.safetensors")
    assert "trained on boxes alone: the layers for masks are new" in again.remarks()[0]


def test_going_on_from_another_size_is_refused(model, lesson):
    with pytest.raises(InputError, match=r'set train.detector.options.size = "small"'):
        Detector(size="resnet50").pupil(lesson, Train(), model)


def test_random_weights_are_said_clearly(lesson):
    (said,) = Detector().pupil(lesson, Train(), None).remarks()
    assert str(cached("small")) in said and "the backbone starts from random ones" in said
    assert "resnet50" in Detector(size="resnet50").remarks()[0]


def test_imagenet_weights_of_a_file_fill_the_backbone_and_it_goes_on_learning(lesson, tmp_path):
    torch.manual_seed(1)
    state = resnet18(weights=None).state_dict()
    torch.save(state, tmp_path / "resnet18.pth")
    detector = Detector(pretrained=str(tmp_path / "resnet18.pth"))
    pupil = detector.pupil(lesson, Train(batch=2, warmup=0), None)
    name = "backbone.body.layer4.1.conv2.weight"
    assert torch.equal(pupil.tensors()[f"model.{name}"], state["layer4.1.conv2.weight"])
    assert "ImageNet weights" in pupil.remarks()[0] and detector.remarks() == []
    pupil.step(0)
    assert not torch.equal(pupil.tensors()[f"model.{name}"], state["layer4.1.conv2.weight"])


def test_imagenet_weights_that_are_absent_or_of_another_network_are_refused(lesson, tmp_path):
    with pytest.raises(InputError, match="is no file; .* train.detector.options.pretrained"):
        Detector(pretrained=str(tmp_path / "none.pth")).pupil(lesson, Train(), None)
    torch.save({"conv1.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match="tensor `conv1.weight` is"):
        Detector(pretrained=str(tmp_path / "other.pth")).pupil(lesson, Train(), None)
