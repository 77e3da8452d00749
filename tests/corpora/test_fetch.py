import hashlib
import io
import os
import signal
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from loopback import Loopback

from emollms.corpora.download import Downloader, Patience
from emollms.corpora.fetch import fetch, is_complete, only_one
from emollms.corpora.metadata import CorpusMetadata, SourceFile
from emollms.corpora.suppliers import LocalFolder, Network
from emollms.errors import EmollmsError, UsageError

BODY = b"".join(b"%06d\n" % number for number in range(60_000))  # 420,000 bytes: several pieces


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    loopback = Loopback()
    yield loopback
    loopback.close()


@pytest.fixture
def waits():
    """The seconds that a download would have waited."""
    return []


@pytest.fixture
def network(waits):
    return Network(Downloader(patience=Patience(retries=3), sleep=waits.append))


def pinned(path, body=BODY, address=None):
    return SourceFile(path=path, sha256=hashlib.sha256(body).hexdigest(), bytes=len(body), address=address)


def corpus(*files, **more):
    return CorpusMetadata(
        name="toy",
        version="1",
        title="Toy",
        description="Made up.",
        languages=("en",),
        tasks=("V-reg",),
        splits=("train",),
        domain="none",
        licence="mit",
        redistribution="text",
        homepage="https://example.org",
        citation="@misc{toy}",
        files=files,
        **more,
    )


