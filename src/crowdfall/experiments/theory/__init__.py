"""Equilibria of contagion, solved: what theory says about the engine's rules.

``check`` compares every law with an answer that somebody else found; the solvers stand alone:

* ``contagion``: fire sales of any banks over any assets, least and greatest equilibrium;
* ``threshold``: deleveraging in rounds (Cont and Schaanning); ``balance_sheets``: with cash, loans
  and defaults (Oxford sweep of the EBA banks); ``vulnerable``: the linear model and its stability;
* ``spiral``, ``covariance``, ``overlap``: loss and margin spirals, realised correlation,
  overlapping portfolios; ``fat_tails``: value funds with a leverage limit;
* ``in_engine``: the same questions put to the engine's own laws.
"""

from crowdfall.experiments.theory.contagion import Banks as Banks
from crowdfall.experiments.theory.contagion import Equilibria as Equilibria
from crowdfall.experiments.theory.contagion import Impact as Impact
from crowdfall.experiments.theory.contagion import solve as solve
from crowdfall.experiments.theory.given import read_banks as read_banks
