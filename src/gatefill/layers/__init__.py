"""The layers of the networks: pure functions, each with a thin Module."""
