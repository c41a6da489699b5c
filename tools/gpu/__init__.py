"""The kit for half an hour on a lent GPU (docs/gpu.md)."""
