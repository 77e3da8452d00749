"""A server on loopback that speaks OpenAI's protocol with a tiny model, and fails as it is told to."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import torch
from inference.tiny_models import model, tokenizer


class Faults:
    """What goes wrong: for the n-th request, a status with headers, or `drop`."""

    def __init__(self) -> None:
        self.plan: dict[int, tuple[int, dict[str, str]] | str] = {}
        self.always: tuple[int, str] | None = None
        self.seen: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.counts: Counter[str] = Counter()
        self.at_once = self.most_at_once = 0
        self.scores = self.echoes = True
        self.models = ["tiny"]
        self.missing: dict[str, tuple[int, str]] = {}
        self.most_top = 1000
        self.lock = threading.Lock()


def completion(body: dict[str, Any], faults: Faults) -> dict[str, Any]:
    coder, net = tokenizer("llama"), model("llama")
    ids = coder(body["prompt"]).input_ids
    with torch.no_grad():
        scores = torch.log_softmax(net(input_ids=torch.tensor([ids])).logits[0].double(), -1)
        made = net.generate(torch.tensor([ids]), max_new_tokens=body["max_tokens"], do_sample=False, pad_token_id=0)
    text = coder.decode(made[0][len(ids) :], skip_special_tokens=True)
    choice: dict[str, Any] = {"index": 0, "text": text, "logprobs": None}
    if faults.scores and faults.echoes and body.get("echo"):
        pieces = [coder.decode([token]) for token in ids]
        offsets = [0, *(sum(map(len, pieces[1:end])) for end in range(1, len(pieces)))]
        choice["text"] = body["prompt"] + text
        choice["logprobs"] = {
            "text_offset": [*offsets, len(body["prompt"])],
            "token_logprobs": [None, *(scores[n - 1, ids[n]].item() for n in range(1, len(ids))), -9.0],
        }
    elif faults.scores and body.get("logprobs") and not body.get("echo"):
        likeliest = scores[-1].topk(min(body["logprobs"], scores.shape[-1]))
        named = zip(likeliest.indices.tolist(), likeliest.values.tolist(), strict=True)
        choice["logprobs"] = {"top_logprobs": [{coder.decode([token]): score for token, score in named}]}
    return {"choices": [choice]}


@contextmanager
def serving() -> Iterator[tuple[str, Faults]]:
    faults = Faults()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with faults.lock:
                number = len(faults.seen)
                faults.seen.append(body)
                faults.headers.append(dict(self.headers))
                faults.counts[self.path] += 1
                faults.at_once += 1
                faults.most_at_once = max(faults.most_at_once, faults.at_once)
                fault = faults.plan.get(number)
            try:
                self.reply(body, fault)
            finally:
                with faults.lock:
                    faults.at_once -= 1

        def do_GET(self) -> None:
            data = {"data": [{"id": name} for name in faults.models]}
            self.send(200, json.dumps(data).encode(), {"Content-Type": "application/json"})

        def reply(self, body: dict[str, Any], fault: tuple[int, dict[str, str]] | str | None) -> None:
            if fault == "drop":
                self.close_connection = True
                self.connection.close()
            elif isinstance(fault, tuple):
                self.send(fault[0], b"busy", fault[1])
            elif self.path in faults.missing:
                status, text = faults.missing[self.path]
                self.send(status, text.encode(), {})
            elif faults.always:
                self.send(faults.always[0], faults.always[1].encode(), {})
            elif (body.get("logprobs") or 0) > faults.most_top:
                self.send(400, b"too many logprobs", {})
            elif self.path.endswith("/chat/completions"):
                said = {"message": {"role": "assistant", "content": f" {body['messages'][0]['content'][-9:]}\nmore"}}
                self.send(200, json.dumps({"choices": [said]}).encode(), {})
            else:
                self.send(200, json.dumps(completion(body, faults)).encode(), {})

        def send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *arguments: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *arguments: object) -> None:
            pass  # the drops that tests ask for

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", faults
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
