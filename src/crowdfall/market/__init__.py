"""The place at a date: stocks, indices, futures and their history in one frozen snapshot."""
