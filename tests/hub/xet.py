"""What an upload by Xet needs: a token, xorbs (packed chunks of content) and shards (which chunks make up a file).

Formats: https://huggingface.co/docs/xet/xorb and https://huggingface.co/docs/xet/shard. Files are put together from
their chunks when a shard comes, and kept by their SHA-256, so that downloads go the ordinary way.
"""

import json
import struct
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hub.store import HubError
from hub.web import Answer, Request, readable, route, writable

if TYPE_CHECKING:
    from hub.server import Hub

WITH_VERIFICATION, WITH_METADATA = 1 << 31, 1 << 30
ENTRY = 48
"""Bytes of a header or an entry in a shard."""
BOOKEND = b"\xff" * 32
NOT_COMPRESSED, LZ4, BYTE_GROUPED_LZ4 = 0, 1, 2


@route("GET", "/api/{kind}/{repo}/xet-{access}-token/{revision}")
def token(hub: "Hub", request: Request, kind: str, repo: str, access: str, revision: str) -> Answer:
    (writable if access == "write" else readable)(hub, request, kind, repo)
    expires = int(time.time()) + 3600
    headers = {
        "X-Xet-Cas-Url": request.base,
        "X-Xet-Access-Token": hub.secret,
        "X-Xet-Token-Expiration": str(expires),
    }
    return Answer({"casUrl": request.base, "accessToken": hub.secret, "exp": expires}, headers=headers)


@route("POST", "/v1/xorbs/default/{name}")
def put_xorb(hub: "Hub", request: Request, name: str) -> Answer:
    new = name not in hub.xorbs
    hub.xorbs[name] = list(_chunks(request.body))
    return Answer({"was_inserted": new})


def _chunks(body: bytes) -> Iterator[bytes]:
    """The chunks of a xorb: each has 8 bytes of header; a footer may follow."""
    at = 0
    while at + 8 <= len(body) and body[at] == 0 and body[at : at + 7] != b"XETBLOB":
        packed = int.from_bytes(body[at + 1 : at + 4], "little")
        scheme, size = body[at + 4], int.from_bytes(body[at + 5 : at + 8], "little")
        yield _unpack(body[at + 8 : at + 8 + packed], scheme, size)
        at += 8 + packed


def _unpack(data: bytes, scheme: int, size: int) -> bytes:
    if scheme == NOT_COMPRESSED:
        return data
    import pyarrow as pa

    plain = pa.decompress(data, decompressed_size=size, codec="lz4", asbytes=True)
    if scheme == LZ4:
        return plain
    whole, at = bytearray(size), 0
    for offset in range(4):
        length = len(range(offset, size, 4))
        whole[offset::4] = plain[at : at + length]
        at += length
    return bytes(whole)


@route("POST", "/v2/shards")
def put_shard(hub: "Hub", request: Request) -> Answer:
    for segments in _files(request.body):
        chunks = []
        for xorb, first, last in segments:
            if xorb not in hub.xorbs:
                raise HubError(400, f"xorb {xorb} was not uploaded")
            chunks += hub.xorbs[xorb][first:last]
        hub.store.put(b"".join(chunks))
    return Answer(json.dumps({"type": "result", "result": 1}).encode() + b"\n")


def _files(shard: bytes) -> Iterator[list[tuple[str, int, int]]]:
    """Of each file in a shard: the xorbs, and the range of chunks of each, that make it up."""
    at = ENTRY
    while shard[at : at + 32] != BOOKEND:
        flags, count = struct.unpack_from("<II", shard, at + 32)
        at += ENTRY
        yield [_segment(shard, at + number * ENTRY) for number in range(count)]
        at += ENTRY * (count * (2 if flags & WITH_VERIFICATION else 1) + (1 if flags & WITH_METADATA else 0))


def _segment(shard: bytes, at: int) -> tuple[str, int, int]:
    _, _, first, last = struct.unpack_from("<IIII", shard, at + 32)
    name = "".join(f"{number:016x}" for number in struct.unpack_from("<QQQQ", shard, at))
    return name, first, last
