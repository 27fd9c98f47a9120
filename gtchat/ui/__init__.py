"""Our own clients: line mode, full-screen terminal and Tk window, built on `gtchat.client`."""
