"""Law, dated: price limits, fees, futures, margin, swaps, snowballs, policy events."""
