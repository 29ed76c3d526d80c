"""Questions about one's own book: hedging, stress, liquidation, margin."""
