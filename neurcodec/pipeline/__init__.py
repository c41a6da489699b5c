"""Files: chunks, threads, models, atomic output; encoding, decoding and verifying (docs/architecture.md)."""
