"""Requests over HTTP/3, on one connection as long as it lasts: one a line of JSON, until standard input ends.

  http3-client.py ADDRESS PORT HOST PATH COUNT     COUNT requests; 0: until standard input ends
"""

import asyncio
import json
import ssl
import sys

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated

SECONDS = 5


class Client(QuicConnectionProtocol):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.http = H3Connection(self._quic)
        self.answers = {}

    def quic_event_received(self, event):
        if isinstance(event, ConnectionTerminated):
            for answer in self.answers.values():
                if not answer["done"].done():
                    answer["done"].set_exception(ConnectionError(event.reason_phrase or hex(event.error_code)))
        for one in self.http.handle_event(event):
            answer = self.answers.get(getattr(one, "stream_id", None))
            if answer is None:
                continue
            if isinstance(one, HeadersReceived):
                answer["headers"] = {name.decode(): value.decode() for name, value in one.headers}
            if isinstance(one, DataReceived):
                answer["body"] += one.data
            if one.stream_ended and not answer["done"].done():
                answer["done"].set_result(True)

    async def get(self, host, path):
        stream = self._quic.get_next_available_stream_id()
        answer = self.answers[stream] = {"done": asyncio.get_running_loop().create_future(), "headers": {}, "body": b""}
        request = {":method": "GET", ":scheme": "https", ":authority": host, ":path": path}
        fields = [(name.encode(), value.encode()) for name, value in request.items()]
        self.http.send_headers(stream, fields, end_stream=True)
        self.transmit()
        await asyncio.wait_for(answer["done"], SECONDS)
        return answer["headers"], answer["body"].decode()


def say(**what):
    print(json.dumps(what), flush=True)


async def main(address, port, host, path, count):
    configuration = QuicConfiguration(alpn_protocols=H3_ALPN, is_client=True, server_name=host)
    configuration.verify_mode = ssl.CERT_NONE
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read) if count == 0 else None
    done = 0
    while done < count or (ended is not None and not ended.done()):
        try:
            async with connect(address, port, configuration=configuration, create_protocol=Client) as client:
                while done < count or (ended is not None and not ended.done()):
                    headers, body = await client.get(host, path)
                    done += 1
                    say(status=int(headers[":status"]), headers=headers, body=body)
                    await asyncio.sleep(0.01)
        except (OSError, TimeoutError, asyncio.TimeoutError) as error:
            done += 1
            say(failed=f"{type(error).__name__} {error}".strip())


main_args = sys.argv[1:]
asyncio.run(main(main_args[0], int(main_args[1]), main_args[2], main_args[3], int(main_args[4])))