def names_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def zipped(members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return stream.getvalue()


def tarred(members):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, body in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return stream.getvalue()


class TestFromTheNetwork:
    def test_a_file_comes_to_its_place_and_nothing_else_is_left(self, server, network, tmp_path):
        server.serve("a.txt", BODY)
        outcome = fetch(corpus(pinned("sub/a.txt", address=server.url("a.txt"))), tmp_path / "toy", network)
        assert (outcome.fetched, outcome.errors) == (["sub/a.txt"], [])
        assert (tmp_path / "toy/sub/a.txt").read_bytes() == BODY
        assert names_in(tmp_path) == ["toy/sub/a.txt"]

    def test_a_second_fetch_sends_no_request(self, server, network, tmp_path):
        server.serve("a.txt", BODY)
        meta = corpus(pinned("a.txt", address=server.url("a.txt")))
        fetch(meta, tmp_path, network)
        outcome = fetch(meta, tmp_path, network)
        assert (outcome.fetched, outcome.kept, len(server.requests)) == ([], ["a.txt"], 1)
        assert is_complete(meta, tmp_path)

    def test_an_empty_file_is_fetched(self, server, network, tmp_path):
        server.serve("a.txt", b"")
        assert not fetch(corpus(pinned("a.txt", b"", server.url("a.txt"))), tmp_path, network).errors
        assert (tmp_path / "a.txt").read_bytes() == b""

    def test_after_a_drop_it_goes_on_with_range_and_if_range(self, server, network, tmp_path):
        server.serve("a.txt", BODY, drops=[100_000, 50_000])
        assert not fetch(corpus(pinned("a.txt", address=server.url("a.txt"))), tmp_path, network).errors
        assert (tmp_path / "a.txt").read_bytes() == BODY
        assert [request.range for request in server.requests] == [None, "bytes=100000-", "bytes=150000-"]
        assert [request.if_range for request in server.requests] == [None, '"one"', '"one"']

    def test_a_short_answer_without_length_is_noticed(self, server, network, tmp_path):
        server.serve("a.txt", BODY, drops=[100_000], sends_length=False)
        assert not fetch(corpus(pinned("a.txt", address=server.url("a.txt"))), tmp_path, network).errors
        assert server.requests[1].range == "bytes=100000-"

    def test_a_server_without_ranges_begins_again(self, server, network, tmp_path):
        server.serve("a.txt", BODY, drops=[100_000], ranges=False, etag=None)
        assert not fetch(corpus(pinned("a.txt", address=server.url("a.txt"))), tmp_path, network).errors
        assert (tmp_path / "a.txt").read_bytes() == BODY
        assert [request.range for request in server.requests] == [None, "bytes=100000-"]

    def test_a_file_that_changed_at_the_server_begins_again(self, server, network, tmp_path):
        served = server.serve("a.txt", b"x" * len(BODY), drops=[100_000] * 4)
        meta = corpus(pinned("a.txt", address=server.url("a.txt")))
        assert "gave up" in fetch(meta, tmp_path, Network(Downloader(Patience(retries=0)))).summary
        assert names_in(tmp_path) == ["a.txt.part", "a.txt.part.etag"]
        served.body, served.etag, served.drops = BODY, '"two"', []
        assert not fetch(meta, tmp_path, network).errors
        assert (tmp_path / "a.txt").read_bytes() == BODY
        assert (server.requests[-1].range, server.requests[-1].if_range) == ("bytes=100000-", '"one"')

    def test_a_mixture_without_etag_is_thrown_away_and_begun_again(self, server, network, tmp_path):
        server.serve("a.txt", BODY, etag=None)
        (tmp_path / "a.txt.part").write_bytes(b"older bytes")
        assert not fetch(corpus(pinned("a.txt", address=server.url("a.txt"))), tmp_path, network).errors
        assert [request.range for request in server.requests] == ["bytes=11-", None]
        assert names_in(tmp_path) == ["a.txt"]

    def test_a_part_that_is_too_long_is_thrown_away(self, server, network, tmp_path):
        server.serve("a.txt", BODY)
        (tmp_path / "a.txt.part").write_bytes(BODY + b"!")
        assert not fetch(corpus(pinned("a.txt", address=server.url("a.txt"))), tmp_path, network).errors
        assert server.requests[0].range is None

    def test_a_part_that_is_complete_needs_no_request(self, server, network, tmp_path):
        (tmp_path / "a.txt.part").write_bytes(BODY)
        assert not fetch(corpus(pinned("a.txt", address=server.url("a.txt"))), tmp_path, network).errors
        assert (server.requests, names_in(tmp_path)) == ([], ["a.txt"])

    def test_it_waits_as_the_server_asks_and_doubles_its_own_waits(self, server, network, waits, tmp_path):
        server.serve("a.txt", BODY, statuses=[(503, {"Retry-After": "0"}), (429, {"Retry-After": "7"}), (500, {})])
        assert not fetch(corpus(pinned("a.txt", address=server.url("a.txt"))), tmp_path, network).errors
        assert waits == [0.0, 7.0, 4.0]

    @pytest.mark.parametrize("retry_after", ["soon", "Thu, 01 Jan 1970 00:00:00 GMT"])
    def test_a_strange_retry_after_is_passed_over(self, server, network, waits, tmp_path, retry_after):
        server.serve("a.txt", BODY, statuses=[(503, {"Retry-After": retry_after})])
        assert not fetch(corpus(pinned("a.txt", address=server.url("a.txt"))), tmp_path, network).errors
        assert waits == [0.0]

    def test_a_server_that_asks_for_an_hour_is_left_alone(self, server, network, waits, tmp_path):
        server.serve("a.txt", BODY, statuses=[(429, {"Retry-After": "3600"})])
        outcome = fetch(corpus(pinned("a.txt", address=server.url("a.txt"))), tmp_path, network)
        assert "asks to wait 3600 seconds; run the command again then" in outcome.summary
        assert waits == []

    def test_tries_are_bounded(self, server, network, waits, tmp_path):
        server.serve("a.txt", BODY, statuses=[(503, {})] * 9)
        outcome = fetch(corpus(pinned("a.txt", address=server.url("a.txt"))), tmp_path, network)
        assert "gave up" in outcome.summary
        assert "after 4 tries: status 503" in outcome.summary
        assert (len(server.requests), waits) == (4, [0.0, 2.0, 4.0])

    def test_a_missing_file_is_not_tried_again_and_the_others_are_got(self, server, network, tmp_path):
        server.serve("b.txt", BODY)
        files = [pinned("a.txt", address=server.url("a.txt")), pinned("b.txt", address=server.url("b.txt"))]
        outcome = fetch(corpus(*files), tmp_path, network)
        assert (outcome.fetched, outcome.failed) == (["b.txt"], ["a.txt"])
        assert "answers 404 Not Found; see `emollms corpora show`" in outcome.summary
        assert len(server.requests) == 2

    def test_a_host_that_is_not_there_is_tried_once_for_all_files(self, server, network, waits, tmp_path):
        address = server.url("a.txt")
        server.close()
        outcome = fetch(corpus(pinned("a.txt", address=address), pinned("b.txt", address=address)), tmp_path, network)
        assert "refused" in outcome.errors[0]
        assert "could not be reached" in outcome.errors[1]
        assert len(waits) == 3

    @pytest.mark.parametrize("address", ["ftp://127.0.0.1/a", "http://", "nonsense"])
    def test_an_address_that_is_none_is_one_error(self, network, tmp_path, address):
        outcome = fetch(corpus(pinned("a.txt", address=address)), tmp_path, network)
        assert "cannot be fetched" in outcome.summary

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (b"x" * len(BODY), "SHA-256 is not"),
            (BODY + b"!", "sends more than 420,000 bytes"),
        ],
    )
    def test_wrong_bytes_never_come_to_the_place(self, server, network, tmp_path, body, message):
        server.serve("a.txt", body)
        (tmp_path / "a.txt").write_bytes(b"what the user had")
        outcome = fetch(corpus(pinned("a.txt", address=server.url("a.txt"))), tmp_path, network)
        assert message in outcome.summary
        assert names_in(tmp_path) == ["a.txt"]
        assert (tmp_path / "a.txt").read_bytes() == b"what the user had"

    def test_a_wrong_file_is_replaced_by_the_right_one_and_named(self, server, network, tmp_path):
        server.serve("a.txt", BODY)
        (tmp_path / "a.txt").write_bytes(b"what the user had")
        outcome = fetch(corpus(pinned("a.txt", address=server.url("a.txt"))), tmp_path, network)
        assert outcome.replaced == ["a.txt"]
        assert (tmp_path / "a.txt").read_bytes() == BODY

    def test_files_without_address_are_named_after_the_rest_came(self, server, network, tmp_path):
        server.serve("a.txt", BODY)
        files = [pinned("hand.txt"), pinned("a.txt", address=server.url("a.txt"))]
        outcome = fetch(corpus(*files, by_hand="Fill in the form."), tmp_path, network)
        assert outcome.fetched == ["a.txt"]
        assert outcome.summary == (
            "toy: 1 files could not be got: only by hand: hand.txt; Fill in the form.; "
            "then: emollms corpora fetch toy --from DIR"
        )

    def test_progress_tells_label_bytes_and_total(self, server, tmp_path):
        told = []
        server.serve("a.txt", BODY)
        network = Network(Downloader(progress=lambda *what: told.append(what)))
        fetch(corpus(pinned("a.txt", address=server.url("a.txt"))), tmp_path, network)
        assert told[-1] == ("toy/a.txt", len(BODY), len(BODY))

    def test_a_full_disk_is_one_error(self, server, network, tmp_path):
        (tmp_path / "toy").write_text("a file where the folder should be")
        outcome = fetch(corpus(pinned("a.txt", address=server.url("a.txt"))), tmp_path / "toy", network)
        assert outcome.failed == ["a.txt"]
        assert "toy" in outcome.summary

    def test_two_processes_do_not_write_into_one_part(self, server, network, tmp_path):
        with only_one(tmp_path):
            outcome = fetch(corpus(pinned("a.txt", address=server.url("a.txt"))), tmp_path, network)
        assert "another process is fetching into" in outcome.summary
        assert server.requests == []


