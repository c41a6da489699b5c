"""The scenes of the example clip, and their rendering."""
