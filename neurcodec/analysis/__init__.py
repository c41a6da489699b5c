"""What the encoder learns of its source before it codes it: scenes, motion, texture, edges."""
