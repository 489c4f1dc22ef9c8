"""The four networks: for each a config and the architecture as its paper has it."""
