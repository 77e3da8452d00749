import io
import stat
import tarfile
import zipfile
from contextlib import suppress

import pytest

from emollms.corpora import archives
from emollms.corpora.archives import ArchiveError, read_member


def made_zip(path, *members):
    """A zip of (name or ZipInfo, bytes)."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members:
            archive.writestr(name, body)
    return path


def made_tar(path, *members):
    """A tar.gz of (name or TarInfo, bytes)."""
    with tarfile.open(path, "w:gz") as archive:
        for name, body in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return path


def zip_entry(name, mode):
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def tar_entry(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


both = pytest.mark.parametrize("make", [made_zip, made_tar])


@both
class TestFinding:
    def test_by_exact_path_though_others_end_in_it(self, make, tmp_path):
        path = make(tmp_path / "x", ("a.txt", b"1"), ("sub/a.txt", b"2"))
        assert read_member(path, "a.txt", 1) == b"1"

    def test_by_the_end_of_the_path(self, make, tmp_path):
        path = make(tmp_path / "x", ("top/sub/a.txt", b"1"), ("top/sub/ba.txt", b"2"), ("__MACOSX/top/._a.txt", b"3"))
        assert read_member(path, "a.txt", 1) == read_member(path, "sub/a.txt", 1) == b"1"

    def test_a_leading_dot_is_nothing(self, make, tmp_path):
        assert read_member(make(tmp_path / "x", ("./top/a.txt", b"1")), "top/a.txt", 1) == b"1"

    def test_two_that_end_so_are_named(self, make, tmp_path):
        path = make(tmp_path / "x", ("p/a.txt", b"1"), ("q/a.txt", b"2"))
        with pytest.raises(ArchiveError, match=r"x holds 2 members that end in 'a.txt': 'p/a.txt', 'q/a.txt'"):
            read_member(path, "a.txt", 1)

    def test_none_names_those_of_that_name(self, make, tmp_path):
        path = make(tmp_path / "x", ("p/A.txt", b"1"), ("q/b.txt", b"2"))
        with pytest.raises(ArchiveError, match=r"x holds no 'z/a.txt'; it has 'p/A.txt'$"):
            read_member(path, "z/a.txt", 1)

    def test_none_in_an_empty_archive(self, make, tmp_path):
        with pytest.raises(ArchiveError, match="it holds no files"):
            read_member(make(tmp_path / "x"), "a.txt", 1)

    @pytest.mark.parametrize("size", [0, 1, 3])
    def test_its_size_must_be_the_pinned_one(self, make, tmp_path, size):
        path = make(tmp_path / "x", ("a.txt", b"12"))
        with pytest.raises(ArchiveError, match=f"'a.txt' has 2 bytes instead of {size}"):
            read_member(path, "a.txt", size)


@both
class TestAttacks:
    @pytest.mark.parametrize("name", ["../a.txt", "b/../../a.txt", "/etc/a.txt", "C:/a.txt", "..\\a.txt"])
    def test_a_path_that_leads_out_closes_the_archive(self, make, tmp_path, name):
        path = make(tmp_path / "x", ("good.txt", b"1"), (name, b"2"))
        with pytest.raises(ArchiveError, match="leads out of the archive; it is not opened"):
            read_member(path, "good.txt", 1)

    def test_a_bomb_is_not_opened(self, make, tmp_path, monkeypatch):
        monkeypatch.setattr(archives, "FLOOR", 1 << 20)
        path = make(tmp_path / "x", ("good.txt", b"1"), ("zeros", bytes(8 << 20)))
        with pytest.raises(ArchiveError, match="would unpack to more than 1,048,576 bytes"):
            read_member(path, "good.txt", 1)

    def test_an_archive_in_it_is_a_file_like_any_other(self, make, tmp_path):
        inner = make(tmp_path / "inner.zip", ("a.txt", b"1")).read_bytes()
        path = make(tmp_path / "x", ("inner.zip", inner))
        assert read_member(path, "inner.zip", len(inner)) == inner
        with pytest.raises(ArchiveError, match=r"holds no 'a\.txt'"):
            read_member(path, "a.txt", 1)

    def test_a_cut_archive_is_one_error(self, make, tmp_path):
        path = make(tmp_path / "x", ("a.txt", bytes(range(256)) * 64))
        path.write_bytes(path.read_bytes()[:-40])
        with pytest.raises(ArchiveError, match=r"x (cannot be read|holds no)"):
            read_member(path, "a.txt", 256 * 64)

    def test_flipped_bytes_raise_nothing_but_archive_errors(self, make, tmp_path):
        good = make(tmp_path / "x", ("a.txt", b"some text " * 20)).read_bytes()
        for at in range(4, len(good)):
            (tmp_path / "x").write_bytes(good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :])
            with suppress(ArchiveError):
                assert len(read_member(tmp_path / "x", "a.txt", 200)) <= 201


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_of_a_zip_are_no_files(tmp_path, mode):
    path = made_zip(tmp_path / "x.zip", (zip_entry("a.txt", mode | 0o644), b"/etc/passwd"))
    with pytest.raises(ArchiveError, match=r"'a\.txt' is a link, a device or a folder, not a file"):
        read_member(path, "a.txt", 11)


@pytest.mark.parametrize(
    "type_", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
)
def test_links_devices_and_folders_of_a_tar_are_no_files(tmp_path, type_):
    path = made_tar(tmp_path / "x.tar.gz", (tar_entry("a.txt", type_, "/etc/passwd"), b""))
    with pytest.raises(ArchiveError, match=r"'a\.txt' is a link, a device or a folder, not a file"):
        read_member(path, "a.txt", 0)


def test_a_zip_that_lies_about_its_size_is_cut(tmp_path):
    path = made_zip(tmp_path / "x.zip", ("a.txt", b"a" * 1000))
    lie = path.read_bytes().replace((1000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(lie)
    with pytest.raises(ArchiveError, match=r"cannot be read: Bad CRC-32"):
        read_member(path, "a.txt", 10)


def test_a_long_name_that_would_fill_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "FLOOR", 1 << 20)
    path = made_tar(tmp_path / "x.tar.gz", (tar_entry("a.txt", tarfile.GNUTYPE_LONGNAME), b"n" * (4 << 20)))
    with pytest.raises(ArchiveError, match="would unpack to more than"):
        read_member(path, "a.txt", 1)


def test_an_encrypted_member_is_one_error(tmp_path):
    path = made_zip(tmp_path / "x.zip", ("a.txt", b"1"))
    body = bytearray(path.read_bytes())
    body[6] |= 1
    body[body.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(body)
    with pytest.raises(ArchiveError, match=r"cannot be read: .*encrypted"):
        read_member(path, "a.txt", 1)


@pytest.mark.parametrize("body", [b"", b"<html>log in</html>", b"PK\x03\x04", b"\x1f\x8b", b"PK"])
def test_what_is_no_archive_is_one_error(tmp_path, body):
    (tmp_path / "x.zip").write_bytes(body)
    with pytest.raises(ArchiveError, match=r"^x.zip (is neither|cannot be read)"):
        read_member(tmp_path / "x.zip", "a.txt", 1)
