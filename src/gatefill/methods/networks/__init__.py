"""The four networks: for each its config and its architecture as in the paper."""
