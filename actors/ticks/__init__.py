"""Tick files: what a line says, which column is what, and reading them one line at a time."""
