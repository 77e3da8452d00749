import pytest
from toys import BODY, corpus, names_in, pinned, tarred, zipped

from emollms.corpora.download import LocalFolder
from emollms.corpora.fetch import fetch
from emollms.errors import UsageError


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
        server.serve("all.bin", pack({"a.txt": BODY}))
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
