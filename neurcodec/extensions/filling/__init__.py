"""Frames that a base layer leaves out, filled from its others by motion (spec annex C, decision 0010)."""
