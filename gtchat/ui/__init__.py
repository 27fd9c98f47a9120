"""Our own clients: line mode, the full-screen terminal (`tui`) and the Tk window.

They are built on `gtchat.client` and import nothing else of the project.
"""
