"""What lies on the disk or comes through pipes: outputs that are whole, models, parts of files."""
