"""What is made from the code for the format and the docs: test vectors, the spec's tables, the command reference."""
