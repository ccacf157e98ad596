"""What the standards of the algorithms print comes out here, to the bit."""

from __future__ import annotations

import os
import secrets

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.wire.gbt.frame import Encryption
from edge.wire.gbt.security import curve
from edge.wire.gbt.security.choices import DEFAULT_SECURITY, BlockMode, SecurityOptions, Sm2Format
from edge.wire.gbt.security.ciphers import BlockUnitCipher
from edge.wire.gbt.security.curve import Point
from edge.wire.gbt.security.faults import SignatureError
from edge.wire.gbt.security.signatures import EcdsaVerifier, RsaVerifier, Sm2Verifier
from edge.wire.gbt.security.sm2 import Sm2PrivateKey, Sm2PublicKey
from edge.wire.gbt.security.sm3 import key_stream, sm3
from tests.gbt.grammar import examples

# GB/T 32918.5-2017, annexes A and C: one key, one number used once, for a signature and for a cipher text.
SECRET = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
NONCE = 0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21
PUBLIC = (
    0x09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020,
    0xCCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13,
)
MESSAGE = b"message digest"
DIGEST = 0xF0B43E94BA45ACCAACE692ED534382EB17E6AB5A19CE7B31F4486FDFC0D28640
R = 0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3
S = 0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA
HIDDEN = b"encryption standard"
POINT = bytes.fromhex(
    "0404ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73"
    "e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0"
)
CHECK = bytes.fromhex("59983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766")
TEXT = bytes.fromhex("21886ca989ca9c7d58087307ca93092d651efa")

SM4_KEY = bytes.fromhex("0123456789abcdeffedcba9876543210")


def test_sm2_signs_as_the_example_of_its_standard() -> None:
    key = Sm2PrivateKey.of(SECRET)
    assert key.public.point == PUBLIC
    assert key.public.digest(MESSAGE, DEFAULT_SECURITY.sm2_id) == DIGEST
    assert key.sign_under(NONCE, DIGEST, secrets.token_bytes) == (R, S)
    signature = (1, 32, R.to_bytes(32), 32, S.to_bytes(32))
    Sm2Verifier(Sm2PublicKey(PUBLIC)).check(MESSAGE, signature)


def test_sm2_encrypts_as_the_example_of_its_standard() -> None:
    key = Sm2PrivateKey.of(SECRET)
    done = {
        form: key.public.encrypt_under(NONCE, HIDDEN, form, secrets.token_bytes) or b"" for form in Sm2Format
    }
    assert done[Sm2Format.C1C3C2] == POINT + CHECK + TEXT
    assert done[Sm2Format.C1C2C3] == POINT + TEXT + CHECK
    x, y = POINT[1:33], POINT[33:]
    assert done[Sm2Format.ASN1].hex() == (
        "307c0220" + x.hex() + "022100" + y.hex() + "0420" + CHECK.hex() + "0413" + TEXT.hex()
    )
    assert all(key.decrypt(data, form) == HIDDEN for form, data in done.items())


