"""Outside judges of the protocols, run by hand; see README.md."""
