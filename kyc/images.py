"""Makes a safe picture of whatever was uploaded: recognised by its first bytes, opened within limits, drawn anew as a JPEG.

What is kept is pixels alone: metadata (where and with what it was taken), comments, colour profiles, further frames, and
anything that hides before, behind or between (a zip after the picture, a page in a comment) are not copied. Pure.
What must never happen here: bytes of the upload in what is returned, a decoder chosen by the file's name or declared type, or
a picture that is unpacked before its size is known to be bearable.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageOps

from exchange.core.errors import InvalidRequest

BYTES_MAX = 10 * 1024 * 1024
PIXELS_MAX = 50_000_000
SIDE_MIN, SIDE_MAX = 300, 12_000
KEPT_SIDE_MAX = 4_000  # fine print on a card or a bill stays readable
QUALITY = 88
AT_ONCE = 2  # pictures that a process unpacks at a time: each may take a few hundred megabytes for a moment
_PLACES = threading.BoundedSemaphore(AT_ONCE)

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
)
_WORDS: tuple[tuple[bytes, str], ...] = (
    (
        b"%PDF",
        "PDF files are not taken, because they can hold more than a page. Take a photo or a screenshot of the page.",
    ),
    (b"GIF8", "GIF pictures are not taken. Send a JPEG or a PNG."),
    (b"II*\x00", "TIFF pictures are not taken. Send a JPEG or a PNG."),
    (b"MM\x00*", "TIFF pictures are not taken. Send a JPEG or a PNG."),
    (b"BM", "BMP pictures are not taken. Send a JPEG or a PNG."),
    (b"PK\x03\x04", "This is an archive or an office document. Send a photo of the page as a JPEG or a PNG."),
)
_NOT_A_PICTURE = "This is not a picture that we can read. Send a JPEG, PNG or WebP."


class PictureTooLarge(InvalidRequest):
    """More bytes than are taken."""

    code = "picture_too_large"
    status = 413


class PictureRefused(InvalidRequest):
    """Another kind of file than a JPEG, PNG or WebP."""

    code = "picture_type"


class PictureUnreadable(InvalidRequest):
    """It begins like a picture and is none, or is damaged."""

    code = "picture_unreadable"


class PictureSize(InvalidRequest):
    """Too many pixels to be safe, or too few to be read."""

    code = "picture_size"


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG of ours and its size."""

    data: bytes
    width: int
    height: int


def too_large() -> PictureTooLarge:
    return PictureTooLarge(f"A picture has at most {BYTES_MAX // 1024 // 1024} MB.", param="picture")


def clean(data: bytes) -> Picture:
    """The picture in `data`, drawn anew. Raises PictureTooLarge, PictureRefused, PictureUnreadable, PictureSize."""
    if len(data) > BYTES_MAX:
        raise too_large()
    kind = sniff(data)
    with _PLACES:
        try:
            return _drawn(data, kind)
        except Image.DecompressionBombError:
            raise _size() from None
        except InvalidRequest:
            raise
        except Exception:  # a decoder raises what it likes at bytes that somebody made up
            raise PictureUnreadable("This picture is damaged. Take it again.", param="picture") from None


def sniff(data: bytes) -> str:
    """Which of the three it is, by its first bytes; raises PictureRefused with a word about what it is."""
    for start, kind in _SIGNATURES:
        if data.startswith(start):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    for start, words in _WORDS:
        if data.startswith(start):
            raise PictureRefused(words, param="picture")
    if data[4:8] == b"ftyp":
        raise PictureRefused("HEIC, AVIF and videos are not taken. Set your camera to JPEG.", param="picture")
    raise PictureRefused(_NOT_A_PICTURE, param="picture")


def _drawn(data: bytes, kind: str) -> Picture:
    with Image.open(BytesIO(data), formats=[kind]) as opened:
        width, height = opened.size
        if width * height > PIXELS_MAX or max(width, height) > SIDE_MAX:
            raise _size()
        if min(width, height) < SIDE_MIN:
            raise PictureSize(
                f"The picture is too small to be read: {SIDE_MIN} pixels a side at least.", param="picture"
            )
        opened.draft("RGB", (KEPT_SIDE_MAX, KEPT_SIDE_MAX))  # a JPEG is unpacked at half its size where that is enough
        upright = ImageOps.exif_transpose(opened)
        upright.thumbnail((KEPT_SIDE_MAX, KEPT_SIDE_MAX), Image.Resampling.LANCZOS)
        fresh = Image.new("RGB", upright.size, "white")
        if upright.has_transparency_data:
            layer = upright.convert("RGBA")
            fresh.paste(layer, mask=layer.getchannel("A"))
        else:
            fresh.paste(upright.convert("RGB"))
    out = BytesIO()
    fresh.save(out, "JPEG", quality=QUALITY)
    return Picture(data=out.getvalue(), width=fresh.width, height=fresh.height)


def _size() -> PictureSize:
    return PictureSize(
        f"The picture has too many pixels: {PIXELS_MAX // 1_000_000} million and {SIDE_MAX} a side at most.",
        param="picture",
    )
