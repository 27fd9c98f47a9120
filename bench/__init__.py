"""Measures the server beside others and beside other versions: `python -m bench`; see README.md."""
