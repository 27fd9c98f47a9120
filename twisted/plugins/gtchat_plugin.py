"""The plugin that makes `twistd gtchat` known to twistd."""

from twisted.application.service import ServiceMaker

serviceMaker = ServiceMaker(
    "GTChat", "gtchat.tap", "A self-hosted chat server: web page and WebSocket API.", "gtchat"
)
