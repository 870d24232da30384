"""Tables of a study for the terminal, for papers and as data."""
