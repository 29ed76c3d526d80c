"""Questions to real data: how crowded it is, and how far from the edge."""
