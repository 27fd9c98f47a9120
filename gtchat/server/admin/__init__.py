"""Administrative commands: what they return, their table, and the places where they are given."""
