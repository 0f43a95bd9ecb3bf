"""Small pictures for tests: PNG made here, JPEG and WebP of 3 x 2 pixels made once by cjpeg and cwebp."""
import secrets
import struct
import zlib

JPEG = bytes.fromhex(
    'ffd8ffe000104a46494600010100000100010000ffdb0083100028001c001e0023001e0019002800230021002300'
    '2d002b00280030003c00640041003c00370037003c007b0058005d004900640091008000990096008f0080008c00'
    '8a00a000b400e600c300a000aa00da00ad008a008c00c8011100cb00da00ee00f5010201040102009b00c1011b01'
    '2f011800fa012c00e600fd010200f8ffc1000b080002000301011100ffc400140001000000000000000000000000'
    '00000004ffc40014100100000000000000000000000000000000ffda0008010100003f003bffd9')
WEBP = bytes.fromhex(
    '52494646300000005745425056503820240000007001009d012a0300020007409625a0027401750000fee2e048c3'
    '5bafeaefcedfa9ed8000')
GIF = bytes.fromhex('474946383961030002008000005a5a5a0000002c00000000030002000002028451003b')


def chunk(kind, data):
    return (struct.pack('>I', len(data)) + kind + data +
            struct.pack('>I', zlib.crc32(kind + data)))


def png(width=3, height=2, extra=b'', told=None):
    """A PNG of one colour, of its own: no two are alike. `extra` are chunks before its end; `told` is
    the size that its header claims."""
    colour = secrets.token_bytes(3)
    rows = (b'\0' + colour * width) * height
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', *(told or (width, height)),
                                                           8, 2, 0, 0, 0)) +
            chunk(b'tEXt', b'Comment\0' + secrets.token_hex(8).encode()) +
            chunk(b'IDAT', zlib.compress(rows)) + extra + chunk(b'IEND', b''))
