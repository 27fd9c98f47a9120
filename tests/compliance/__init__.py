"""External test programs for the protocols, run by hand; see README.md."""
