"""From a model to its equations, one file a result."""
