"""How a network is run: which parts are computed, on which device, in which number format."""
