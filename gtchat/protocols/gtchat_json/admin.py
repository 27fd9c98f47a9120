"""`admin`: administrative commands of accounts with the operator mark."""

from __future__ import annotations

from typing import Any

from gtchat.chat.errors import TooLong
from gtchat.protocols.gtchat_json.context import Context
from gtchat.protocols.gtchat_json.reply_size import encoded_bytes, reply_bytes
from gtchat.protocols.gtchat_json.requests import Request, Whole
from gtchat.protocols.gtchat_json.responses import Reply


class Admin(Request, tag="admin"):
    """Run an administrative command, as an operator.

    `name`: the command, such as `accounts list`. `args`: its arguments. `pwd`: the password of the
    operator, which is wanted after `password_again`.
    """

    name: str
    args: dict[str, str | Whole | bool | None] = {}
    pwd: str | None = None


class AdminReply(Reply, kw_only=True):
    """What an administrative command has returned; its fields are those of the command."""

    result: dict[str, Any]


async def admin(context: Context, request: Admin) -> AdminReply:
    """Run an administrative command."""
    operators, session = context.chat.admin.operators, context.require_session
    result = await operators.run(session, request.name, request.args, request.pwd)
    reply = AdminReply(result=dict(result))
    if encoded_bytes(reply) > reply_bytes(request):
        raise TooLong("The result is too long: ask for fewer with limit.")
    return reply
