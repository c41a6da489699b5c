"""Work on whole files: encode, decode, verify, many files, rates, clusters, and going on after a stop."""
