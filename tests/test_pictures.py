"""Passes as files: what other tools read from them is what the renderer knew."""

import io

import boxes
import cv2
import numpy as np
import pytest

from datagen import pipeline, recipe
from datagen.dataset import pictures
from datagen.dataset.pictures import ENDINGS, encode_passes
from datagen.errors import InputError

EVERY = tuple(ENDINGS)


@pytest.fixture(scope="module")
def frame(tmp_path_factory):
    loaded = recipe.load(boxes.write_recipe(tmp_path_factory.mktemp("r"), EVERY))
    with pipeline.opened(loaded) as make_frame:
        return make_frame(0)[1]


def numbers(data: bytes) -> np.ndarray:
    return np.load(io.BytesIO(data), allow_pickle=False)


def picture(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def test_depth_is_stored_as_it_is_and_infinite_where_nothing_is(frame):
    stored = numbers(encode_passes(frame, ["depth"])["depth.npy"])
    assert stored.dtype == np.float32
    assert np.array_equal(stored, frame.depth)
    assert np.isinf(stored).any()


def test_normals_are_unit_vectors_in_half_precision(frame):
    stored = numbers(encode_passes(frame, ["normals"])["normals.npy"])
    assert stored.dtype == np.float16
    assert np.abs(stored - frame.normals).max() < 1e-3
    lengths = np.linalg.norm(stored.astype(float), axis=2)
    assert np.allclose(lengths, np.isfinite(frame.depth), atol=2e-3)


def test_flow_is_read_as_the_kitti_tools_do(frame):
    stored = picture(encode_passes(frame, ["flow"])["flow.png"])
    assert stored.dtype == np.uint16
    valid, down, right = np.moveaxis(stored.astype(float), 2, 0)  # OpenCV gives blue first
    assert np.array_equal(valid == 1, np.isfinite(frame.flow).all(axis=2))
    read = np.stack([right - 2**15, down - 2**15], axis=2) / 64
    known = valid == 1
    assert known.any()
    assert not known.all()
    assert np.abs(read[known] - frame.flow[known]).max() <= 0.5 / 64
    assert (stored[~known] == 0).all()


def test_flow_that_the_file_cannot_hold_is_unknown():
    flow = np.array([[[511.9, -512.0], [512.0, 0.0]]], np.float32)
    assert pictures._flow(flow)[0, :, 0].tolist() == [1, 0]


@pytest.mark.parametrize("name", ["depth", "normals", "flow"])
def test_a_pass_that_the_renderer_does_not_give_is_told(frame, name):
    poor = type(frame)(**{**vars(frame), name: None})
    with pytest.raises(InputError, match=f"no {name}; remove `{name}`"):
        encode_passes(poor, [name])
