"""From a model and tokens to rows of `activations` and `predictions`."""
