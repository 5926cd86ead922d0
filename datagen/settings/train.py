"""The [train] section of a recipe: every setting of training a detector."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from datagen import freezing
from datagen.decoding import decode, override
from datagen.errors import RecipeError
from datagen.freezing import DETECTOR, PRETRAINED
from datagen.interfaces import Component
from datagen.parts import Part, Source

Share = Annotated[float, Field(ge=0, le=1)]


class Augmentation(Component):
    """How far each training picture is changed at random; labels follow. 0: not at all."""

    flip: Share = 0.5  # probability to mirror left and right
    crop: Share = 0.3  # probability to cut out a part, of at least half of each side
    brightness: Share = 0.3  # largest relative change
    contrast: Share = 0.3
    saturation: Share = 0.3
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.03  # largest turn of the colour circle, turns
    blur: Annotated[float, Field(ge=0, le=16)] = 0.8  # largest standard deviation, px
    noise: Annotated[float, Field(ge=0, le=64)] = 3.0  # largest standard deviation, grey levels


class Train(Component):
    """What `datagen train` does."""

    detector: Part = Part(use=DETECTOR)
    seed: int = Field(default=0, ge=0, lt=2**63)
    steps: int = Field(default=2000, ge=1, le=10_000_000)
    batch: int = Field(default=8, ge=1, le=1024)  # pictures a step
    learning_rate: float = Field(default=2e-3, gt=0, le=1)  # less from trained weights
    weight_decay: float = Field(default=1e-4, ge=0, le=1)
    warmup: int = Field(default=100, ge=0)  # steps over which the rate rises; then it falls, cosine
    precision: Literal["float32", "bfloat16"] = "bfloat16"  # of the network's multiplications
    start: Source | None = None  # a detector's weights to go on from: fine-tuning
    # New category name -> names in the dataset; empty: as they are. Others are background.
    categories: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    ignored: tuple[str, ...] = ()  # categories that are neither right nor wrong to find
    min_visible_fraction: Share = 0.1  # what shows less is neither
    min_pixels: float = Field(default=16, ge=0)
    holdout: Annotated[float, Field(ge=0, lt=1)] = 0.1  # share kept for validation without --val
    validate_every: int = Field(default=500, ge=1)  # steps
    patience: int | None = Field(default=None, ge=1)  # validations without a better AP50, then stop
    checkpoint_every: int = Field(default=250, ge=1)  # steps
    augment: Augmentation = Augmentation()

    @property
    def pretrained(self) -> Source | None:
        """The file of the detector's `pretrained` option; it is frozen like all sources."""
        given = self.detector.options.get(PRETRAINED)
        return None if given is None else decode(Source, given, f"train.detector.{PRETRAINED}")

    @property
    def goes_on(self) -> Source | None:
        """The weights that training goes on from; None: from the beginning."""
        return self.start or self.detector.weights

    def sources(self) -> Iterator[tuple[str, Source]]:
        """Everything outside the recipe that training depends on, with the key that names it."""
        named = {
            "train.start": self.start,
            "train.detector.weights": self.detector.weights,
            f"train.detector.{PRETRAINED}": self.pretrained,
        }
        yield from ((key, source) for key, source in named.items() if source is not None)

    def described(self, weights: Path | None = None) -> Any:
        """The detector's frozen description; with `weights`, as trained."""
        options = dict(self.detector.options)
        if self.pretrained is not None:
            options[PRETRAINED] = self.pretrained.source
        held = None if weights is None else Source(source=str(weights))
        return Part(use=self.detector.use, weights=held, options=options).component("detectors")

    def content(self) -> dict[str, Any]:
        """What decides what is learned: sources by their sha256, and no setting that does not."""
        data = self.model_dump(mode="json")
        data["start"] = self.start and self.start.sha256
        part = data["detector"]
        part["weights"] = self.detector.weights and self.detector.weights.sha256
        if self.pretrained is not None:
            part["options"][PRETRAINED] = self.pretrained.sha256
        del data["checkpoint_every"]
        return data


def check_sets(sets: Sequence[str]) -> None:
    """`--set` beside pictures that are there already can change how to train, and nothing else."""
    for text in sets:
        if not text.lstrip().startswith("train."):
            raise RecipeError(
                f"--set {text}: the pictures are there already, so only keys of training can be "
                "set, such as train.steps=1000"
            )


def settings_of(sets: Sequence[str]) -> Train:
    """The settings for pictures that no recipe made: our own, with changes by `--set`."""
    data: dict[str, Any] = {"train": {}}
    override(data, sets, freezing.from_here)
    return decode(Train, freezing.training(data["train"], Path.cwd()), "--set of [train]")
