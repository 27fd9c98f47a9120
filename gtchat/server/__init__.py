"""The server program: settings, the running service, logs, the operator's console."""
