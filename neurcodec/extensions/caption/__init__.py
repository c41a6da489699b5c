"""A text about a chunk, for the generator (spec annex A, decision 0012)."""
