"""Reading and writing weights: the native format and everybody's."""
