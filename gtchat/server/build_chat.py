"""Makes the chat of a server from its settings and its store."""

from __future__ import annotations

import secrets
from typing import Any

import attrs
from twisted.logger import Logger

from gtchat.chat.access import AccessSettings
from gtchat.chat.chat import Chat
from gtchat.chat.filter_rules import MISSING
from gtchat.chat.interfaces import IPasswords
from gtchat.protocols.base.http_access import Proxies
from gtchat.server.account_export import ExportFiles
from gtchat.server.process import EXIT_CONFIG, StartError
from gtchat.server.settings import ServerSettings, Settings, kinds_of_sources
from gtchat.server.storage import Storage, cannot_start
from gtchat.store import StoreError
from gtchat.web.branding import Branding, BrandingError

#: Bytes of randomness of session ids, device tokens and login links.
TOKEN_BYTES = 32

_log = Logger()


def access_settings(settings: Settings) -> AccessSettings:
    """Return who may come in as far as operators choose nothing else."""
    server = settings.server
    return AccessSettings(
        registration=server.registration,
        guests=server.guests,
        name=settings.site.chat_name,
        invites=server.member_invitations,
        deleted_messages=server.deleted_messages,
    )


def apply_settings(chat: Chat, settings: Settings) -> None:
    """Let other settings hold in a chat from now on, where operators choose nothing else."""
    chat.change_limits(settings.limits, kinds_of_sources(settings))
    chat.access.settings = access_settings(settings)
    chat.word_filter.directs = settings.server.filter_directs


def branding_of(settings: Settings) -> Branding:
    """Return the operator's own look of the page. Raises StartError."""
    try:
        return Branding.load(settings.site.logo, settings.site.extra_css)
    except BrandingError as error:
        raise StartError(str(error), EXIT_CONFIG) from error


def build_chat(settings: Settings, storage: Storage, reactor: Any, passwords: IPasswords) -> Chat:
    """Return a chat that has started.

    Args:
        settings: what the operator chose.
        storage: the open store.
        reactor: runs the server.
        passwords: hashes passwords.

    Raises:
        StartError: the store cannot be written to.
    """
    server = settings.server
    chat = Chat(
        storage.store,
        reactor,
        attrs.evolve(settings.limits),  # the chat's change; these say what was read
        passwords,
        lambda: secrets.token_urlsafe(TOKEN_BYTES),
        sessions=server.sessions,
        broadcast_key=server.broadcast_key or None,
        wall=storage.wall,
        keep_versions=server.keep_versions,
        legacy_edits=server.legacy_edits == "show",
        relay=storage.relay,
        access=access_settings(settings),
    )
    chat.exports.files = ExportFiles(reactor, chat.limits)
    chat.bans.protect(Proxies.named(server.trusted_proxies).networks)
    try:
        chat.start()
    except StoreError as error:
        raise cannot_start(error) from error
    apply_settings(chat, settings)
    if ignored := chat.word_filter.matcher.ignored:
        _log.warn(
            "{count} rules of the word filter do nothing. {text}", count=ignored, text=MISSING
        )
    return chat


def trust_proxies(proxies: Proxies, chat: Chat, server: ServerSettings) -> None:
    """Trust other proxies from now on, which are not banned.

    Args:
        proxies: the trusted proxies, which all parts of the server share.
        chat: the chat.
        server: settings with the new ones.
    """
    proxies.replace(Proxies.named(server.trusted_proxies))
    chat.bans.protect(proxies.networks)
