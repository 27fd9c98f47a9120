"""`gtchat doctor`: finds what is wrong with a server or with the way to it, and says the fix."""
