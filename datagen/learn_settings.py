"""The [learn] section of a recipe: every setting of structure learning, with measured defaults."""

from pydantic import Field

from datagen.interfaces import Component


class FeatureTraining(Component):
    """The counting network that measures images; it is trained on samples of the prior only."""

    images: int = Field(default=120_000, ge=256, le=100_000_000)  # rendered once each, on the fly
    batch: int = Field(default=32, ge=8, le=4096)
    learning_rate: float = Field(default=3e-3, gt=0, le=1)
    width: int = Field(default=16, ge=4, le=256)  # channels, in units of half the first layer's


class Pretraining(Component):
    """Maximum likelihood on derivations of the prior (Meta-Sim2, section 3.3: "essential")."""

    steps: int = Field(default=300, ge=1, le=1_000_000)
    batch: int = Field(default=256, ge=8, le=65_536)
    learning_rate: float = Field(default=1e-2, gt=0, le=1)


class Reinforcement(Component):
    """REINFORCE on log q - log p of kernel density estimates (Meta-Sim2, equation 2)."""

    iterations: int = Field(default=250, ge=0, le=1_000_000)
    batch: int = Field(default=256, ge=16, le=65_536)  # generated scenes an iteration (m)
    targets: int = Field(default=1000, ge=16, le=1_000_000)  # real images an iteration (l), at most
    learning_rate: float = Field(default=1e-2, gt=0, le=1)
    # Kernel variances as multiples of the median squared distance between target features. The
    # paper's H = d I makes the reward nearly linear: it then matches means and nothing else.
    bandwidths: tuple[float, ...] = Field(default=(0.02, 0.1, 0.5), min_length=1)
    clip: float = Field(default=6.0, gt=0)  # of a log ratio, nats
    # Weight of KL(model || prior) in the cost, ours: pictures do not tell everything (a road beyond
    # the border, the order of equal things), and what they leave open should stay as in the prior.
    prior_weight: float = Field(default=0.03, ge=0)
    baseline_decay: float = Field(default=0.9, ge=0, lt=1)
    reject_weight: float = Field(default=1e-2, ge=0)  # lambda of section 3.3
    reject_above: float = Field(default=1.0, ge=0)  # epsilon of section 3.3


class Learn(Component):
    """What `datagen learn` does, phase by phase."""

    seed: int = Field(default=0, ge=0, lt=2**63)
    max_steps: int | None = Field(default=None, ge=2, le=4096)  # T_max; None: as the prior needs
    hidden: int = Field(default=64, ge=4, le=4096)
    embedding: int = Field(default=32, ge=2, le=4096)
    latents: int = Field(default=1, ge=1, le=64)  # |Z|
    helpers: int = Field(default=1, ge=0, le=64)  # processes that render beside this one
    features: FeatureTraining = FeatureTraining()
    pretraining: Pretraining = Pretraining()
    reinforcement: Reinforcement = Reinforcement()
    checkpoint_every: int = Field(default=50, ge=1)  # steps of any phase
