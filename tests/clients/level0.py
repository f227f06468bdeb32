"""A board application that keeps level 0 of the handover contract, without Segue's library.

A board is a socket for each person on ws://HOST:8080/board/NAME. Port 9000 takes the signed calls status, close,
open and drain, and tells Prometheus how many boards are open. Told to drain, it asks people to come again (close
code 4012) at the pace that it was given; the load balancer leads them to another server.
"""
import asyncio, hashlib, hmac, json, os, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from websockets.asyncio.server import serve
from websockets.datastructures import Headers
from websockets.http11 import Response

ENV, STARTED = os.environ, time.time()
ME, KEY, HOST, VERSION = ENV["INSTANCE_ID"], ENV["HANDOVER_KEY"].encode(), ENV["PRIVATE_IP"], ENV["VERSION"]
boards, drains = {}, set()
server = {"server": ME, "version": VERSION, "level": 0, "state": "serving", "generation": 0, "route": ENV.get("ROUTE")}
FIXED = {"formats": {"reads": ["memory"], "writes": "memory"}, "standbys": 0, "attached": 0, "connect": None,
         "caps": {"boards": 10_000, "clients": 10_000, "bytes": 1 << 30},
         "load": dict.fromkeys(["cpu", "rss", "edit_p99_ms", "load_p99_ms"]) | {"attach_queue": 0},
         "attach": dict.fromkeys(["limit_per_s", "peak_in_100ms", "overruns_total", "admitted_total", "refused_total"], 0)}
STATES = {"open": "serving", "close": "closed", "drain": "draining"}

async def person(socket):
    on = boards.setdefault(socket.request.path, set())
    on.add(socket)
    try:
        await socket.send(VERSION)
        async for edit in socket:
            for other in tuple(on):
                await other.send(edit)
    finally:
        on.discard(socket)
        if not on:
            boards.pop(socket.request.path, None)

def door(_connection, request):
    if not request.path.startswith("/board/"):
        return Response(200, "OK", Headers({"Content-Length": "3"}), b"ok\n")

async def drain(rate_per_s):
    for socket in [socket for on in boards.values() for socket in on]:
        if server["state"] == "draining":
            await asyncio.gather(socket.close(4012, "come again"), asyncio.sleep(1 / rate_per_s))

class Control(BaseHTTPRequestHandler):
    def answer(self, code, body):
        self.send_response(code)
        self.end_headers()
        self.wfile.write((body if isinstance(body, str) else json.dumps(body)).encode())

    def do_GET(self):
        numbers = {"rtb_spaces_count": len(boards), "app_errors_total": 0, "process_start_time_seconds": STARTED}
        if self.path == "/metrics":
            return self.answer(200, "".join(f"{name} {value}\n" for name, value in numbers.items()))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        told = [self.headers[f"handover-{name}"] or "" for name in ("timestamp-ms", "nonce", "instance", "generation")]
        text = "\n".join(["handover-v1", self.command, self.path, hashlib.sha256(body).hexdigest(), *told, ""])
        right = hmac.compare_digest(hmac.new(KEY, text.encode(), "sha256").hexdigest(), self.headers["handover-signature"] or "")
        if not right or told[2] != ME or abs(int(told[0]) / 1000 - time.time()) > 60:
            return self.answer(401, {"code": "bad-signature", "detail": "not signed for this server and this minute"})
        if self.command == "POST":
            call, asked, generation = self.path.rsplit("/", 1)[1], json.loads(body), int(told[3])
            if generation < server["generation"]:
                return self.answer(409, {"code": "stale-generation", "detail": "old", "generation": server["generation"]})
            server.update(generation=generation, state=STATES[call], route=asked.get("route") or server["route"])
            if call == "drain" and asked["release"] not in drains:
                drains.add(asked["release"])
                asyncio.run_coroutine_threadsafe(drain(asked["rate_per_s"]), LOOP)
        self.answer(200, server | FIXED | {"boards": len(boards), "clients": sum(map(len, boards.values()))})

    do_POST = do_GET

async def main():
    threading.Thread(target=ThreadingHTTPServer((HOST, 9000), Control).serve_forever, daemon=True).start()
    async with serve(person, HOST, 8080, process_request=door):
        await LOOP.create_future()

LOOP = asyncio.new_event_loop()
LOOP.run_until_complete(main())