@pytest.mark.parametrize("pack", [zipped, tarred])
class TestFromAnArchive:
    def test_it_is_fetched_once_for_all_its_members(self, server, network, tmp_path, pack):
        server.serve("all.bin", pack({"top/a.txt": BODY, "top/b.txt": b"b", "top/c.txt": b"not wanted"}))
        url = server.url("all.bin")
        files = [pinned("x/a.txt", address=f"{url}!top/a.txt"), pinned("b.txt", b"b", f"{url}!b.txt")]
        outcome = fetch(corpus(*files), tmp_path, network)
        assert not outcome.errors
        assert names_in(tmp_path) == ["b.txt", "x/a.txt"]
        assert len(server.requests) == 1

    def test_it_goes_on_after_a_drop(self, server, network, tmp_path, pack):
        server.serve("all.bin", pack({"a.txt": BODY}), drops=[100])
        outcome = fetch(corpus(pinned("a.txt", address=server.url("all.bin!a.txt"))), tmp_path, network)
        assert not outcome.errors
        assert [request.range for request in server.requests] == [None, "bytes=100-"]

    def test_one_that_came_whole_before_a_kill_is_used(self, server, network, tmp_path, pack):
        body = pack({"a.txt": BODY})
        server.serve("all.bin", body)
        (tmp_path / "all.bin.part").write_bytes(body)
        assert not fetch(corpus(pinned("a.txt", address=server.url("all.bin!a.txt"))), tmp_path, network).errors
        assert [request.range for request in server.requests] == [f"bytes={len(body)}-"]
        assert names_in(tmp_path) == ["a.txt"]

    def test_a_mixture_is_thrown_away_and_begun_again(self, server, network, tmp_path, pack):
        server.serve("all.bin", pack({"a.txt": BODY}), etag=None)
        (tmp_path / "all.bin.part").write_bytes(b"PK\x03\x04" + b"old bytes " * 9)
        assert not fetch(corpus(pinned("a.txt", address=server.url("all.bin!a.txt"))), tmp_path, network).errors
        assert len(server.requests) == 2

    def test_a_wrong_member_does_not_lose_the_others(self, server, network, tmp_path, pack):
        server.serve("all.bin", pack({"a.txt": b"a", "b.txt": b"x"}))
        url = server.url("all.bin")
        files = [pinned("a.txt", b"a", f"{url}!a.txt"), pinned("b.txt", b"b", f"{url}!b.txt")]
        outcome = fetch(corpus(*files), tmp_path, network)
        assert (outcome.fetched, outcome.failed) == (["a.txt"], ["b.txt"])
        assert "toy/b.txt: SHA-256 is not" in outcome.summary
        assert names_in(tmp_path) == ["a.txt"]

    @pytest.mark.parametrize("place", ["", "toy"])
    def test_it_is_found_in_a_local_folder_by_its_name(self, tmp_path, pack, place):
        (tmp_path / "from" / place).mkdir(parents=True)
        (tmp_path / "from" / place / "all data.bin").write_bytes(pack({"a.txt": BODY}))
        meta = corpus(pinned("a.txt", address="https://example.org/x/all%20data.bin?d=1!a.txt"))
        local = LocalFolder(tmp_path / "from")
        assert local.has_any(meta)
        assert not fetch(meta, tmp_path / "to", local).errors
        assert (tmp_path / "to/a.txt").read_bytes() == BODY
        assert (tmp_path / "from" / place / "all data.bin").exists()


