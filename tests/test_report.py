import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from test_gallery import NASTY, Page, assert_strict

from datagen.errors import InputError
from datagen.report.advice import write_advice
from datagen.report.figures import curve, histogram
from datagen.report.learning import write_report
from datagen.report.page import shown_number
from datagen.report.sheet import contact_sheet, save_png
from datagen.rng import Stream, rng_for

SERIES = {
    "prior": [0.5, 0.5, 0.0],
    "learned": [0.2, 0.3, 0.5],
    "target (classified)": [0.1, 0.3, 0.6],
    "target (known)": [0.1, 0.4, 0.5],
}


def report() -> dict:
    return {
        "title": "Digits",
        "grammar": "multi_mnist",
        "facts": {"photos": 12345, "seconds": 12.3456, "resumed": False, "device": None},
        "distances": {
            "prior": {"count_tv": 0.4, "mmd": 0.08},
            "learned": {"count_tv": 0.1, "mmd": float("nan")},
            "floor": {"count_tv": 0.05},
        },
        "histograms": [{"name": "digits", "labels": [0, 1, "many"], "series": dict(SERIES)}],
        "sheets": [{"title": "Target and learned", "file": "sheet.png"}],
        "diff": "Road -> car\n- car [0.5]\n+ car [0.7]\n\n@@ car\n",
    }


def run_folder(folder: Path, data: object, lines: list[str] | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(data))
    if lines is not None:
        (folder / "metrics.jsonl").write_text("\n".join(lines))
    save_png(folder / "sheet.png", contact_sheet([np.full((20, 20, 3), 90, np.uint8)]))
    return folder


def record(phase: str, iteration: int, **numbers: object) -> str:
    return json.dumps({"phase": phase, "iteration": iteration, **numbers})


def metrics() -> list[str]:
    lines = [record("features", i, loss=1 / (i + 1)) for i in range(5)]
    lines += [record("pretrain", i, loss=2.0, note="text", ok=True) for i in range(3)]
    return lines + [
        record("reinforce", i, reward=-1.0, distance=0.5 - i / 100, floor=0.05, images_per_second=9)
        for i in range(40)
    ]


def test_the_report_stands_alone_and_obeys_a_strict_policy(tmp_path):
    path = write_report(run_folder(tmp_path, report(), metrics()))
    assert path == tmp_path / "report.html"
    page = Page(path)
    assert_strict(page)
    images = page.all("img")
    assert len(images) == 1
    assert (images[0]["src"] or "").startswith("data:image/webp;base64,UklGR")


def test_the_same_run_gives_the_same_bytes(tmp_path):
    first = write_report(run_folder(tmp_path, report(), metrics())).read_bytes()
    assert write_report(tmp_path).read_bytes() == first


def test_every_number_of_every_phase_has_a_curve(tmp_path):
    text = write_report(run_folder(tmp_path, report(), metrics())).read_text()
    shown = [text.index(part) for part in ("Features: a", "Pre-training: the", "Structure: the")]
    assert shown == sorted(shown)
    last = text[shown[2] :]
    order = [last.index(f">{key}</text>") for key in ("distance", "reward", "images per second")]
    assert order == sorted(order)
    assert text.count(">iteration</text>") == 5
    assert text.count(">noise floor</text>") == 1
    assert ">ok</text>" not in text


def test_a_stage_that_comes_again_is_told_so_in_the_order_of_the_run(tmp_path):
    names = ("attributes", "reinforce", "attributes-2", "reinforce-12", "other-2")
    lines = [record(name, i, loss=1.0) for name in names for i in range(3)]
    text = write_report(run_folder(tmp_path, report(), lines)).read_text()
    titles = ("Attributes: a", "Structure: the", "Attributes, second time: a distribution")
    shown = [text.index(f"<h2>{t}") for t in (*titles, "Structure, 12th time: the", "other-2")]
    assert shown == sorted(shown)


