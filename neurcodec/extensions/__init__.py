"""What stands beside the core, each in a folder of its own: rows of the papers that a plain file does without.

caption, sketch: told to the generator, in substreams of their own. detail: latents on frames of a base layer; filling:
frames between those of a base layer. A folder has a `stream` (bytes), and as it needs `pictures` or a `branch` of the
generator (torch), and an `option` of the command. The core meets them only through the registries here: `streams`,
`pictures`, `branches`, `options`.
"""

NAMES = ("detail", "caption", "sketch")
"""What an encode may ask for: keywords of `neurcodec.encode` and options of the command."""
LAYERED = ("detail",)
"""Of these, what is for the layered profile only."""
