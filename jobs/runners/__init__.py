"""Where pieces run: in this process, or on Ray."""
