"""The layers the networks are made of: pure functions, each with a thin Module."""
