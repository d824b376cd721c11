"""Damaged and absurd files for every reader: the answer must be a value or one sentence.

See :mod:`validation.fuzz.__main__` for how it is run.
"""
