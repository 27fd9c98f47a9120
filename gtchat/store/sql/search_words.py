"""The words of a message that the index has, whichever database keeps it."""

from __future__ import annotations

from functools import lru_cache

from gtchat.chat.search_query import author_key, has_link

#: Of a message: its row in `entries`, its room, the name of its author, its text.
IndexedMessage = tuple[int, int, str, str]
#: Of a message: its row in `entries`, the words of its text, its tags; both with spaces between.
IndexedWords = tuple[int, str, str]

#: The tag of a message that has a link.
LINK_TAG = "link"


def tags(room_id: int, usr: str, msg: str) -> str:
    """Return the tags of a message: its room, its author, and whether it has a link."""
    room_and_author = f"{room_tag(room_id)} {_author_tag_of(usr)}"
    is_linking = "://" in msg and has_link(msg)
    return f"{room_and_author} {LINK_TAG}" if is_linking else room_and_author


def room_tag(room_id: int) -> str:
    """Return the word for a room."""
    return f"r{room_id}"


def author_tag(key: str) -> str:
    """Return the word for the name of an author: letters and digits, whatever the name has.

    Most names are such a word; a shorter one costs the index less.
    """
    if key.isascii() and key.isalnum():
        return f"u{key}"
    return f"x{key.encode('utf-8', 'surrogatepass').hex()}"


@lru_cache(maxsize=4096)
def _author_tag_of(usr: str) -> str:
    """Return the word for an author, given the name as it is shown."""
    return author_tag(author_key(usr))
