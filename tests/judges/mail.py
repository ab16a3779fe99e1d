"""A mail server that keeps nothing: says its port, then each mail that comes, as lines of JSON. Ends with its input."""

import asyncio
import email
import email.policy
import json
import sys

from aiosmtpd.smtp import SMTP


def say(value):
    print(json.dumps(value), flush=True)


class Sink:
    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        say({
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "subject": mail["subject"],
            "text": mail.get_body(("plain",)).get_content(),
        })
        return "250 OK"


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Sink()), "127.0.0.1", 0)
    say({"port": server.sockets[0].getsockname()[1]})
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
