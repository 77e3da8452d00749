import os
import signal
import subprocess
import sys

import pytest
from toys import BODY, corpus, names_in, pinned

from emollms.corpora.download import Network
from emollms.corpora.fetch import fetch, is_complete
from emollms.retry import RetryPolicy
from emollms.storage import locked


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

    def test_after_a_drop_it_resumes_with_a_range(self, server, network, tmp_path):
        server.serve("a.txt", BODY, drops=[100_000, 50_000])
        assert not fetch(corpus(pinned("a.txt", address=server.url("a.txt"))), tmp_path, network).errors
        assert (tmp_path / "a.txt").read_bytes() == BODY
        assert [request.range for request in server.requests] == [None, "bytes=100000-", "bytes=150000-"]

    def test_a_short_answer_without_length_is_noticed(self, server, network, tmp_path):
        server.serve("a.txt", BODY, drops=[100_000], sends_length=False)
        assert not fetch(corpus(pinned("a.txt", address=server.url("a.txt"))), tmp_path, network).errors
        assert server.requests[1].range == "bytes=100000-"

    def test_a_server_without_ranges_begins_again(self, server, network, tmp_path):
        server.serve("a.txt", BODY, drops=[100_000], ranges=False)
        assert not fetch(corpus(pinned("a.txt", address=server.url("a.txt"))), tmp_path, network).errors
        assert (tmp_path / "a.txt").read_bytes() == BODY
        assert [request.range for request in server.requests] == [None, "bytes=100000-"]

    def test_a_file_that_changed_at_the_server_begins_again(self, server, network, tmp_path):
        served = server.serve("a.txt", b"x" * len(BODY), drops=[100_000] * 4)
        meta = corpus(pinned("a.txt", address=server.url("a.txt")))
        assert "gave up" in fetch(meta, tmp_path, Network(RetryPolicy(retries=0))).summary
        assert names_in(tmp_path) == ["a.txt.part"]
        served.body, served.drops = BODY, []
        assert not fetch(meta, tmp_path, network).errors
        assert (tmp_path / "a.txt").read_bytes() == BODY
        assert [request.range for request in server.requests] == [None, "bytes=100000-", None]

    def test_a_mixture_is_thrown_away_and_begun_again(self, server, network, tmp_path):
        server.serve("a.txt", BODY)
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

    @pytest.mark.parametrize(("retry_after", "wait"), [("soon", 1.0), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0)])
    def test_a_strange_retry_after_is_passed_over(self, server, network, waits, tmp_path, retry_after, wait):
        server.serve("a.txt", BODY, statuses=[(503, {"Retry-After": retry_after})])
        assert not fetch(corpus(pinned("a.txt", address=server.url("a.txt"))), tmp_path, network).errors
        assert waits == [wait]

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
        assert (len(server.requests), waits) == (4, [1.0, 2.0, 4.0])

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
            "toy: 1 file could not be got: only by hand: hand.txt; Fill in the form.; "
            "then: emollms corpora fetch toy --from DIR"
        )

    def test_progress_tells_label_bytes_and_total(self, server, tmp_path):
        told = []
        server.serve("a.txt", BODY)
        network = Network(on_progress=lambda *what: told.append(what))
        fetch(corpus(pinned("a.txt", address=server.url("a.txt"))), tmp_path, network)
        assert told[-1] == ("toy/a.txt", len(BODY), len(BODY))

    def test_a_full_disk_is_one_error(self, server, network, tmp_path):
        (tmp_path / "toy").write_text("a file where the folder should be")
        outcome = fetch(corpus(pinned("a.txt", address=server.url("a.txt"))), tmp_path / "toy", network)
        assert outcome.failed == ["a.txt"]
        assert "toy" in outcome.summary

    def test_two_processes_do_not_write_into_one_part(self, server, network, tmp_path):
        with locked(tmp_path / ".fetch.lock"):
            outcome = fetch(corpus(pinned("a.txt", address=server.url("a.txt"))), tmp_path, network)
        assert "another process is working on" in outcome.summary
        assert server.requests == []


KILLED = """
import sys
from pathlib import Path
from emollms.corpora.download import Network
from emollms.corpora.fetch import fetch
from emollms.corpora.metadata import CorpusMetadata

def tell(label, here, total):
    print(here, flush=True)

fetch(CorpusMetadata.model_validate_json(sys.argv[1]), Path(sys.argv[2]), Network(on_progress=tell))
"""


def test_killed_in_the_middle_it_leaves_a_part_and_goes_on_with_it(server, network, tmp_path):
    held = 100_000
    served = server.serve("a.txt", BODY, holds=held)
    meta = corpus(pinned("a.txt", address=server.url("a.txt")))
    command = [sys.executable, "-c", KILLED, meta.model_dump_json(), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "NO_PROXY": "127.0.0.1"}) as process:
        while int(process.stdout.readline()) < held:
            pass
        process.send_signal(signal.SIGKILL)
    assert names_in(tmp_path) == [".fetch.lock", "a.txt.part"]
    served.holds = None
    assert not fetch(meta, tmp_path, network).errors
    assert server.requests[-1].range == f"bytes={held}-"
    assert (tmp_path / "a.txt").read_bytes() == BODY
    assert names_in(tmp_path) == ["a.txt"]
