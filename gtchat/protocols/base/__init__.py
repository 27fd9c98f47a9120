"""What two or more protocols need: writing, text, connection limits, HTTP access, dialback."""
