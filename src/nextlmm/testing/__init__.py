"""Slow answers that are right by definition."""
