"""Programs and values to solutions, one file a result."""
