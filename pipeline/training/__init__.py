"""Next-character training, one update at a time."""
