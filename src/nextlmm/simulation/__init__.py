"""Simulated cohorts: genotypes of several kinds of populations, and traits made of them."""
