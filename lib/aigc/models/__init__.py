"""Models. One family a file, each readable from top to bottom; no file imports another."""
