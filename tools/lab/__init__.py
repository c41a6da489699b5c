"""Measurements, faults and long runs whose results docs/ shows."""
