"""The web site: the page, its files, /ws and /healthz."""
