"""Comparisons against named references; each writes one JSON and one table."""
