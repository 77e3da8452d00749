"""A server in a process of its own whose answers wait for a line on stdin; it prints its port, and when it is asked."""

import sys
import threading

from annotation.serving import Opinions, opinionated

from emollms.annotation.batcher import ServerOptions
from emollms.annotation.server_run import listen, run_server


def main() -> None:
    opinions = Opinions()
    opinions.gate.clear()
    listener = listen("127.0.0.1", 0)
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=lambda: opinions.asked.wait() and print("asked", flush=True), daemon=True).start()
    threading.Thread(target=lambda: sys.stdin.readline() and opinions.gate.set(), daemon=True).start()
    run_server(opinionated(opinions), ServerOptions(), listener, lambda line: print(line, file=sys.stderr))


if __name__ == "__main__":
    main()
