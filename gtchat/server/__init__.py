"""The server program: settings, the running service, logs, the admin console."""
