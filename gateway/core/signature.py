"""How a webhook is signed: as Standard Webhooks and OpenAI's own webhooks are, so that their SDKs verify it. Pure."""

import base64
import binascii
import hashlib
import hmac

_ENCODED = "whsec_"


def signed_headers(secret: str, event_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of one delivery. `timestamp` (unix s) is that of the attempt: receivers refuse old ones."""
    signed = b"%b.%d.%b" % (event_id.encode(), timestamp, body)
    digest = hmac.new(signing_key(secret), signed, hashlib.sha256).digest()
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def signing_key(secret: str) -> bytes:
    """`whsec_` and base64, or any other text as it is. Raises ValueError where the former is no base64."""
    if not secret.startswith(_ENCODED):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_ENCODED), validate=True)
    except binascii.Error as error:
        raise ValueError("what follows whsec_ is no base64") from error
