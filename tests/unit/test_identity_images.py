"""Uploads are drawn anew: what is not a picture is refused in words, and nothing of a picture's bytes survives but its look."""

import contextlib
import struct
import zipfile
import zlib
from io import BytesIO

import pytest
from PIL import ExifTags, Image, PngImagePlugin

from kyc import images
from tests.verification import picture


def refused(data, error=images.PictureRefused, match=None):
    with pytest.raises(error, match=match) as raised:
        images.clean(data)
    assert raised.value.param == "picture"


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_header(width, height):
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_three_kinds_become_a_jpeg_of_the_same_look(kind):
    clean = images.clean(picture(kind))
    assert clean.data.startswith(b"\xff\xd8\xff")
    with Image.open(BytesIO(clean.data)) as drawn:
        assert drawn.size == (640, 480) == (clean.width, clean.height)
        assert drawn.getpixel((100, 100))[2] > 90 > drawn.getpixel((100, 100))[0]


def test_where_and_with_what_it_was_taken_goes():
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Secretive Camera"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (51.0, 30.0, 0.0)
    data = picture("JPEG", exif=exif, comment=b"taken at home", icc_profile=b"profile of mine" * 20)
    assert b"Secretive" in data and b"taken at home" in data
    clean = images.clean(data).data
    for trace in (b"Exif", b"Secretive", b"taken at home", b"ICC_PROFILE", b"profile of mine"):
        assert trace not in clean


def test_text_in_a_png_goes():
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", "<script>alert(1)</script>")
    data = picture("PNG", pnginfo=notes)
    assert b"<script>" in data
    assert b"<script>" not in images.clean(data).data


def test_a_picture_is_turned_upright_before_its_orientation_is_forgotten():
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    clean = images.clean(picture("JPEG", size=(640, 480), exif=exif))
    assert (clean.width, clean.height) == (480, 640)


@pytest.mark.parametrize("first", ["JPEG", "PNG", "WEBP"])
def test_what_hides_behind_a_picture_goes(first):
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("evil.html", "<script>alert(document.cookie)</script>")
    polyglot = picture(first) + archive.getvalue() + b"<html><script>alert(2)</script></html><?php system($_GET[0]) ?>"
    assert zipfile.is_zipfile(BytesIO(polyglot))
    clean = images.clean(polyglot).data
    assert not zipfile.is_zipfile(BytesIO(clean))
    assert b"script" not in clean and b"<?php" not in clean


def test_what_hides_in_a_comment_goes():
    data = picture("JPEG", comment=b"*/=alert(1)/*<svg onload=alert(2)>")
    assert b"onload" in data
    assert b"onload" not in images.clean(data).data


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"%PDF-1.7\n1 0 obj\n<< /OpenAction", "PDF"),
        (b"GIF89a" + b"\x00" * 100, "GIF"),
        (b"II*\x00" + b"\x00" * 100, "TIFF"),
        (b"BM" + b"\x00" * 100, "BMP"),
        (b"PK\x03\x04" + b"\x00" * 100, "archive"),
        (b"\x00\x00\x00\x18ftypheic" + b"\x00" * 100, "HEIC"),
        (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "not a picture"),
        (b"<!doctype html><script>alert(1)</script>", "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not a picture"),
        (b"RIFF\x00\x00\x00\x00WAVE", "not a picture"),
        (b"\x7fELF", "not a picture"),
        (b"", "not a picture"),
    ],
)
def test_what_is_no_jpeg_png_or_webp_is_refused_in_words(data, words):
    refused(data, match=words)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_half_a_picture_is_refused(kind):
    data = picture(kind)
    refused(data[: len(data) // 2], images.PictureUnreadable)
    refused(data[:16], images.PictureUnreadable)


def test_a_decompression_bomb_is_refused_by_its_header_and_never_unpacked(monkeypatch):
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("it was unpacked"))
    rows = zlib.compress(b"\x00" * 10_000_000)
    bomb = png_header(30_000, 30_000) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    refused(bomb, images.PictureSize)
    refused(png_header(100_000, 400) + chunk(b"IDAT", rows) + chunk(b"IEND", b""), images.PictureSize)
    refused(png_header(12_000, 4_200) + chunk(b"IDAT", rows) + chunk(b"IEND", b""), images.PictureSize)


def test_a_bomb_in_a_pngs_text_or_profile_is_refused_or_dropped():
    bomb = zlib.compress(b"A" * 80_000_000, 9)
    whole = picture("PNG")
    after_header = 8 + 25
    laden = whole[:after_header] + chunk(b"zTXt", b"Comment\x00\x00" + bomb) + whole[after_header:]
    with contextlib.suppress(images.PictureUnreadable):
        assert len(images.clean(laden).data) < 100_000


def test_more_bytes_than_are_taken_are_refused_before_they_are_looked_at(monkeypatch):
    monkeypatch.setattr(images, "sniff", lambda data: pytest.fail("it was looked at"))
    refused(picture() + b"\x00" * images.BYTES_MAX, images.PictureTooLarge, "10 MB")


def test_what_is_too_small_to_be_read_is_refused():
    refused(picture(size=(299, 400)), images.PictureSize, "too small")


def test_a_large_picture_is_kept_at_a_size_that_can_be_read():
    clean = images.clean(picture("JPEG", size=(8000, 6000)))
    assert max(clean.width, clean.height) <= images.KEPT_SIDE_MAX
    assert min(clean.width, clean.height) >= 2900


def test_what_is_transparent_becomes_white():
    out = BytesIO()
    Image.new("RGBA", (400, 400), (0, 0, 0, 0)).save(out, "PNG")
    with Image.open(BytesIO(images.clean(out.getvalue()).data)) as drawn:
        assert min(drawn.getpixel((200, 200))) > 250


def test_only_the_first_frame_of_a_moving_picture_is_kept():
    frames = [Image.new("RGB", (400, 400), colour) for colour in ("white", "black", "red")]
    out = BytesIO()
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    with Image.open(BytesIO(images.clean(out.getvalue()).data)) as drawn:
        assert getattr(drawn, "n_frames", 1) == 1
        assert min(drawn.getpixel((200, 200))) > 250
