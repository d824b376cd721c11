"""The command line: options in, sentences out. Nothing is computed here."""
