"""Processes on this machine or others that hold parts of a problem and compute with them.

Knows Dask, and nothing of genetics.  Nothing of it is loaded unless a run asks for a cluster.
"""