class TestFromAFolder:
    @pytest.mark.parametrize("place", ["", "toy"])
    def test_files_are_copied(self, tmp_path, place):
        source = tmp_path / "from" / place / "sub"
        source.mkdir(parents=True)
        (source / "a.txt").write_bytes(BODY)
        outcome = fetch(corpus(pinned("sub/a.txt")), tmp_path / "to", LocalFolder(tmp_path / "from"))
        assert outcome.fetched == ["sub/a.txt"]
        assert names_in(tmp_path / "to") == ["sub/a.txt"]

    def test_the_one_that_is_right_is_taken(self, tmp_path):
        (tmp_path / "from/toy").mkdir(parents=True)
        (tmp_path / "from/toy/a.txt").write_bytes(b"x")
        (tmp_path / "from/a.txt").write_bytes(BODY)
        assert not fetch(corpus(pinned("a.txt")), tmp_path / "to", LocalFolder(tmp_path / "from")).errors

    @pytest.mark.parametrize("body", [b"", b"x", b"x" * len(BODY), BODY * 2])
    def test_wrong_files_are_not_copied(self, tmp_path, body):
        (tmp_path / "a.txt").write_bytes(body)
        outcome = fetch(corpus(pinned("a.txt")), tmp_path / "to", LocalFolder(tmp_path))
        assert "toy/a.txt: " in outcome.summary
        assert names_in(tmp_path / "to") == []

    def test_files_that_are_not_there_are_named(self, tmp_path):
        outcome = fetch(corpus(pinned("a.txt"), pinned("b.txt")), tmp_path / "to", LocalFolder(tmp_path))
        assert f"not in {tmp_path} or {tmp_path / 'toy'}: a.txt, b.txt" in outcome.summary

    def test_no_folder_is_a_wrong_call(self, tmp_path):
        with pytest.raises(UsageError, match="is no folder; --from takes"):
            LocalFolder(tmp_path / "nothing")


def test_the_lock_ends_with_its_holder(tmp_path):
    with pytest.raises(EmollmsError, match="gone"), only_one(tmp_path):
        raise EmollmsError("gone")
    with only_one(tmp_path):
        assert names_in(tmp_path) == []


KILLED = """
import sys
from pathlib import Path
from emollms.corpora.download import Downloader
from emollms.corpora.fetch import fetch
from emollms.corpora.metadata import CorpusMetadata
from emollms.corpora.suppliers import Network

def tell(label, here, total):
    if here >= 100_000:
        print("now", flush=True)

fetch(CorpusMetadata.model_validate_json(sys.argv[1]), Path(sys.argv[2]), Network(Downloader(progress=tell)))
"""


def test_killed_in_the_middle_it_leaves_a_part_and_goes_on_with_it(server, network, tmp_path):
    served = server.serve("a.txt", BODY, holds=100_000)
    meta = corpus(pinned("a.txt", address=server.url("a.txt")))
    command = [sys.executable, "-c", KILLED, meta.model_dump_json(), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "NO_PROXY": "127.0.0.1"}) as process:
        assert process.stdout.readline() == b"now\n"
        process.send_signal(signal.SIGKILL)
    assert names_in(tmp_path) == ["a.txt.part", "a.txt.part.etag"]
    served.holds = None
    assert not fetch(meta, tmp_path, network).errors
    assert server.requests[-1].range == "bytes=100000-"
    assert Path(tmp_path / "a.txt").read_bytes() == BODY
    assert names_in(tmp_path) == ["a.txt"]
