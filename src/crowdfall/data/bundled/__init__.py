"""Derived tables of the synthetic market; ``scripts/derive_bundled.py`` writes them."""
