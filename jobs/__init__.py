"""The shell around the rooms: the only code that knows Ray, arguments, the environment and the clock."""
