"""One run from files to results."""
