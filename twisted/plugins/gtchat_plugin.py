"""Tells twistd that there is `twistd gtchat`."""

from twisted.application.service import ServiceMaker

serviceMaker = ServiceMaker(
    "GTChat", "gtchat.tap", "A chat server: WebSocket API, web page, everything on disk.", "gtchat"
)
