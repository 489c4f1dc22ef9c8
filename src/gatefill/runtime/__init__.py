"""How a network is run: what has to be computed, where, in which numbers, by which library."""
