"""What came out of a run: table schemas, store, metrics."""
