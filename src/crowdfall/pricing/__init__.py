"""Values of contracts."""
