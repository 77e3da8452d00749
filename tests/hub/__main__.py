"""Serve until standard input ends; the first line of output is the address."""

import argparse
import sys
import threading

from hub.server import Hub

parser = argparse.ArgumentParser(prog="hub", description=__doc__)
parser.add_argument("--port", type=int, default=0)
hub = Hub(parser.parse_args().port)
print(hub.address, flush=True)
threading.Thread(target=hub.server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
sys.stdin.read()
