"""What one starts: the nightly flow, recipes, the `nightjar` command, reports."""