def test_a_record_that_was_redone_after_a_resume_counts_once(tmp_path):
    twice = [record("x", i, loss=float(v)) for v in (1, 2) for i in range(4)]
    once = [record("x", i, loss=2.0) for i in range(4)]
    first = write_report(run_folder(tmp_path / "a", report(), twice)).read_text()
    assert write_report(run_folder(tmp_path / "b", report(), once)).read_text() == first


def test_torn_lines_and_numbers_that_are_none_do_not_stop_the_report(tmp_path):
    lines = [*metrics(), '{"phase": "rein', "[1]", '{"phase": "reinforce"}', ""]
    lines += ['{"phase": "reinforce", "iteration": 40, "distance": NaN, "reward": Infinity}']
    text = write_report(run_folder(tmp_path, report(), lines)).read_text()
    assert "3 lines of metrics.jsonl could not be read and were left out" in text
    assert "nan" not in text.lower().replace("tenancy", "")


def test_a_run_without_metrics_or_anything_else_has_a_report(tmp_path):
    text = write_report(run_folder(tmp_path, {})).read_text()
    assert "Learning report" in text
    assert "<h2>" not in text


def test_distances_are_bars_of_one_scale_and_missing_ones_are_dashes(tmp_path):
    text = write_report(run_folder(tmp_path, report())).read_text()
    section = text[text.index("count tv") : text.index("</section>")]
    widths = re.findall(r'<rect width="([\d.]+)" height="10" fill="#', section)
    assert [float(w) for w in widths] == [100, 25, 12.5, 100, 0]
    assert section.count("<td>–</td>") == 1
    assert "<td>0.05</td>" in section


def test_facts_are_written_for_people(tmp_path):
    text = write_report(run_folder(tmp_path, report())).read_text()
    for fact in ("12,345", "12.3", "no", "–"):
        assert f"<dd>{fact}</dd>" in text
    assert [shown_number(v) for v in (1234.5, 0.000123, -7, "x")] == [
        "1,234",
        "0.000123",
        "-7",
        "x",
    ]


def test_the_diff_shows_what_came_and_what_went(tmp_path):
    text = write_report(run_folder(tmp_path, report())).read_text()
    assert '<span class="less">- car [0.5]</span><span class="more">+ car [0.7]</span>' in text


def test_names_are_escaped_wherever_they_stand(tmp_path):
    data = report()
    data.update(title=NASTY, grammar=NASTY, facts={NASTY: NASTY}, diff=NASTY)
    data["histograms"][0].update(name=NASTY, labels=[NASTY, "$x$", "a_b^c"])
    data["histograms"][0]["series"] = {NASTY: [1, 2, 3]}
    data["distances"] = {"prior": {NASTY: 1.0}, NASTY: {NASTY: 1.0}}
    data["sheets"][0]["title"] = NASTY
    lines = [record(NASTY, i, **{NASTY: i}) for i in range(3)]
    path = write_report(run_folder(tmp_path, data, lines))
    assert_strict(Page(path))
    assert "<script" not in path.read_text()
    assert "$x$</text>" in path.read_text()


def test_a_large_sheet_is_small_in_the_page_and_whole_in_its_file(tmp_path):
    noise = rng_for(0, 0, Stream.EVALUATE).integers(0, 256, (900, 1200, 3), dtype=np.uint8)
    run_folder(tmp_path, report())
    save_png(tmp_path / "sheet.png", noise)
    write_report(tmp_path)
    assert (tmp_path / "sheet.png").stat().st_size > 3_000_000
    assert (tmp_path / "report.html").stat().st_size < 600_000


