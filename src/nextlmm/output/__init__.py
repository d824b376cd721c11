"""Result files: their columns, their bytes, where they came from.

A file appears under its final name only when it is complete, and the files of one run appear
together. The same results give the same bytes.
"""
