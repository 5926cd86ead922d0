"""How far two sets of pictures are apart by their features, beside the target's own noise."""

from datagen.learning.gap.distances import energy_distance as energy_distance
from datagen.learning.gap.distances import frechet_distance as frechet_distance
from datagen.learning.gap.distances import kernel_distance as kernel_distance
from datagen.learning.gap.distances import mmd2 as mmd2
from datagen.learning.gap.distances import total_variation as total_variation
from datagen.learning.gap.distances import wasserstein as wasserstein
from datagen.learning.gap.floor import NoiseFloor as NoiseFloor
from datagen.learning.gap.floor import noise_floor as noise_floor
from datagen.learning.gap.marginals import Marginal as Marginal
from datagen.learning.gap.measure import Column as Column
from datagen.learning.gap.measure import Gap as Gap
from datagen.learning.gap.measure import Scale as Scale
from datagen.learning.gap.measure import common_scale as common_scale
from datagen.learning.gap.measure import gap as gap
from datagen.learning.gap.ranking import Ranked as Ranked
from datagen.learning.gap.ranking import rank as rank
from datagen.learning.gap.reading import Reading as Reading
from datagen.learning.gap.reading import Verdict as Verdict
from datagen.learning.gap.reading import verdict as verdict
