"""Latents on some frames of a base layer (spec annex D, decision 0011)."""
