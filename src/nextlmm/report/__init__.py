"""What a person looks at: figures, loci and the summary of a run."""
