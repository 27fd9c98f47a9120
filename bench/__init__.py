"""How fast the server is, beside others, measured by anybody: `python -m bench`; see README.md."""
