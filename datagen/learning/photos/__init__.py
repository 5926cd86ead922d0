"""Learning from photos alone: whole pictures, and what in them is a thing."""
