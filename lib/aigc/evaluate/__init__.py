"""Measures of what a generator has learned and of what it makes. A number without its baseline says little."""
