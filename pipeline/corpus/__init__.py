"""From sequences to rows of `steps`, and back to tokens."""
