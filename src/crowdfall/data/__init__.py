"""Facts observed: canonical tables, symbols, calendar, sources, checks."""
