"""Charts, tables, the one-file HTML report and the story in words."""
