"""Questions to the engine."""
