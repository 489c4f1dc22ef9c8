"""Training any of the methods on a folder of images."""
