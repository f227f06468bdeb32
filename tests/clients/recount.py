"""Counts a demo's records again, and compares the result with the demo's report.

    recount.py RECORDS REPORT [PHASE]

RECORDS is the folder of `segue demo --records`, REPORT the file of `--report`. PHASE is `release`, or `rollback` for
what a demo with `--rollback` writes beside it: the records of RECORDS/rollback, the report below `rollback`. Everything
is computed from the lines of users, boards, owners, launches and ends alone, by rules that are written down here anew.
Prints what it found; exit code 1 when the report says something else.
"""

import json
import sys
from collections import Counter
from math import ceil
from pathlib import Path


def lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def mark(client, number):
    """FNV-1a, 32 bits, over the name and the number's eight bytes."""
    value = 0x811C9DC5
    for byte in client.encode() + number.to_bytes(8, "little"):
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def edits(users, boards):
    known = {user["client"] for user in users}
    stored, out_of_order = Counter(), 0
    for log in boards.values():
        last, due = Counter(), 1
        for seq, client, number in log:
            out_of_order += seq != due
            due = seq + 1
            if client in known:
                stored[client, number] += 1
                if stored[client, number] == 1:
                    out_of_order += number != last[client] + 1
                    last[client] = number
    sent = {(user["client"], n) for user in users for n in range(1, len(user["edits"]) + 1)}
    places = {board: {seq: (client, number) for seq, client, number in reversed(log)} for board, log in boards.items()}
    for user in users:
        stored_here = places.get(user["board"], {})
        out_of_order += user["disorders"] + user["broken"] + sum(strange(run, stored_here) for run in user["seen"])
    return {
        "sent": len(sent),
        "acknowledged": sum(durable is not None for user in users for _, _, durable, _ in user["edits"]),
        "stored": sum(stored.values()),
        "lost": len(sent - stored.keys()),
        "duplicated": sum(times - 1 for times in stored.values()) + sum(user["doubles"] for user in users),
        "out_of_order": out_of_order,
    }


def strange(run, places):
    """Updates that the user saw at a place where the board's log has another one; of two there, the first."""
    found = 0
    for place, seen in enumerate(run["marks"], start=run["from"]):
        if place in places and mark(*places[place]) == seen:
            continue
        if run["ended_by_snapshot"]:
            break
        found += 1
    return found


def ended_with_boards(owners, ends):
    """Instances that were stopped or terminated at a moment at which the ownership table gave boards to them."""
    early = set()
    for end in ends:
        held = {}
        for change in owners:
            if change["at_ms"] > end["at_ms"]:
                break
            held[change["board"]] = change["owner"]
        if end["instance_id"] in held.values():
            early.add(end["instance_id"])
    return len(early)


def span(phases, name):
    starts = [(phase["phase"], phase["at_us"]) for phase in phases]
    first = next((n for n, (phase, _) in enumerate(starts) if phase == name), None)
    if first is None:
        return 0, 0
    return starts[first][1], next(at for phase, at in starts[first:] if phase != name)


def stalls(users, taken, during):
    """For each move and client: how long each edit waited that the hold caught; the hold itself when none was."""
    for user in users:
        end = taken if user["left_us"] is None else user["left_us"]
        for sealed, go in user["moves"]:
            if not during[0] <= go < during[1]:
                continue
            first = next((n for n, e in enumerate(user["edits"]) if e[1] is None or e[1] >= sealed), len(user["edits"]))
            last = sum(made <= go for made, _, _, _ in user["edits"])
            held = user["edits"][first:last]
            yield from ((end if applied is None else applied) - made for made, applied, _, _ in held)
            if not held:
                yield go - sealed


def percentile(sample, percent):
    return None if not sample else sample[max(ceil(len(sample) * percent / 100), 1) - 1]


def millis(us):
    return None if us is None else -(-us // 10) / 100


def waited(user, taken):
    """Until the user was served, or left, or the records were taken."""
    until = next(at for at in (user["joined_us"], user["left_us"], taken) if at is not None)
    return until - user["came_us"]


def main(records, report, phase):
    users = lines(records / "users.ndjson")
    (crowd,) = lines(records / "crowd.ndjson")
    boards = {line["board"]: line["log"] for line in lines(records / "boards.ndjson")}
    phases = lines(records / "phases.ndjson")
    during = span(phases, phase)
    taken = phases[-1]["at_us"]
    sample = sorted(stalls(users, taken, during))
    joined = [user for user in users if user["joined_us"] is not None]
    counted = {
        "edits": edits(users, boards),
        "clients": {
            "came": crowd["came"],
            "unrecorded": crowd["came"] - len({user["client"] for user in users}),
            "total": len(joined),
            "moved": sum(any(during[0] <= go < during[1] for _, go in user["moves"]) for user in users),
            "reconnects_forced": sum(len(user["rejoined_us"]) for user in users),
            "without_socket_ms_max": millis(max((user["without_socket_us_max"] for user in users), default=0)),
            "wait_ms_max": millis(max((waited(user, taken) for user in users), default=0)),
        },
        "stall_ms": {"p50": millis(percentile(sample, 50)), "p99": millis(percentile(sample, 99)),
                     "max": millis(sample[-1] if sample else None)},
    }
    counted["boards_total"] = len({user["board"] for user in joined})
    counted["ended_with_boards"] = ended_with_boards(lines(records / "owners.ndjson"), lines(records / "ends.ndjson"))
    counted["launched"] = len({launch["instance_id"] for launch in lines(records / "launches.ndjson")})
    told = {key: report[key] for key in ("edits", "clients", "stall_ms")}
    told["boards_total"] = report["boards"]["total"]
    told["ended_with_boards"] = report["instances"]["ended_with_boards"]
    told["launched"] = report["instances"]["launched"]
    print(json.dumps(counted, indent=2))
    differences = [f"{key}: the report says {told[key]}, the records {counted[key]}" for key in told if told[key] != counted[key]]
    print("\n".join(differences) or "the report says the same")
    return 1 if differences else 0


if __name__ == "__main__":
    folder, file, phase = Path(sys.argv[1]), Path(sys.argv[2]), (sys.argv[3:] or ["release"])[0]
    whole = json.loads(file.read_text(encoding="utf-8"))
    parts = {"release": (folder, whole), "rollback": (folder / "rollback", whole.get("rollback"))}
    sys.exit(main(*parts[phase], phase))
