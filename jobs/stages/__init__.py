"""One file a stage: how its units are planned, and how one piece is worked. No stage imports another."""
