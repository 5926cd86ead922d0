"""What requests and answers hold: the server checks them, OpenAPI shows them, clients read them.

Times are in seconds since 1970 by the server's clock. A `name` is an address on the server.
"""

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from datagen.jobs.ledger import State
from datagen.settings.serve import Name

Item = TypeVar("Item")
Category = Annotated[str, Field(min_length=1, max_length=80)]
Set = Annotated[str, Field(max_length=2000, examples=["learn.seed=1"])]


class Message(BaseModel):
    """Unknown keys are refused: a misspelt one would be ignored in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Page(Message, Generic[Item]):
    """A part of a list; `next` is the `cursor` of the part after it, none at the end.

    A part may be short, or empty, and not the last. `total` is none where it would take to read
    everything.
    """

    items: list[Item]
    next: str | None = None
    total: int | None


class Problem(Message):
    """What is wrong and what to do, as in RFC 9457; the last fields where a grammar is wrong."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    message: str | None = None  # `detail` without place, text and remedy
    path: str | None = None  # of a grammar: how it is called here
    line: int | None = None  # from 1
    column: int | None = None  # from 1
    remedy: str | None = None


# ------------------------------------------------------------------------------------------- jobs


class _Order(Message):
    name: Name | None = None  # of what is made; none: the job's id


class WorldOf(Message):
    """A recipe: one that the server knows by name, or a whole one. Exactly one key is given."""

    recipe: Name | str | None = Field(default=None, max_length=80, examples=["aerial"])
    run: Name | None = None  # a run of `learn`
    dataset: Name | None = None  # a dataset's own recipe
    toml: str | None = Field(default=None, max_length=1_000_000)
    grammar: str | None = Field(default=None, max_length=262_144)  # scene text, with all defaults
    sets: list[Set] = Field(default_factory=list, max_length=100)


class Generate(_Order):
    """Make a labelled dataset."""

    verb: Literal["generate"] = "generate"
    world: WorldOf
    count: int | None = Field(default=None, ge=1, le=10_000_000)
    seed: int | None = Field(default=None, ge=0, lt=2**63)
    shard_size: int | None = Field(default=None, ge=1, le=10_000)


class Learn(_Order):
    """Fit a recipe's grammar to unlabelled photos."""

    verb: Literal["learn"] = "learn"
    world: WorldOf
    target: Name


class Train(_Order):
    """Teach a detector what is in a dataset."""

    verb: Literal["train"] = "train"
    dataset: Name
    val: Name | None = None  # a dataset to validate on; none: a share is held out
    start: Name | None = None  # a detector to go on from
    sets: list[Set] = Field(default_factory=list, max_length=100)


class Evaluate(_Order):
    """Score a detector on a dataset."""

    verb: Literal["evaluate"] = "evaluate"
    detector: Name
    dataset: Name
    merge: dict[Category, Category] = Field(default_factory=dict, max_length=100)  # old -> new
    kitti_official: bool = False  # KITTI's own IoUs instead of 0.5


class Export(_Order):
    """Write a dataset in another format."""

    verb: Literal["export"] = "export"
    dataset: Name
    format: str = Field(max_length=40, examples=["yolo"])
    min_visible_fraction: float = Field(default=0.0, ge=0, le=1)
    min_pixels: int = Field(default=1, ge=1)
    merge: dict[Category, Category] = Field(default_factory=dict, max_length=100)  # old -> new
    splits: dict[Name, float] = Field(default_factory=dict, max_length=20)


AnyOrder = Annotated[Generate | Learn | Train | Evaluate | Export, Field(discriminator="verb")]


class Progress(Message):
    """How far a job is; none of it is known before its first step."""

    model_config = ConfigDict(extra="ignore")

    done: int = 0
    total: int = 0
    note: str = ""
    per_second: float | None = None
    eta_s: float | None = None


class Job(Message):
    """One job."""

    id: Name
    verb: str
    state: State
    since: float
    created: float
    makes: str | None = None  # kind/name of what it makes, such as datasets/crossing
    by: str | None = None  # who asked
    progress: Progress = Progress()
    error: str | None = None
    exit_code: int | None = None
    result: Any = None  # as the command prints it with --json; only in GET of one job


class Log(Message):
    """What happened to a job: the last lines of its log."""

    lines: list[str]
    left_out: int = 0  # lines before them


