"""Data whose truth is known, and slow answers that are right by definition."""
