"""Keys that sign: Ed25519 (RFC 8032) as PEM, by the library `cryptography`, an extra."""

import hashlib
from typing import Any

from medseg.errors import InputError
from medseg.extras import require_extra

__all__ = ["fingerprint", "is_signed_by", "new_key", "public_of", "public_pem", "sign_bytes"]

_NONE = (
    "no Ed25519 key as PEM without a password; 'medseg sign --key FILE' makes one where there is no such file"
)


def new_key() -> bytes:
    """A private key (PKCS#8, PEM, no password)."""
    require_extra("signing", "signing with a key")
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    made: bytes = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made


def public_of(pem: bytes) -> str:
    """The public key of a private or public one, 64 hex digits.

    Raises
    ------
    InputError
        If it is no Ed25519 key.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    found: bytes = _public(pem).public_bytes(Encoding.Raw, PublicFormat.Raw)
    return found.hex()


def public_pem(pem: bytes) -> bytes:
    """The public key as PEM: what whoever verifies is given."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    found: bytes = _public(pem).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return found


def sign_bytes(pem: bytes, content: bytes) -> str:
    """The signature of a private key over some bytes, 128 hex digits; the same each time."""
    signature: bytes = _private(pem).sign(content)
    return signature.hex()


def is_signed_by(public: str, signature: str, content: bytes) -> bool:
    """Whether the private part of this public key signed these bytes."""
    require_extra("signing", "checking a signature made with a key")
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(bytes.fromhex(signature), content)
    except (ValueError, InvalidSignature):
        return False
    return True


def fingerprint(public: str) -> str:
    """Sixteen hex digits by which people compare keys: the beginning of the SHA-256 of the public key."""
    return hashlib.sha256(public.encode()).hexdigest()[:16]


def _private(pem: bytes) -> Any:
    require_extra("signing", "signing with a key")
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(f"the key file holds {_NONE}")
    return key


def _public(pem: bytes) -> Any:
    if b"PRIVATE KEY" in pem:
        return _private(pem).public_key()
    require_extra("signing", "checking a signature made with a key")
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise InputError(f"the key file holds {_NONE}")
    return key
