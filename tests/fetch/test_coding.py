"""Content codings: undone in small steps, told apart from what they are not, and never trusted with memory."""

from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import Callable

import brotli
import pytest

from scraper.fetch.coding import MOST_CODINGS, STEP, Decoder, decoder
from scraper.fetch.failures import Refused

# The standard library's, or the package that urllib3's extra installs where there is none.
try:
    from compression import zstd
except ImportError:
    from backports import zstd

LIMIT = 1 << 24
TEXT = b"<p>Some words, and then some more.</p>\n" * 2000

#: Bytes that no coding makes shorter.
NOISE = random.Random(1).randbytes(300_000)

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def deflated(data: bytes, wbits: int) -> bytes:
    """Deflate with a zlib (15) or gzip (31) wrapper or with none (-15)."""
    packer = zlib.compressobj(9, wbits=wbits)
    return packer.compress(data) + packer.flush()


def zlib_wrapped(data: bytes) -> bytes:
    """What "deflate" ought to be."""
    return deflated(data, 15)


def bare(data: bytes) -> bytes:
    """What "deflate" often is."""
    return deflated(data, -15)


ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib_wrapped,
    "br": brotli.compress,
    "zstd": zstd.compress,
}

#: Each coding that a body may have, as (header, encode).
FORMS = [*ENCODERS.items(), ("deflate", bare)]
each_form = pytest.mark.parametrize(("coding", "encode"), FORMS, ids=["gzip", "deflate", "br", "zstd", "bare deflate"])
each_coding = pytest.mark.parametrize(("coding", "encode"), ENCODERS.items(), ids=ENCODERS)


def made(header: str, limit: int = LIMIT) -> Decoder:
    """The decoder for a header that names codings."""
    found = decoder(header, limit)
    assert found is not None
    return found


def decoded(header: str, data: bytes, size: int = 1 << 16) -> bytes:
    """A whole body that comes in pieces of `size` bytes, and is complete."""
    under_test = made(header)
    pieces = [piece for at in range(0, len(data), size) for piece in under_test.decode(data[at : at + size])]
    assert under_test.is_complete
    return b"".join(pieces)


def refused(header: str, data: bytes) -> Refused:
    """Why a body is not decoded."""
    with pytest.raises(Refused) as caught:
        decoded(header, data)
    return caught.value


def quickly(data: bytes) -> bytes:
    """br, as well as is needed for data that are all the same."""
    return brotli.compress(data, quality=3)


#: A little that stands for as much as `BOMB` says, in each coding.
BOMB = 1 << 26
BOMBS = {coding: (quickly if coding == "br" else encode)(bytes(BOMB)) for coding, encode in ENCODERS.items()}


# What comes out


@each_form
@pytest.mark.parametrize("size", [1, 7, 16384, 1 << 20])
@pytest.mark.parametrize("data", [b"", b"x", TEXT, NOISE, TEXT[:STEP], bytes(STEP * 3)], ids=range(6))
def test_decodes(coding: str, encode: Callable[[bytes], bytes], size: int, data: bytes) -> None:
    """Whatever the data, and in whatever pieces they come."""
    coded = encode(data)
    assert decoded(coding, coded, size if len(coded) < 10_000 else max(size, 1000)) == data


