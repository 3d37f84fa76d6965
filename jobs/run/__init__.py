"""What a run is, where its sequences and networks come from, and how to read what its stages have left."""
