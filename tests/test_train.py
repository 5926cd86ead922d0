"""`datagen train`: what a run leaves, and which weights it keeps."""

import json

from taught import write_squares
from test_gallery import NASTY, Page, assert_strict
from trainings import kept_shift, readings, sets, taught

from datagen.detecting import events
from datagen.detecting.teaching import Standing
from datagen.reading import read

# ------------------------------------------------------------------------------------- what is left


def test_a_run_leaves_weights_numbers_pictures_and_a_report(trained_run):
    for name in ("meta.json", "metrics.jsonl", "model.safetensors", "train.json", "report.html"):
        assert (trained_run / name).is_file(), name
    assert (trained_run / "predictions.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert list((trained_run / "tensorboard").glob("events*"))
    assert [line["iteration"] for line in readings(trained_run)] == list(range(1, 21))
    watched = [line["iteration"] for line in readings(trained_run) if "AP50" in line]
    assert watched == [5, 10, 15, 20]
    result = json.loads((trained_run / "train.json").read_text())
    assert (result["pictures"], result["validation"]["pictures"]) == (9, 3)
    assert result["AP50"] == result["validation"]["bbox"]["AP50"] == 1.0
    assert result["validation"]["segm"]["per_category"]["square"]["AP"] > 0.9


def test_the_report_holds_curves_categories_remarks_and_settings(trained_run):
    page = (trained_run / "report.html").read_text()
    for words in ("AP50, boxes", "AP, masks", "square", "the shift starts", "train.batch"):
        assert words in page
    assert page.count('<svg class="figure"') == 2  # AP50 and loss
    assert "data:image/webp" in page and "<script" not in page


def test_names_in_the_report_are_text_and_nothing_else(tmp_path):
    folder = write_squares(tmp_path / "squares", 6, (NASTY,))
    taught(folder, tmp_path / "run", "train.steps=3", "train.validate_every=1")
    page = tmp_path / "run" / "report.html"
    assert_strict(Page(page))
    assert "<script" not in page.read_text()
    assert "&lt;script" in page.read_text()


def test_without_tensorboard_its_folder_is_left_out(squares, tmp_path, monkeypatch):
    monkeypatch.setattr(events.util, "find_spec", lambda name: None)
    taught(squares, tmp_path / "run", "train.steps=2")
    assert not (tmp_path / "run" / "tensorboard").exists()


def test_remarks_are_said_before_the_first_step(squares, tmp_path):
    heard = []
    taught(
        squares,
        tmp_path / "run",
        "train.steps=1",
        say=heard.append,
        progress=lambda done, total, words: heard.append(words),
    )
    assert heard[0] == "the shift starts from the beginning"
    assert "AP50" in heard[1] and "loss" in heard[1] and "images/s" in heard[1]


def test_the_last_words_say_how_good_it_is_and_what_comes_next(cli, squares, tmp_path):
    done = cli("train", squares, "--out", tmp_path / "run", *sets(), "--json")
    assert done.code == 0, done.err
    assert "AP50 100.0 %" in done.err
    assert f"datagen evaluate {tmp_path / 'run'} DATASET" in done.err
    assert json.loads(done.out)["best_step"] == 20


# ------------------------------------------------------------------------------------- what is kept


def test_the_best_weights_are_kept_though_later_ones_are_worse(squares, tmp_path):
    report = taught(squares, tmp_path / "run", "train.detector.worse_after=10")
    assert (report.standing.at, report.steps) == (10, 20)
    losses = {line["iteration"]: line["loss"] for line in readings(tmp_path / "run")}
    assert kept_shift(tmp_path / "run") == losses[10] < losses[20]


def test_patience_ends_a_training_that_gets_no_better(squares, tmp_path):
    more = ("train.detector.worse_after=10", "train.patience=2", "train.steps=400")
    report = taught(squares, tmp_path / "run", *more)
    assert (report.steps, report.standing.at) == (15, 10)
    assert len(readings(tmp_path / "run")) == 15
    again = taught(squares, tmp_path / "run", *more, resume=True)
    assert again.to_json() == report.to_json()


def test_a_tie_keeps_the_later_weights_and_is_no_progress():
    standing = Standing().after(5, 0.5, 2).after(10, 0.5, 2)
    assert (standing.at, standing.waited, standing.end) == (10, 1, 0)
    assert standing.after(15, 0.4, 2) == Standing(0.5, 10, 2, 15)


def test_without_validation_the_last_weights_are_kept_and_it_is_said(squares, tmp_path):
    report = taught(squares, tmp_path / "run", "train.holdout=0", "train.steps=3")
    assert report.ap50 is None and report.pictures == 12
    assert any("No picture is held out" in remark for remark in report.remarks)
    assert kept_shift(tmp_path / "run") == readings(tmp_path / "run")[-1]["loss"]
    assert "nothing tells how well" in (tmp_path / "run" / "report.html").read_text()


def test_validation_pictures_without_any_thing_measure_nothing(squares, tmp_path):
    bare = write_squares(tmp_path / "bare", 3, empty=(0, 1, 2))
    report = taught(squares, tmp_path / "run", "train.steps=6", val=read(bare))
    assert report.ap50 is None
    assert "No validation picture shows `square`" in " ".join(report.remarks)


def test_boxes_alone_are_learned_where_there_are_no_masks(tmp_path):
    folder = write_squares(tmp_path / "boxes", masks=False)
    report = taught(folder, tmp_path / "run", "train.steps=6")
    assert any("boxes alone" in remark for remark in report.remarks)
    result = json.loads((tmp_path / "run" / "train.json").read_text())
    assert result["validation"]["segm"] is None