def test_a_sheet_that_is_no_picture_is_an_input_error(tmp_path):
    run_folder(tmp_path, report())
    (tmp_path / "sheet.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"sheet\.png is no picture"):
        write_report(tmp_path)


def test_a_missing_sheet_is_said(tmp_path):
    run_folder(tmp_path, report())
    (tmp_path / "sheet.png").unlink()
    assert "picture is not in the folder" in write_report(tmp_path).read_text()


def test_a_sheet_outside_the_run_is_refused(tmp_path):
    data = report()
    data["sheets"][0]["file"] = "../../etc/passwd"
    with pytest.raises(InputError, match="outside the folder"):
        write_report(run_folder(tmp_path / "run", data))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("facts", [1]),
        ("distances", [1, 2]),
        ("histograms", [{"name": "x"}]),
        ("histograms", [{"name": "x", "labels": [1], "series": {"prior": [1, 2]}}]),
        ("sheets", [{"title": "no file"}]),
    ],
)
def test_a_report_of_another_form_is_an_input_error(tmp_path, key, value):
    with pytest.raises(InputError, match=r"report\.json has another form"):
        write_report(run_folder(tmp_path, {**report(), key: value}))


def test_text_that_is_none_is_shown_as_escapes(tmp_path):
    """As in the name of a file with bytes that are no UTF-8."""
    path = write_report(run_folder(tmp_path, {**report(), "title": "d\udce9j\u00e0"}))
    assert "<h1>d\\udce9j\u00e0</h1>" in path.read_text()


def test_what_a_template_asks_in_vain_is_an_input_error(tmp_path):
    advice = {"title": "x", "summary": [], "facts": {}, "rule": "", "reached": [], "sheets": []}
    advice |= {"categories": {"before": {}, "after": {}}, "after": None, "slices": [], "diff": ""}
    advice |= {"budget": {"points": [], "why": "few"}, "evaluations": [{}], "datagen": "0"}
    (tmp_path / "report.json").write_text(json.dumps(advice))
    with pytest.raises(InputError, match=r"has another form .*; advise again, or use the version"):
        write_advice(tmp_path)


def test_a_folder_without_a_report_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="is not there; `datagen learn` writes it"):
        write_report(tmp_path)
    (tmp_path / "report.json").write_text("{")
    with pytest.raises(InputError, match=r"report\.json: not valid JSON"):
        write_report(tmp_path)


def test_a_histogram_has_one_bar_for_each_label_and_series():
    svg = histogram("digits", ["0", "1", "2"], {"prior": [1, 2, 3], "learned": [3, 2, 1]})
    root = ElementTree.fromstring(svg)
    bars = {colour: svg.count(f'fill="{colour}"') for colour in ("#e69f00", "#3a8fd0")}
    assert bars == {"#e69f00": 4, "#3a8fd0": 4}  # three bars and the legend's
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"digits", "0", "1", "2", "prior", "learned"} <= set(texts)


def test_figures_take_the_colour_of_the_page_and_its_width():
    for svg in (histogram("a", ["x"], SERIES | {"more": [1]}), curve("b", [0, 1], [2, 1], 0.5)):
        root = ElementTree.fromstring(svg)
        assert "currentColor" in svg
        assert "style" not in svg
        assert "width" not in root.attrib
        assert "viewBox" in root.attrib
        used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
        assert used == set(re.findall(r'\sid="([^"]*)"', svg))


def test_the_last_dot_of_a_short_curve_lies_on_it():
    svg = curve("c", [1, 2, 3], [0.0, 30.0, 20.0], None)
    line = re.findall(r'<path d="M[^"]*?([\d.]+) ([\d.]+)\s*" clip-path[^>]*stroke="#3a8fd0"', svg)
    dot = re.findall(r'<use [^>]*x="([\d.]+)" y="([\d.]+)" fill="#3a8fd0"', svg)
    assert line == dot != []


def test_a_curve_of_nothing_but_zeros_has_no_negative_numbers():
    assert "\N{MINUS SIGN}" not in curve("c", [1, 2], [0.0, 0.0], None)


def test_figures_of_any_shape_can_be_drawn():
    ElementTree.fromstring(histogram("h", [str(k) for k in range(200)], {"prior": [0.005] * 200}))
    for values in ([1.0, 1.0], [1e9, 1e-9, 5.0], [-3.0, 0.0], list(np.linspace(0, 1, 5000))):
        ElementTree.fromstring(curve("c", list(range(len(values))), values, None))
