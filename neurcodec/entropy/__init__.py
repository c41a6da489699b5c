"""The exact half of the codec: integer tables, the range coder, and prior networks evaluated in integers."""
