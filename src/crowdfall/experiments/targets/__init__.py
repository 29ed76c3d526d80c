"""What a run must reproduce: numbers as data, and how they are measured on a run's tables."""

from crowdfall.experiments.targets.load import SHIPPED as SHIPPED
from crowdfall.experiments.targets.load import load as load
from crowdfall.experiments.targets.measure import covered as covered
from crowdfall.experiments.targets.measure import measure as measure
from crowdfall.experiments.targets.measure import measure_matrix as measure_matrix
from crowdfall.experiments.targets.terms import Target as Target