# --------------------------------------------------------------------------------------- datasets


class Dataset(Message):
    """A dataset, finished or under way."""

    name: Name
    complete: bool
    images: int  # published
    count: int  # asked for
    world: str
    categories: dict[str, int] | None = None  # labelled things of each class; none until complete
    digest: str | None = None
    made: float


class Thing(Message):
    """One labelled thing of an image; box is x, y, width, height, px."""

    id: int  # of the thing in its image, as in the instance pass
    category: str
    category_id: int  # from 1, as in annotations.json
    box: tuple[float, float, float, float]
    area: int  # px
    visible_fraction: float | None = None
    path: str  # of the scene's node; a thing keeps it in all frames of its clip


class Image(Message):
    """One image of a dataset, by its index from 0."""

    index: int
    width: int
    height: int
    things: list[Thing]
    layers: list[str]  # GET .../images/INDEX/LAYER.png gives each, but boxes.svg
    factors: dict[str, list[str]] = Field(
        default_factory=dict,
        description="Of the scene: symbol.attribute -> the words that it is at its nodes",
        examples=[{"sky.shade": ["cloudy"], "car.colour": ["red", "white"]}],
    )
    clip: int | None = None  # that it is a frame of, from 0
    frame: int | None = None  # its place in the clip, from 0


class Exported(Message):
    """A dataset in another format."""

    name: Name
    format: str
    images: int
    annotations: int
    dropped: int  # labels that did not pass what was asked for
    splits: dict[str, int]  # images of each
    made: float


class Finding(Message):
    """What `verify` or `check` found."""

    severity: str = "error"
    text: str
    line: int | None = None
    column: int | None = None


class Verdict(Message):
    """Of `verify`: sound where nothing was found."""

    sound: bool
    findings: list[Finding]


# ----------------------------------------------------------------------------- recipes and targets


class Checked(Message):
    """A grammar as `datagen check` sees it."""

    world: str
    canvas: tuple[int, int]
    rules: int
    digest: str
    expected: dict[str, float]  # things of each class in an image, on average
    findings: list[Finding]


class Preview(Message):
    """A contact sheet to be drawn, of at most 36 images."""

    world: WorldOf
    number: int = Field(default=12, ge=1, le=36)
    seed: int | None = Field(default=None, ge=0, lt=2**63)
    boxes: bool = True
    masks: bool = True


class GrammarText(Message):
    """The text of a grammar, as in a .scene file."""

    text: str = Field(
        max_length=262_144,
        examples=["world dots\ncanvas 64 x 64\nstart Scene\nScene -> dot\ndot { draw: ellipse }\n"],
    )


class Grammar(Message):
    """A grammar by its name."""

    name: Name | str
    built_in: bool  # came with datagen; others may be replaced
    text: str | None = None  # only in GET of one grammar


class RecipeText(Message):
    """The text of a recipe, as in a .toml file."""

    text: str = Field(max_length=1_000_000, examples=['grammar = "aerial"\ncount = 200\n'])


class Recipe(Message):
    """A recipe by its name."""

    name: Name | str
    built_in: bool  # came with datagen; others may be replaced
    text: str | None = None  # only in GET of one recipe


class Target(Message):
    """Unlabelled photos of a place."""

    name: Name
    pictures: int
    bytes: int
    uploaded: bool  # else a folder that the server's configuration names


class LeftOut(Message):
    """A file of an archive that is no picture that can be used."""

    name: str
    reason: str


class Unpacked(Message):
    """What came of an archive of pictures."""

    target: Target
    taken: int  # pictures
    left_out: int  # files
    reasons: list[LeftOut]  # of the first hundred


class Run(Message):
    """A run of `learn` or `train`, or an evaluation."""

    name: Name
    kind: Literal["runs", "detectors", "evaluations"]
    complete: bool
    report: bool  # GET .../report.html gives it
    made: float
    meta: dict[str, Any] | None = None  # what it was started with; only in GET of one
    pictures: list[str] | None = None  # GET .../pictures/NAME gives them; only in GET of one


class Readings(Message):
    """Lines of a training's metrics, such as {"phase": ..., "iteration": ..., "loss": ...}."""

    items: list[dict[str, Any]]
    next: int  # the `cursor` of those that come after