@pytest.mark.parametrize("size", range(STEP - 3, STEP + 260, 13))
@each_form
def test_nothing_stays_behind_at_the_end_of_a_step(coding: str, encode: Callable[[bytes], bytes], size: int) -> None:
    """A decoder may have taken all there is and still have something to give."""
    assert decoded(coding, encode(b"ab" * (size // 2)), 5) == b"ab" * (size // 2)


@pytest.mark.parametrize(
    "names", ["gzip, br", "br,gzip", "zstd, deflate", "gzip, gzip", "gzip, br, zstd, deflate, gzip"]
)
@pytest.mark.parametrize("data", [b"", TEXT, NOISE], ids=["nothing", "text", "noise"])
def test_chains(names: str, data: bytes) -> None:
    """A header names codings in the order in which they were applied (RFC 9110 §8.4)."""
    coded = data
    for name in names.split(","):
        coded = ENCODERS[name.strip()](coded)
    assert decoded(names, coded) == decoded(names, coded, 9) == data


@pytest.mark.parametrize(
    "header", ["gzip", "x-gzip", "GZIP", " gzip ", "gzip,", ", gzip", "identity, gzip", "gzip, identity", "X-GZip,,"]
)
def test_spellings(header: str) -> None:
    """Case, space and empty elements of the list do not matter (RFC 9110 §5.6.1.2)."""
    assert decoded(header, gzip.compress(TEXT)) == TEXT


@pytest.mark.parametrize("header", [None, "", " ", ",", "identity", "Identity , identity"])
def test_no_coding(header: str | None) -> None:
    """Nothing to be undone."""
    assert decoder(header, LIMIT) is None


@pytest.mark.parametrize("header", [*ENCODERS, "x-gzip", "gzip, br", "zstd, deflate, gzip"])
def test_empty_body(header: str) -> None:
    """A body of no bytes is complete in any coding: servers name one for those as well."""
    assert decoded(header, b"") == b""


# What is refused


@pytest.mark.parametrize("header", ["compress", "utf-8", "gzip, x-unknown", "gzip;q=1", "gzip br", "\x1b[31m"])
def test_unknown_coding(header: str) -> None:
    """A coding that nobody asked for is the server's mistake; the message shows it harmlessly."""
    with pytest.raises(Refused, match=r"content coding '.*' is not known") as caught:
        decoder(header, LIMIT)
    assert caught.value.kind == "bad_encoding"
    assert str(caught.value).isprintable()


def test_too_many_codings() -> None:
    """Five are decoded, six are not even begun."""
    coded = TEXT
    for _ in range(MOST_CODINGS):
        coded = gzip.compress(coded)
    assert decoded(", ".join(["gzip"] * MOST_CODINGS), coded) == TEXT
    with pytest.raises(Refused, match="6 content codings, more than 5") as caught:
        decoder(", ".join(["gzip"] * 6), LIMIT)
    assert caught.value.kind == "bad_encoding"


@pytest.mark.parametrize("coding", ENCODERS)
@pytest.mark.parametrize("data", [b"<html>not compressed at all", b"\xff" * 50])
def test_something_else(coding: str, data: bytes) -> None:
    """A body that is not coded as the header says."""
    assert refused(coding, data).kind == "bad_encoding"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_goes_bad(coding: str) -> None:
    """A byte was changed on the way; br knows no checksum, and zstd need not have one."""
    coded = bytearray(ENCODERS[coding](NOISE))
    coded[5000] ^= 1
    error = refused(coding, bytes(coded))
    assert error.kind == "bad_encoding"
    assert str(error).startswith(f"the body is not what Content-Encoding says, {coding}: ")


@pytest.mark.parametrize("position", [-1, -8])
def test_gzip_checks(position: int) -> None:
    """Length and checksum are looked at (RFC 1952 §2.3.1)."""
    coded = bytearray(gzip.compress(TEXT))
    coded[position] ^= 1
    assert refused("gzip", bytes(coded)).kind == "bad_encoding"


@each_form
def test_cut(coding: str, encode: Callable[[bytes], bytes]) -> None:
    """Wherever a body is cut, it is not complete."""
    coded = encode(TEXT)
    for end in [*range(1, min(len(coded), 40)), *range(len(coded) - 9, len(coded))]:
        under_test = made(coding)
        list(under_test.decode(coded[:end]))
        assert not under_test.is_complete, end


@pytest.mark.parametrize("outer", ENCODERS)
@each_coding
def test_cut_within_a_chain(coding: str, encode: Callable[[bytes], bytes], outer: str) -> None:
    """A body that was cut before it was coded once more, or after that, is not complete."""
    inside = ENCODERS[outer](encode(TEXT)[:-1])
    outside = ENCODERS[outer](encode(TEXT))[:-1]
    for coded in (inside, outside):
        under_test = made(f"{coding}, {outer}")
        list(under_test.decode(coded))
        assert not under_test.is_complete


# gzip as servers send it


@pytest.mark.parametrize("size", [1, 3, 1 << 16])
def test_gzip_members(size: int) -> None:
    """Members follow each other (RFC 1952 §2.2), empty ones too."""
    coded = gzip.compress(TEXT) + gzip.compress(b"") + gzip.compress(b"end")
    assert decoded("gzip", coded, size) == TEXT + b"end"


@pytest.mark.parametrize("size", [1, 1 << 16])
@pytest.mark.parametrize(
    "garbage",
    [
        b"\0",
        b"\n",
        b"\0" * 20_000,
        b"<!-- cached -->",
        b"\x1f\x00",
        b"\x1f\x8bxyz",
        b"\x1f\x8b\x08" + b"\0" * 7 + b"\xff" * 9,
    ],
)
def test_garbage_behind_gzip(garbage: bytes, size: int) -> None:
    """What follows and is no member is ignored."""
    assert decoded("gzip", gzip.compress(TEXT) + garbage, size) == TEXT
    assert decoded("gzip", gzip.compress(TEXT) + gzip.compress(TEXT) + garbage, size) == TEXT * 2


def test_a_later_member_goes_bad() -> None:
    """A member that has given something is no garbage."""
    coded = bytearray(gzip.compress(TEXT) + gzip.compress(NOISE))
    coded[-1] ^= 1
    assert refused("gzip", bytes(coded)).kind == "bad_encoding"


def test_a_later_member_is_cut() -> None:
    """A member that has begun has to end."""
    under_test = made("gzip")
    list(under_test.decode(gzip.compress(TEXT) + gzip.compress(TEXT)[:-4]))
    assert not under_test.is_complete


def test_garbage_behind_deflate() -> None:
    """Ignored likewise, whether it comes at once or later."""
    for encode in (zlib_wrapped, bare):
        assert decoded("deflate", encode(TEXT) + b"\n\0", 1) == decoded("deflate", encode(TEXT) + b"\n\0") == TEXT


# zstd


@pytest.mark.parametrize("size", [1, 1 << 16])
def test_zstd_frames(size: int) -> None:
    """Frames follow each other, and some are to be skipped (RFC 8878 §3.1)."""
    skipped = b"\x50\x2a\x4d\x18\x05\0\0\0Hello"
    coded = skipped + zstd.compress(TEXT) + zstd.compress(b"") + skipped + zstd.compress(b"end")
    assert decoded("zstd", coded, size) == TEXT + b"end"


def test_zstd_windows() -> None:
    """8 MiB are allowed, as browsers do; twice that is not (RFC 9659 §3)."""

    def with_window(log: int) -> bytes:
        level, window = zstd.CompressionParameter.compression_level, zstd.CompressionParameter.window_log
        packer = zstd.ZstdCompressor(options={level: 1, window: log})
        return packer.compress(TEXT) + packer.flush()

    assert decoded("zstd", with_window(23)) == TEXT
    error = refused("zstd", with_window(24))
    assert (error.kind, "memory" in str(error)) == ("bad_encoding", True)


# Bombs


@pytest.mark.parametrize("coding", BOMBS)
def test_steps_are_small(coding: str) -> None:
    """However much one piece of a body stands for, it comes in small steps."""
    steps = [len(piece) for piece in made(coding).decode(BOMBS[coding])]
    assert sum(steps) == BOMB
    assert max(steps) <= 2 * STEP


def test_a_bomb_within_a_bomb() -> None:
    """The first step of a chain does not wait for what the rest stands for."""
    coded = gzip.compress(gzip.compress(gzip.compress(bytes(1 << 26), 9), 9), 9)
    steps = made("gzip, gzip, gzip").decode(coded)
    got = sum(len(next(steps)) for _ in range(100))
    assert 0 < got <= 100 * STEP


@pytest.mark.parametrize("outer", ENCODERS)
def test_a_bomb_that_gives_nothing(outer: str) -> None:
    """What is decoded on the way counts, too: else a little could stand for endless work and no page."""
    nothing = ENCODERS[outer](gzip.compress(b"") * 100_000)
    with pytest.raises(Refused, match=r"more than .* bytes before it is decoded") as caught:
        assert not any(made(f"gzip, {outer}", 1 << 20).decode(nothing))
    assert caught.value.kind == "body_too_large"


@pytest.mark.parametrize(("coding", "nothing"), [("gzip", gzip.compress(b"")), ("zstd", zstd.compress(b""))])
def test_coded_bytes_count(coding: str, nothing: bytes) -> None:
    """So do those that came over the wire; there is a step after each member, in which the clock can be looked at."""
    with pytest.raises(Refused) as caught:
        assert not any(made(coding, 1 << 16).decode(nothing * 20_000))
    assert caught.value.kind == "body_too_large"
    assert len(list(made(coding).decode(nothing * 1000))) >= 1000


def test_a_body_that_coding_makes_longer() -> None:
    """What cannot be made shorter grows a little; a body within the limit still is."""
    for coding, encode in ENCODERS.items():
        assert b"".join(made(coding, len(NOISE)).decode(encode(NOISE))) == NOISE


# The memory that decoding takes


@pytest.mark.parametrize(("coding", "window"), [("gzip", 1 << 15), ("deflate", 1 << 15), ("zstd", 1 << 23)])
def test_held_grows_with_the_window(coding: str, window: int) -> None:
    """A decoder keeps what it may look back on: little at first, never more than its window."""
    under_test = made(coding)
    at_first = under_test.held
    assert 0 < at_first < 4 << 20
    steps = under_test.decode(BOMBS[coding])
    next(steps)
    assert under_test.held <= at_first + 2 * STEP
    assert sum(map(len, steps)) > window
    assert under_test.held == at_first + window


@pytest.mark.parametrize("log", range(10, 25))
def test_held_by_brotli(log: int) -> None:
    """It may fill its window before it gives a byte, so that counts before: an empty step comes first."""
    packer = brotli.Compressor(quality=5, lgwin=log)
    coded = packer.process(bytes(1 << 20)) + packer.finish()
    under_test = made("br")
    at_first = under_test.held
    assert 0 < at_first < 4 << 20
    steps = under_test.decode(coded)
    assert next(steps) == b""
    assert under_test.held == at_first + (1 << log)
    assert sum(map(len, steps)) == 1 << 20
    assert under_test.held == at_first + (1 << log)


def test_held_by_a_chain() -> None:
    """All the decoders of a chain count."""
    chain = made("br, zstd, gzip")
    assert chain.held == sum(made(name).held for name in ("br", "zstd", "gzip"))
    list(chain.decode(gzip.compress(zstd.compress(BOMBS["br"]))))
    assert chain.held > 4 << 20
