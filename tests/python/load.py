"""Many slow clients of `arwendebug server` at a time: python3 tests/python/load.py [PROGRAM] [CLIENTS] [REQUESTS]

Each client has a connection of its own, and sends its requests byte after byte with pauses. One request in ten is a call, which changes the
world; the others are queries. Prints counts, times and the most memory of the server; fails if an answer is missing or wrong.
"""
import asyncio, json, os, random, subprocess, sys, tempfile, time

PROGRAM = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "target/release/arwendebug")
CLIENTS = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
REQUESTS = int(sys.argv[3]) if len(sys.argv) > 3 else 10000
CONTRACT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../contracts/counter.wat")
CALLER = {"ImpersonatedHex": "alice", "ContractAddressHex": "contract0"}


async def ask(reader, writer, host, path, body, pause):
    body = json.dumps(body).encode()
    request = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    pieces = 8 if pause else 1
    size = -(-len(request) // pieces)
    for start in range(0, len(request), size):
        writer.write(request[start:start + size])
        await writer.drain()
        await asyncio.sleep(pause / pieces)
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.split("content-length: ")[1].split("\r\n")[0])
    answer = json.loads(await reader.readexactly(length))
    if not head.startswith("http/1.1 200 "):
        raise RuntimeError(answer["error"])
    return answer["result"]


async def client(number, host, port, share, times, numbers):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for index in range(share):
        is_call = (number + index) % 10 == 0
        path, function = ("/run", "increment") if is_call else ("/query", "get")
        start = time.monotonic()
        pause = random.uniform(0.5, 1.5)
        result = await ask(reader, writer, host, path, {**CALLER, "Function": function}, pause)
        times.append(time.monotonic() - start - pause)
        assert result["ok"], result
        if is_call:
            numbers.append(int(result["returnData"][0], 16))
    writer.close()


async def watch(process, most):
    while True:
        with open(f"/proc/{process}/status") as status:
            fields = dict(line.split(":", 1) for line in status)
        most["memory"] = max(most.get("memory", 0), int(fields["VmRSS"].split()[0]))
        most["descriptors"] = max(most.get("descriptors", 0), len(os.listdir(f"/proc/{process}/fd")))
        await asyncio.sleep(0.1)


async def load(server):
    address = server.stdout.readline().decode().strip()
    host = address.removeprefix("http://").rstrip("/")
    port = int(host.rsplit(":", 1)[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await ask(reader, writer, host, "/account", {"AddressHex": "alice"}, 0)
    await ask(reader, writer, host, "/deploy", {"ImpersonatedHex": "alice", "CodePath": CONTRACT}, 0)
    most, times, numbers = {}, [], []
    watching = asyncio.create_task(watch(server.pid, most))
    start = time.monotonic()
    shares = [REQUESTS // CLIENTS + (number < REQUESTS % CLIENTS) for number in range(CLIENTS)]
    await asyncio.gather(*(client(number, host, port, share, times, numbers) for number, share in enumerate(shares)))
    took = time.monotonic() - start
    watching.cancel()
    # The contract was at 1; each call has seen a number of its own.
    assert sorted(numbers) == list(range(2, len(numbers) + 2)), "a change was lost"
    times.sort()
    print(f"{CLIENTS} clients, {len(times)} answers to {REQUESTS} requests, {len(numbers)} of them calls, in {took:.1f} s")
    print(f"an answer takes {times[len(times) // 2] * 1000:.0f} ms (median), {times[-1] * 1000:.0f} ms (longest)")
    print(f"the server has at most {most['memory'] / 1024:.0f} MiB and {most['descriptors']} descriptors")


with tempfile.TemporaryDirectory() as folder:
    arguments = [PROGRAM, "server", "--address", "127.0.0.1:0", "--client-time", "60"]
    server = subprocess.Popen(arguments, cwd=folder, stdout=subprocess.PIPE)
    try:
        asyncio.run(load(server))
    finally:
        server.terminate()
        print(f"the server ends with exit code {server.wait()}")
