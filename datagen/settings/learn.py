"""The [learn] section of a recipe: every setting of learning, with measured defaults."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from datagen.interfaces import Component
from datagen.parts import Part, Source
from datagen.settings.appearance import AppearanceLearning
from datagen.settings.attributes import AttributeLearning
from datagen.settings.gnm import GnmLearning
from datagen.settings.layout import LayoutLearning
from datagen.settings.relate import RelateLearning
from datagen.settings.relate_clips import RelateClipsLearning

TRAINED = ("counts", "embedding")  # feature networks that a run trains where no weights are given


class FeatureTraining(Component):
    """What measures pictures, and how it is trained where it is one of `TRAINED`.

    Those learn from samples of the prior only. The others come trained, and the training settings
    do not concern them.
    """

    use: str = "counts"
    weights: Source | None = None
    options: dict[str, JsonValue] = Field(default_factory=dict)  # of the extractor that is used
    images: int = Field(default=160_000, ge=256, le=100_000_000)  # rendered once each, on the fly
    # How far the album's colours, contrast and sharpness are varied, for targets that do not look
    # like the renderer's pictures; 0: as rendered.
    vary: float = Field(default=0.0, ge=0, le=1)
    batch: int = Field(default=32, ge=8, le=4096)
    learning_rate: float = Field(default=3e-3, gt=0, le=1)
    width: int = Field(default=16, ge=4, le=256)  # a quarter of the channels of the last block
    components: int = Field(default=16, ge=1, le=4096)  # principal ones, of features without unit

    @property
    def part(self) -> Part:
        """The extractor by name, without how it is trained."""
        return Part(use=self.use, weights=self.weights, options=self.options)


class Pretraining(Component):
    """Maximum likelihood on derivations of the prior (Meta-Sim2, section 3.3: "essential")."""

    steps: int = Field(default=300, ge=1, le=1_000_000)
    batch: int = Field(default=256, ge=8, le=65_536)
    learning_rate: float = Field(default=1e-2, gt=0, le=1)


class Reinforcement(Component):
    """REINFORCE on a cost for each generated picture (Meta-Sim2, equation 2)."""

    iterations: int = Field(default=320, ge=0, le=1_000_000)  # at most; see `stop_at_floor`
    batch: int = Field(default=384, ge=16, le=65_536)  # generated scenes an iteration (m), of these
    fresh: int = Field(default=128, ge=1, le=65_536)  # new ones; the others come from those before
    # Real images an iteration (l), at most. None: as many as a generated one is compared with. An
    # estimate from more pictures is higher where pictures are rare, and the cost would favour them.
    targets: int | None = Field(default=None, ge=16, le=1_000_000)
    learning_rate: float = Field(default=1e-2, gt=0, le=1)
    # "kde": log q - log p. The others are comparators: the witness of MMD^2 at each picture, and
    # MMD^2 of the batch for all of its pictures alike.
    reward: Literal["kde", "witness", "mmd"] = "kde"
    # Kernel variances: the paper's H = d I, which makes the reward nearly linear (it then matches
    # means and nothing else), the median squared distance of the target, or multiples of it.
    bandwidth: Literal["multiscale", "median", "d"] = "multiscale"
    scales: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        default=(0.02, 0.1, 0.5), min_length=1
    )  # of "multiscale"
    clip: float = Field(default=6.0, gt=0)  # of a log ratio, nats
    # Weight of KL(model || prior) in the cost, ours: pictures do not tell everything (a road beyond
    # the border, the order of equal things), and what they leave open should stay as in the prior.
    # It falls from the first value to the second, or it would bend what pictures do tell.
    prior_weight: tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]] = (
        0.03,
        0.003,
    )
    entropy_weight: float = Field(default=0.0, ge=0)  # of the model's entropy; falls to 0
    baseline_decay: float = Field(default=0.9, ge=0, lt=1)
    reject_weight: float = Field(default=1e-2, ge=0)  # lambda of section 3.3
    reject_above: float = Field(default=1.0, ge=0)  # epsilon of section 3.3
    stop_at_floor: bool = True  # slow down and end when the target's own noise is reached


class Learn(Component):
    """What `datagen learn` does, phase by phase."""

    seed: int = Field(default=0, ge=0, lt=2**63)
    max_steps: int | None = Field(default=None, ge=2, le=4096)  # T_max; None: as the prior needs
    hidden: int = Field(default=64, ge=4, le=4096)
    embedding: int = Field(default=32, ge=2, le=4096)
    latents: int = Field(default=1, ge=1, le=64)  # |Z|
    # One after the other; None: structure, then attributes where the grammar has mutable ones.
    stages: tuple[Literal["structure", "attributes"], ...] | None = Field(
        default=None, min_length=1
    )
    helpers: int = Field(default=1, ge=0, le=64)  # processes that render beside this one
    features: FeatureTraining = FeatureTraining()
    pretraining: Pretraining = Pretraining()
    reinforcement: Reinforcement = Reinforcement()
    attributes: AttributeLearning = AttributeLearning()
    layout: LayoutLearning = LayoutLearning()
    appearance: AppearanceLearning = AppearanceLearning()
    relate: RelateLearning = RelateLearning()
    relate_clips: RelateClipsLearning = RelateClipsLearning()
    gnm: GnmLearning = GnmLearning()
    checkpoint_every: int = Field(default=50, ge=1)  # steps of any phase
