"""The lint finds what a grammar says but surely does not mean, and is silent otherwise."""

import pytest

from datagen.language import Finding, check, parse

HEAD = "world w\ncanvas 64 x 48\nstart Scene\n"
CAR = 'car { category: "car" }\n'


def found(body: str) -> list[str]:
    return [str(finding) for finding in check(parse(HEAD + body))]


def test_a_clean_grammar_has_no_findings() -> None:
    assert found("Scene -> car * poisson(2)\n" + CAR) == []


@pytest.mark.parametrize(
    ("body", "finding"),
    [
        (
            'Scene -> car\ncar { category: "car"  z: 3 deg }\n',
            "5:24: error: `z` is a length, not an angle in deg",
        ),
        (
            'Scene -> car\ncar { category: "car"  stuf: "road" }\n',
            "5:24: warning: `stuf` places nothing; did you mean `stuff`?",
        ),
        ("Scene -> car\nBus -> car\n" + CAR, "5:8: warning: `Bus` can never stand in a scene"),
        (
            'asset d: sprites "strokes"\nScene -> car\n' + CAR,
            "4:7: warning: asset `d` is not used by any `draw:`",
        ),
        (
            "Scene -> car | car\n" + CAR,
            "4:16: warning: `Scene` has this alternative twice; join their weights",
        ),
        (
            "Scene -> car * 2 | car * 3\n" + CAR,
            "4:20: warning: `Scene` has this alternative twice; join their weights",
        ),
        (
            "Scene -> car * poisson(1) car * 2\n" + CAR,
            "4:10: warning: two repetitions of `car` side by side cannot be told apart; join them",
        ),
        (
            "Scene -> car\ncar { draw: car }\n",
            '4:10: warning: nothing is labelled; add `category: "..."` to what counts',
        ),
        (
            "Scene -> car\ncar { category: car yaww: 3 deg }\n",
            "5:21: warning: `yaww` places nothing; did you mean `yaw`?",
        ),
        (
            "Scene -> car\ncar { category: car yaw: normal(0, 8) in [-20, 20] }\n",
            "5:21: warning: `yaw` reaches 20 radians; did you mean deg?",
        ),
        (
            "Scene -> car\ncar { category: car yaw: 3 px }\n",
            "5:21: error: `yaw` is an angle, not a length in px; write deg or rad",
        ),
        (
            "Scene -> car\ncar { category: car yaw: uniform(0, 1) mutable }\n",
            "5:21: warning: `yaw` is learned as a plain number, not as an angle; write rad or deg",
        ),
        (
            "Scene -> car\ncar { category: car x: 3 deg }\n",
            "5:21: error: `x` is a length, not an angle in deg",
        ),
        (
            "Scene -> car\ncar { category: car scale: 3 px }\n",
            "5:21: error: `scale` has no unit; remove px",
        ),
        (
            "Scene -> Road * 2\nRoad -> car\ncar { category: car x: 0.5 width }\n",
            "6:21: error: `x` is a fraction of its parent's width, but `Road` has no attribute "
            "`width`; add it there or use px here",
        ),
    ],
)
def test_the_lint_finds(body: str, finding: str) -> None:
    assert found(body) == [finding]


def test_an_alternative_of_probability_zero_and_what_only_it_uses_are_found() -> None:
    assert found("Scene -> car [1] | bus [0]\n" + CAR + "bus {}") == [
        "4:20: warning: this alternative of `Scene` has probability 0",
        "6:1: warning: `bus` can never stand in a scene",
    ]


def test_a_parent_with_the_extent_is_enough_and_the_root_has_the_canvas() -> None:
    road = "Scene -> Road\nRoad -> car\nRoad { x: 0.5 width width: 9 px }\n"
    assert found(road + "car { category: car x: 0.5 width }\n") == []


@pytest.mark.parametrize("name", ["length", "colour", "size", "lanes", "shade", "exemplar", "hue"])
def test_ordinary_attribute_names_are_no_typos(name: str) -> None:
    assert found(f"Scene -> car\ncar {{ category: car {name}: 3 }}\n") == []


def test_findings_come_in_order_of_the_file() -> None:
    grammar = parse(HEAD + "Scene -> car | car\nBus -> car\ncar { scael: 1 }\n")
    findings = check(grammar)
    assert len(findings) == 4
    assert findings == sorted(findings, key=lambda f: (f.line, f.column))
    assert all(isinstance(f, Finding) and f.severity == "warning" for f in findings)
