"""Fuzzing: the container under atheris, mutated files through verify and decode. See docs/reliability.md."""
