"""The webhook's signature, verified by the official SDK as a receiver would."""

import base64

import openai
import pytest

from gateway.core.signature import signed_headers, signing_key

BODY = '{"id":"evt_1","name":"ö"}'.encode()
ENCODED = f"whsec_{base64.b64encode(b'thirty-two bytes of good secret!').decode()}"


@pytest.mark.parametrize("secret", ["a plain secret of ours", ENCODED])
def test_signature_is_verified_by_the_sdk(secret: str) -> None:
    client = openai.OpenAI(api_key="unused", webhook_secret=secret)
    headers = signed_headers(secret, "evt_1", 1_767_268_800, BODY)
    client.webhooks.verify_signature(BODY, headers, tolerance=10**10)
    for name, value in (("webhook-id", "evt_2"), ("webhook-timestamp", "1767268801")):
        with pytest.raises(openai.InvalidWebhookSignatureError):
            client.webhooks.verify_signature(BODY, {**headers, name: value}, tolerance=10**10)
    with pytest.raises(openai.InvalidWebhookSignatureError):
        client.webhooks.verify_signature(BODY + b" ", headers, tolerance=10**10)


def test_signing_key_that_is_no_base64_is_refused() -> None:
    with pytest.raises(ValueError, match="no base64"):
        signing_key("whsec_!!!")
