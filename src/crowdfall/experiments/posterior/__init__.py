"""What the targets leave open: a population of parameter sets, by approximate Bayesian sampling."""

from crowdfall.experiments.posterior.smc import Population as Population
from crowdfall.experiments.posterior.smc import Schedule as Schedule
from crowdfall.experiments.posterior.smc import afresh as afresh
from crowdfall.experiments.posterior.smc import smc as smc
from crowdfall.experiments.posterior.study import Posterior as Posterior
from crowdfall.experiments.posterior.study import Sampled as Sampled
from crowdfall.experiments.posterior.study import read as read
from crowdfall.experiments.posterior.study import sample as sample
from crowdfall.experiments.posterior.study import write as write
