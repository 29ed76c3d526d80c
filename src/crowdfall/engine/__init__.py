"""How a step runs: clearing, margin, ledger, randomness, ensembles."""
