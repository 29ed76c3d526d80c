"""Contract terms without prices."""
