"""Are p-values p-values, is h2 what was simulated, and is no power lost?  See ``__main__``."""
