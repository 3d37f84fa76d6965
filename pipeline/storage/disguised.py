"""Archives and compressed files whose names do not tell: what their first bytes say, and what to do about them.

tar.gz        a name without a suffix but .gz, so what it holds would be read as a text
x.txt.gz.gz   compressed twice
"""

from pipeline.storage.unpacking import compression_of, compression_within

LEFT_OUT = "compressed or an archive under another name"
HEAD = 512  # bytes that tell
# By what a file begins with: what it is, and the suffix under which it would be opened; empty: there is none.
_ARCHIVES = {
    b"PK\3\4": ("a zip archive, as .docx and .xlsx are too", ".zip"),
    b"PK\5\6": ("an empty zip archive", ".zip"),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", ""),
    b"Rar!\x1a\x07": ("a rar archive", ""),
    b"\x04\x22\x4d\x18": ("compressed by lz4", ""),
}


def disguised(name: str, head: bytes) -> str:
    """What a file is that its name does not tell, and what to do; empty for what may be a text.

    Args:
        name: of the file, or of the member of an archive.
        head: its first bytes, unpacked as the name tells.
    """
    what, suffix = _kind(head)
    if not what:
        return ""
    outer = compression_of(name)
    is_read = suffix and (suffix in (".tar", ".zip") or not outer)
    advice = f"let its name end in {suffix}{outer}" if is_read else "unpack it"
    verb = "holds what is" if outer else "is"
    return f"{name} {verb} {what}, which its name does not tell: {advice}, or exclude it"


def _kind(head: bytes) -> tuple[str, str]:
    if suffix := compression_within(head, ""):
        is_text = suffix == ".bz2" and head.isascii()  # its mark is letters
        return ("", "") if is_text else (f"compressed as {suffix} files are", suffix)
    if head[257:262] == b"ustar" and b"\0" in head[:257]:
        return "a tar archive", ".tar"
    return next((kind for mark, kind in _ARCHIVES.items() if head.startswith(mark)), ("", ""))
