"""The edges of a chunk, for the generator (spec annex B, decision 0013)."""
