"""Requests a second of `emollms serve`, one text each, over connections that stay open.

python benchmarks/serve.py --baseline vader
python benchmarks/serve.py --model OWNER/MODEL --task joy --max-batch 1
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from statistics import median, quantiles

TEXT = "nobody told me that the train would be this late and now the kids are tired but happy anyway"


async def client(port: int, texts: list[str], seconds: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while texts:
        body = json.dumps({"texts": [texts.pop()]}).encode()
        head = f"POST /annotate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        started = time.perf_counter()
        writer.write(f"{head}\r\n\r\n".encode() + body)
        said = await reader.readuntil(b"\r\n\r\n")
        length = int(said.lower().partition(b"content-length:")[2].split()[0])
        await reader.readexactly(length)
        seconds.append(time.perf_counter() - started)
        assert said.startswith(b"HTTP/1.1 200"), said
    writer.close()


async def measure(port: int, connections: int, requests: int) -> None:
    texts = [f"{number} {TEXT[number % 7 :]}" for number in range(requests)]
    seconds: list[float] = []
    started = time.perf_counter()
    await asyncio.gather(*(client(port, texts, seconds) for _ in range(connections)))
    rate = requests / (time.perf_counter() - started)
    middle, late = median(seconds) * 1000, quantiles(seconds, n=100)[98] * 1000
    print(f"{connections:>4} connections  {rate:>7.0f} requests/s  {middle:.1f} ms median  {late:.1f} ms p99")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--requests", type=int, default=4000)
    options.add_argument("--connections", type=int, nargs="+", default=[1, 16, 64])
    own, rest = options.parse_known_args()
    call = [sys.executable, "-m", "emollms", "serve", "--port", "0", "--fresh", *rest]
    with subprocess.Popen(call, stderr=subprocess.PIPE, text=True) as running:
        line = running.stderr.readline()
        while not line.startswith("serving"):
            line = running.stderr.readline()
        port = int(line.partition("127.0.0.1:")[2].split()[0])
        drain = subprocess.Popen(["cat"], stdin=running.stderr, stdout=subprocess.DEVNULL)  # a full pipe would stop it
        print(f"{' '.join(rest)}: {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        for connections in own.connections:
            asyncio.run(measure(port, connections, own.requests if connections > 1 else own.requests // 4))
        running.terminate()
        running.wait()
        drain.wait()


if __name__ == "__main__":
    main()
