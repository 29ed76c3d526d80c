"""Where facts come from: files, vendors and a generator, behind one interface."""
