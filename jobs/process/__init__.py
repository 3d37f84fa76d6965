"""What concerns one process of any kind: signals, memory, secrets, a thread that works ahead, progress."""
