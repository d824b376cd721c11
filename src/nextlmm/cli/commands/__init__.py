"""One module for each command, short enough to be read at a glance."""
