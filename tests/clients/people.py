"""People on boards, who come again when they are asked to.

    people.py URL PEOPLE BOARDS

Each one opens a websocket on URL/board/NAME, hears which version serves it, and stays; whoever is sent away comes
back at once. Says `{"there": PEOPLE}` when everybody is in. For each line on stdin, says as JSON which versions serve
them now, with which codes they were sent away since the line before, and the longest time that anybody was away.
"""

import asyncio
import json
import sys
import time
from collections import Counter

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

URL, PEOPLE, BOARDS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
serves, codes, away_ms = {}, Counter(), [0]


async def person(number, everybody):
    left = None
    while True:
        async with connect(f"{URL}/board/b{number % BOARDS}", proxy=None) as socket:
            serves[number] = await socket.recv()
            if left is not None:
                away_ms.append(round((time.monotonic() - left) * 1000))
            if len(serves) == PEOPLE:
                everybody.set()
            try:
                async for _ in socket:
                    pass
            except ConnectionClosed:
                pass
            codes[socket.close_code] += 1
        left = time.monotonic()


async def main():
    everybody = asyncio.Event()
    people = [asyncio.create_task(person(number, everybody)) for number in range(PEOPLE)]
    await asyncio.wait_for(everybody.wait(), 30)
    print(json.dumps({"there": PEOPLE}), flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        ended = [task.exception() for task in people if task.done()]
        assert not ended, ended
        print(json.dumps({"serves": Counter(serves.values()), "codes": codes, "away_ms_max": max(away_ms)}), flush=True)
        codes.clear()
        away_ms[:] = [0]
    for task in people:
        task.cancel()


asyncio.run(main())
