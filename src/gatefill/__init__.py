"""gatefill fills any hole in any photo, and trains the networks that do it."""

__version__ = "0.1.0"
