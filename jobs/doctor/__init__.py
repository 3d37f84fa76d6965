"""What a run needs, looked at one by one: `unrolled doctor`."""
