"""Search over what was said, each text once, however often it was sent."""
