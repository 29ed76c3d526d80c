"""Fit a scenario's parameters to its free targets: simulated moments, in stages, wide starts."""

from crowdfall.experiments.calibrate.objective import evaluate as evaluate
from crowdfall.experiments.calibrate.objective import loss as loss
from crowdfall.experiments.calibrate.plan import Parameter as Parameter
from crowdfall.experiments.calibrate.plan import Plan as Plan
from crowdfall.experiments.calibrate.plan import plan as plan
from crowdfall.experiments.calibrate.search import Fit as Fit
from crowdfall.experiments.calibrate.search import calibrate as calibrate
from crowdfall.experiments.calibrate.search import length as length
from crowdfall.experiments.calibrate.write import check_free as check_free
from crowdfall.experiments.calibrate.write import write as write