def test_sm3_is_that_of_its_standard() -> None:
    # GB/T 32905-2016, annex A.
    assert sm3(b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert sm3(b"abcd" * 8, b"abcd" * 8).hex() == (
        "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"
    )
    assert key_stream(b"shared", 33) == sm3(b"shared\0\0\0\1") + sm3(b"shared\0\0\0\2")[:1]


def _sm4_ecb() -> BlockUnitCipher:
    return BlockUnitCipher(Encryption.SM4, SM4_KEY, SecurityOptions(block_mode=BlockMode.ECB))


def test_sm4_encrypts_as_example_1_of_its_standard() -> None:
    # GB/T 32907-2016, annex A.1; what follows the block is the padding's.
    assert _sm4_ecb().encrypt(SM4_KEY)[:16].hex() == "681edf34d206965e86b3e94f536e4246"


@pytest.mark.skipif("NEVGATE_GBT_TIMES" not in os.environ, reason="a million rounds; NEVGATE_GBT_TIMES asks")
def test_sm4_encrypts_as_example_2_of_its_standard() -> None:
    cipher, block = _sm4_ecb(), SM4_KEY
    for _ in range(1_000_000):
        block = cipher.encrypt(block)[:16]
    assert block.hex() == "595298c7c6fd271f0402f804c33d3f66"


def test_aes_encrypts_as_its_standards() -> None:
    # FIPS 197, appendix C.1, and SP 800-38A, F.2.1 (CBC).
    ecb = BlockUnitCipher(Encryption.AES, bytes(range(16)), SecurityOptions(block_mode=BlockMode.ECB))
    block = bytes.fromhex("00112233445566778899aabbccddeeff")
    assert ecb.encrypt(block)[:16].hex() == "69c4e0d86a7b0430d8cdb78070b4c55a"
    key = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
    two = bytes.fromhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")
    wanted = bytes.fromhex("7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2")
    fixed = SecurityOptions(block_mode=BlockMode.CBC_FIXED_IV, fixed_iv=bytes(range(16)))
    assert BlockUnitCipher(Encryption.AES, key, fixed).encrypt(two)[:32] == wanted
    drawn = BlockUnitCipher(Encryption.AES, key, random_bytes=lambda length: bytes(range(length)))
    assert drawn.encrypt(two)[:48] == bytes(range(16)) + wanted


def test_ecdsa_holds_as_rfc_6979_prints_it() -> None:
    # RFC 6979, A.2.5: P-256 with SHA-256.
    key = ec.EllipticCurvePublicNumbers(
        0x60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6,
        0x7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299,
        ec.SECP256R1(),
    ).public_key()
    for message, r, s in (
        (
            b"sample",
            "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
            "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
        ),
        (
            b"test",
            "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367",
            "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
        ),
    ):
        EcdsaVerifier(key).check(message, (3, 32, bytes.fromhex(r), 32, bytes.fromhex(s)))


# NIST CAVP, SigVer15_186-3: modulus of 1024 bits, exponent 3, SHA-256.
MODULUS = int(
    "a8d68acd413c5e195d5ef04e1b4faaf242365cb450196755e92e1215ba59802aafbadbf2564dd550956abb54f8b1c917844e5f36"
    "195d1088c600e07cada5c080ede679f50b3de32cf4026e514542495c54b1903768791aae9e36f082cd38e941ada89baecada61ab"
    "0dd37ad536bcb0a0946271594836e92ab5517301d45176b5",
    16,
)
CAVP = (
    (
        "P",
        (
            "d73829497cddbe41b705faac50e7899fdb5a38bf3a459e536357029e64f8796ba47f4fe96ba5a8b9a4396746e2164f55a25368dd"
            "d0b9a5188c7ac3da2d1f742286c3bdee697f9d546a25efcfe53191d743fcc6b47833d993d08804daeca78fb9076c3c017f53e33a"
            "90305af06220974d46bf19ed3c9b84edbae98b45a8771258"
        ),
        (
            "0b20e5093c2a926233108afbdd851b88eeb554f4beaa7b18e51519f7d0ec53b181a3b03e8484ba8de2aa7864a402e2208e84ec99"
            "14af9d776ed13c48bdeb6484254de169318a87c40f2265ff16714eae8aee2bc9c3cb4dee045e4f5d9d625210121bfcf2bed8d3ff"
            "a602ce27fff4e61cf9bb650e71a6921ae6ffa296cb11bdbb"
        ),
    ),
    (
        "F: message changed",
        (
            "ff23e00f819bae424e41d6b762ea6b88801e651c831c964af31de0c1d6dda4a7c8587d804ed12f526819da06650e7412fb627555"
            "979ed442f2663341e5fe57527e0ddaf453a124451674976a6a6e0a31f56a79f5b73dfac39af4f3ba4a5e8bb846cb5e3338127564"
            "82d975ab1910162f96bfd7c58a02f113125189f5ac05291f"
        ),
        (
            "10ecd0085694f8db6ea62dab2f239d8a93fcf449102f1368c67de329d79692b677500f55994c9722e2633063fc7d8c2c50ae8857"
            "d45c08bfaba9448dda0689c2a08605d47a7694beaacbdad1a954458a87fd78b6519393013b20996d636b755323b4b2b2b6d06a46"
            "c9221cd200462428ab5bef0f9743e144191f6928562627a7"
        ),
    ),
    (
        "F: hash moved to the left",
        (
            "a4397d9ab677aaa13a68a09de9ae0ed4045d479aa0ff3a7242dca477ab7884faf55cd06ddf19667f668b4589955bfd299dc7642c"
            "28a68bb2eba6f08c7ad9f5e96170913270c6463256a0537a72b32a04e5662416ecda74696d275a8bcfe999820ffc2ab210833201"
            "332f323828be7dac04c1f01f93a3dde1efe7483a51b1560d"
        ),
        (
            "9313380722659eeccf8be943fbf514e90fb19657dfb410a50bdfc0cfb058a58e56bbae71ea1a30ecee08ca5d31a2d0bcd3f5a967"
            "a3794259c03635ee24cf2a15303ddb5962ae9747d72e83f630580600ba64d24bc4014c5d44640b2369b45fb09c2ba20721e0ae27"
            "d1a32546afa1bd023aa61079cea65389f55c31cfedb460b3"
        ),
    ),
)


@pytest.mark.parametrize(("result", "message", "signature"), CAVP, ids=[line[0] for line in CAVP])
def test_rsa_judges_as_cavp(result: str, message: str, signature: str) -> None:
    verifier = RsaVerifier(RSAPublicNumbers(3, MODULUS).public_key())
    raws = (2, 128, bytes.fromhex(signature), 0, b"")
    if result == "P":
        verifier.check(bytes.fromhex(message), raws)
        return
    with pytest.raises(SignatureError):
        verifier.check(bytes.fromhex(message), raws)


def _sum(one: Point | None, other: Point | None) -> Point | None:
    """Add points as a textbook does, case by case."""
    if one is None or other is None:
        return one or other
    (x1, y1), (x2, y2) = one, other
    if x1 == x2 and (y1 + y2) % curve.P == 0:
        return None
    slope = (
        (3 * x1 * x1 + curve.A) * pow(2 * y1, -1, curve.P)
        if one == other
        else (y2 - y1) * pow(x2 - x1, -1, curve.P)
    )
    x3 = (slope * slope - x1 - x2) % curve.P
    return x3, (slope * (x1 - x3) - y1) % curve.P


def _product(factor: int, point: Point) -> Point | None:
    total: Point | None = None
    for bit in f"{factor:b}":
        total = _sum(total, total)
        total = _sum(total, point) if bit == "1" else total
    return total


factors = st.integers(1, 40) | st.integers(curve.N - 40, curve.N - 1) | st.integers(1, curve.N - 1)


@settings(max_examples=examples(5))
@example(1, curve.N - 1)
@given(factors, factors)
def test_the_curve_multiplies_as_a_textbook_does(one: int, other: int) -> None:
    point = curve.multiply_secret(one, None, secrets.token_bytes)
    assert curve.is_on_curve(point)
    assert point == _product(one, curve.G)
    further = curve.multiply_secret(other, point, secrets.token_bytes)
    assert further == _product(one * other % curve.N, curve.G)
    assert curve.combine_open(one, other, point) == _product((one + one * other) % curve.N, curve.G)
    assert curve.combine_open(one, curve.N - 1, point) is None
