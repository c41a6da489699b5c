"""What the project is made and measured with; no part of the package. Run from the repository's root, see README.md."""
