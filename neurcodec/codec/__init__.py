"""A chunk of frames to a GOP and back: the layered and the native codec, and where they run."""
