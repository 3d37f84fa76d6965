"""What the command line does, one function a command; each imports what it needs when it is called."""
