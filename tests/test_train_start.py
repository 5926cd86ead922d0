"""`datagen train --from`: fine-tuning."""

import torch
from safetensors.torch import save
from trainings import kept_shift, readings, sets


def test_a_training_goes_on_from_the_weights_of_another(cli, squares, trained_run, tmp_path):
    out = tmp_path / "tuned"
    done = cli("train", squares, "--from", trained_run, "--out", out, *sets("train.steps=5"))
    assert done.code == 0, done.err
    assert "from another" in done.err
    assert readings(out)[0]["loss"] < kept_shift(trained_run)
    # The file alone serves as well, and is the same to a run that is resumed.
    again = cli(
        "train",
        squares,
        "--from",
        trained_run / "model.safetensors",
        "--out",
        out,
        "--resume",
        *sets("train.steps=5"),
    )
    assert again.code == 0, again.err


def test_what_is_no_detector_is_refused_as_a_start(cli, squares, tmp_path):
    def refused(start, *words):
        out = tmp_path / "run"
        cli("train", squares, "--from", start, "--out", out, *sets()).refused(2, *words)
        assert not out.exists()

    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "model.safetensors", "no run of `train`")
    refused(tmp_path / "gone", "is not there")
    (tmp_path / "text").write_text("weights")
    refused(tmp_path / "text", "not a whole safetensors file")
    learned = tmp_path / "learned.safetensors"
    learned.write_bytes(save({"x": torch.ones(1)}, {"datagen": '{"format": "datagen-metasim2-3"}'}))
    refused(learned, "no detector", "datagen-metasim2-3")
