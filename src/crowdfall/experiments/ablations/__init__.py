"""What each mechanism does: it is switched off alone, on paired seeds."""

from crowdfall.experiments.ablations.document import markdown as markdown
from crowdfall.experiments.ablations.document import write as write
from crowdfall.experiments.ablations.pairs import Comparison as Comparison
from crowdfall.experiments.ablations.pairs import compare as compare
from crowdfall.experiments.ablations.terms import SHIPPED as SHIPPED
from crowdfall.experiments.ablations.terms import Ablation as Ablation
from crowdfall.experiments.ablations.terms import Study as Study
from crowdfall.experiments.ablations.terms import load as load
