"""An archive gives all that it holds, or is refused by name: never a part of it without a word."""

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pytest

from schemas.errors import StorageError
from tests.storage.reading import by_name, documents, left_out, settings, texts


def zstd(data: bytes) -> bytes:
    packed: bytes = pa.compress(data, "zstd", asbytes=True)
    return packed


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstd,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
}
FILES = {f"d/{n}.txt": f"this is document {n}, a line of text\n" for n in range(6)}


def tar_of(files: dict[str, str], *others: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
        for other in others:
            tar.addfile(other)
    return buffer.getvalue()


def zip_of(files: dict[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def other_member(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


TARS = [("src.tar", bytes), ("src.tgz", gzip.compress)]
TARS += [(f"src.tar.{suffix}", pack) for suffix, pack in PACKERS.items()]


@pytest.mark.parametrize(("name", "pack"), TARS, ids=[name for name, _ in TARS])
@pytest.mark.parametrize("place", ["named", "upper", "folder", "in a zip", "in a tar"])
def test_every_kind_of_archive_is_opened_wherever_it_stands(
    tmp_path: Path, name: str, pack: Callable[[bytes], bytes], place: str
) -> None:
    data, file = pack(tar_of(FILES)), tmp_path / "in" / name
    file.parent.mkdir()
    if place == "upper":
        file = file.with_name(name.upper())
    outer = {"in a zip": "outer.ZIP", "in a tar": "outer.tar.gz"}.get(place)
    if outer == "outer.ZIP":
        file.with_name(outer).write_bytes(zip_of({name: data}))
    elif outer:
        with tarfile.open(file.with_name(outer), "w:gz") as tar:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    else:
        file.write_bytes(data)
    above = f"{outer}/{name}" if outer else file.name
    found = by_name(settings(tmp_path if place == "folder" else file.with_name(outer or file.name)))
    prefix = f"in/{above}" if place == "folder" else above
    assert {document.removeprefix("in/") for document in found} == {
        f"{prefix.removeprefix('in/')}/{n}" for n in FILES
    }
    assert sorted(found.values()) == sorted(FILES.values())


@pytest.mark.parametrize("name", ["src.zip", "SRC.ZIP", "lib.jar", "a.whl"])
def test_a_zip_gives_every_member_wherever_it_stands(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(zip_of(dict(FILES)))
    for pattern in (tmp_path, tmp_path / name, tmp_path / "*"):
        assert sorted(texts(settings(pattern))) == sorted(FILES.values())
    (tmp_path / name).write_bytes(gzip.compress(zip_of(dict(FILES))))
    (tmp_path / name).rename(tmp_path / f"{name}.gz")
    assert sorted(texts(settings(tmp_path))) == sorted(FILES.values())


def test_masks_say_which_archives_in_a_folder_are_opened(tmp_path: Path) -> None:
    (tmp_path / "src.zip").write_bytes(
        zip_of({"a.java": "a\n", "b.txt": "b\n", "c.java.gz": gzip.compress(b"c\n")})
    )
    assert texts(settings(tmp_path, include=["*.java"])) == []
    assert texts(settings(tmp_path, include=["*.java", "*.zip"])) == ["a\n", "c\n"]
    assert texts(settings(tmp_path / "*.[z]ip", include=["*.java", "*.zip"])) == ["a\n", "c\n"]
    assert texts(settings(tmp_path, exclude=["*.zip"])) == []


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_compressed_file_that_was_cut_or_changed_is_refused(tmp_path: Path, suffix: str) -> None:
    whole_text = "".join(f"{n * 7919:x} some words\n" for n in range(2000))
    whole = PACKERS[suffix](whole_text.encode())
    file = tmp_path / f"a.txt.{suffix}"
    text = settings(file)
    for share in range(0, 100, 7):
        file.write_bytes(whole[: len(whole) * share // 100])
        with pytest.raises(StorageError, match=r"cannot read .*a\.txt"):
            documents(text)
    if suffix not in ("lzma", "zst"):  # which have no checksum, or need not have one
        for place in range(8, len(whole), len(whole) // 40):
            changed = bytearray(whole)
            changed[place] ^= 16
            file.write_bytes(changed)
            with suppress(StorageError):
                assert texts(text) == [whole_text]


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz", "zst"])
def test_several_compressed_streams_are_one_file(tmp_path: Path, suffix: str) -> None:
    """As pbzip2, pigz and zstd -T write: 2,000 of them are no deeper than two."""
    parts = [f"part {n}\n".encode() for n in range(2000)]
    packed = [PACKERS[suffix](part) for part in parts]
    file = tmp_path / f"a.txt.{suffix}"
    file.write_bytes(b"".join(packed))
    assert texts(settings(file)) == [b"".join(parts).decode()]
    damaged = bytearray(b"".join(packed[:3]))
    damaged[len(packed[0]) + len(packed[1])] ^= 1  # the first byte of the last stream
    for wrong in (bytes(damaged), b"".join(packed[:3])[:-9], packed[0] + b"and no more\n"):
        file.write_bytes(wrong)
        with pytest.raises(StorageError, match="cannot read"):
            documents(settings(file))


def test_zeros_after_a_compressed_stream_are_padding(tmp_path: Path) -> None:
    for suffix in ("gz", "bz2", "xz"):
        (tmp_path / f"{suffix}.txt.{suffix}").write_bytes(PACKERS[suffix](b"text\n") + bytes(512))
    assert texts(settings(tmp_path)) == ["text\n"] * 3


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress], ids=["tar", "gz", "bz2"])
def test_a_tar_that_is_cut_anywhere_is_refused(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    whole = tar_of(FILES)
    file = tmp_path / "src.tar"
    for stop in range(0, 6 * 1024 + 1, 256):  # two blocks a member: half of the cuts lie between two members
        file.write_bytes(pack(whole[:stop]))
        with pytest.raises(StorageError, match=r"cannot read .*src\.tar"):
            documents(settings(file))


def test_a_damaged_header_is_refused_wherever_it_is(tmp_path: Path) -> None:
    whole = tar_of(FILES)
    for member in range(6):
        for place in (0, 150, 156, 257):
            damaged = bytearray(whole)
            damaged[member * 1024 + place] ^= 1
            (tmp_path / "src.tar").write_bytes(damaged)
            with pytest.raises(StorageError, match=r"cannot read .*src\.tar"):
                documents(settings(tmp_path / "src.tar"))


def test_what_follows_the_end_of_a_tar_is_read_or_refused(tmp_path: Path) -> None:
    """As of `cat a.tar b.tar`, and of a header that has become zeros."""
    file = tmp_path / "src.tar"
    file.write_bytes(tar_of(FILES) + tar_of({"more.txt": "and more\n"}))
    assert texts(settings(file)) == [*FILES.values(), "and more\n"]
    zeroed = bytearray(tar_of(FILES))
    zeroed[2048:2560] = bytes(512)
    file.write_bytes(zeroed)
    with pytest.raises(StorageError, match="damaged at byte 2,560"):
        documents(settings(file))


def test_two_zips_in_one_file_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "src.zip"
    file.write_bytes(zip_of(dict(FILES)) + zip_of({"more.txt": "and more\n"}))
    with pytest.raises(StorageError, match=r"src\.zip holds more than its list of files says"):
        documents(settings(file))
    file.write_bytes(b"#!/bin/sh\nexit\n" + zip_of({"more.txt": "and more\n"}))
    assert texts(settings(file)) == ["and more\n"]


def test_a_zip_that_goes_on_after_its_end_is_refused(tmp_path: Path) -> None:
    """As one to which a line was appended; zeros are padding, as in other archives."""
    buffer, file = io.BytesIO(zip_of({"a.txt": "a\n"})), tmp_path / "src.zip"
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = b"a comment"
    commented = buffer.getvalue()
    for whole in (zip_of({"a.txt": "a\n"}), commented):
        for padding in (b"", bytes(16)):
            file.write_bytes(whole + padding)
            assert texts(settings(file)) == ["a\n"]
        for rest, told in (
            (b"trailing garbage", "for 16 bytes"),
            (b"\0\n", "for 2 bytes"),
            (b"P" * 999, "for 999"),
        ):
            file.write_bytes(whole + rest)
            with pytest.raises(StorageError, match=rf"src\.zip goes on after its end, {told}"):
                documents(settings(file))
    (tmp_path / "outer.zip").write_bytes(zip_of({"src.zip": commented + b"x"}))
    with pytest.raises(StorageError, match=r"outer\.zip/src\.zip goes on after its end"):
        documents(settings(tmp_path / "outer.zip"))
    file.write_bytes(commented[:-1])
    with pytest.raises(StorageError, match="its comment is cut short"):
        documents(settings(file))
    (tmp_path / "src.tar").write_bytes(tar_of(FILES) + b"x")
    with pytest.raises(StorageError, match=r"cannot read .*src\.tar"):
        documents(settings(tmp_path / "src.tar"))


def test_an_encrypted_member_is_told_by_its_name(tmp_path: Path) -> None:
    locked = bytearray(zip_of({"a.txt": "a\n"}))
    locked[6] |= 1
    locked[locked.index(b"PK\1\2") + 8] |= 1
    (tmp_path / "src.zip").write_bytes(locked)
    with pytest.raises(
        StorageError, match=r"^src\.zip/a\.txt is encrypted: unpack it with its password, or exclude"
    ):
        documents(settings(tmp_path / "src.zip"))
    assert texts(settings(tmp_path / "src.zip", exclude=["a.*"])) == []


def test_a_flipped_bit_in_a_zip_is_refused(tmp_path: Path) -> None:
    whole, file = zip_of(dict(FILES)), tmp_path / "src.zip"
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 4
        file.write_bytes(changed)
        with suppress(StorageError):
            assert sorted(texts(settings(file))) == sorted(FILES.values())  # as where a date has changed


def test_hard_links_have_the_text_of_what_they_link_to(tmp_path: Path) -> None:
    """Also where the mask keeps only the link, and of a link to a link."""
    links = [other_member("link.md", tarfile.LNKTYPE, "d/1.txt"), other_member("2.md", tarfile.LNKTYPE, "link.md")]
    for name, pack in (("src.tar", bytes), ("src.tar.gz", gzip.compress)):
        (tmp_path / name).write_bytes(pack(tar_of(FILES, *links)))
        assert by_name(settings(tmp_path / name, include=["*.md"])) == {
            f"{name}/link.md": FILES["d/1.txt"],
            f"{name}/2.md": FILES["d/1.txt"],
        }
        assert len(texts(settings(tmp_path / name))) == 8
    (tmp_path / "outer.zip").write_bytes(zip_of({"src.tar": tar_of(FILES, *links)}))
    assert len(texts(settings(tmp_path / "outer.zip"))) == 8
    (tmp_path / "src.tar").write_bytes(tar_of(FILES, other_member("a.md", tarfile.LNKTYPE, "gone.txt")))
    with pytest.raises(
        StorageError, match=r"src\.tar/a\.md is a link to gone\.txt, which the archive does not hold"
    ):
        documents(settings(tmp_path / "src.tar"))


def test_what_is_no_file_in_an_archive_is_left_out_and_told(tmp_path: Path) -> None:
    others = [
        other_member("s", tarfile.SYMTYPE, "d/1.txt"),
        other_member("pipe", tarfile.FIFOTYPE),
        other_member("e", tarfile.DIRTYPE),
    ]
    (tmp_path / "src.tar").write_bytes(tar_of(FILES, *others))
    assert left_out(settings(tmp_path)) == ["linked within an archive", "not a regular file"]
    link = zipfile.ZipInfo("s.txt")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "src.zip", "w") as archive:
        archive.writestr(link, "../a.txt")
    assert left_out(settings(tmp_path / "src.zip")) == ["linked within an archive"]


def test_a_mac_s_own_members_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    members = {"a.txt": "a\n", "__MACOSX/._a.txt": "mac\n", "d/._b.txt": "mac\n", "__MACOSX/c.txt": "mac\n"}
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "src.zip").write_bytes(zip_of(dict(members)))
    (tmp_path / "in" / "src.tar.gz").write_bytes(gzip.compress(tar_of(members)))
    (tmp_path / "in" / "._a.txt").write_text("mac\n")
    for pattern in (tmp_path / "in", tmp_path / "in" / "*"):
        assert texts(settings(pattern)) == ["a\n", "a\n"]
        assert left_out(settings(pattern)) == ["attributes of files on a Mac (._name)"] * 7
    asked = settings(tmp_path / "in" / "src.zip", include=["._*", "*/__MACOSX/c.*"])
    assert texts(asked) == ["mac\n"] * 3


def test_archives_that_nothing_opens_are_refused_by_name(tmp_path: Path) -> None:
    for name in ("a.7z", "a.RAR", "a.tar.lz4"):
        (tmp_path / name).write_bytes(b"7z\xbc\xaf\x27\x1c")
        with pytest.raises(StorageError, match=rf"{name} is an archive of a kind that is not read: unpack it"):
            documents(settings(tmp_path / name, not_utf8="replace"))
        (tmp_path / name).unlink()


def test_a_tar_is_unpacked_by_what_it_begins_with(tmp_path: Path) -> None:
    """A browser may have unpacked a .tar.gz, and kept its name; a file's name may look like a mark."""
    (tmp_path / "src.tar.gz").write_bytes(tar_of({"BZh91.txt": "a\n"}))
    (tmp_path / "src.tar").write_bytes(gzip.compress(tar_of({"BZh91.txt": "b\n"})))
    assert texts(settings(tmp_path)) == ["b\n", "a\n"]


def test_archives_that_hold_themselves_come_to_an_end(tmp_path: Path) -> None:
    data = b"x\n"
    for _ in range(10):
        data = zip_of({"a.zip": data})
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(StorageError, match="lies in more than 8 archives"):
        documents(settings(tmp_path / "a.zip"))
