"""Who trades: one file a participant, one small protocol."""
