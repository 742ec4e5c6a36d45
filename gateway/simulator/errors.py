"""The upstream's refusals: code, HTTP status and wording, and the envelopes they arrive in. Pure.

An entry exists for every code of the upstream's table that a text-generation client can meet. Which one applies
is decided by the caller; here a code becomes bytes.
"""

from dataclasses import dataclass, replace
from typing import Literal

import msgspec

Envelope = Literal["A", "B", "C", "D", "E", "F", "G", "html", "text", "empty"]

FREE_ALLOCATION = (
    "you have used up your daily free allocation of 10,000 neurons, please upgrade to Cloudflare's Workers Paid "
    "plan if you would like to continue usage."
)
_encode = msgspec.json.encode
CATALOGUE_URL = "https://developers.cloudflare.com/workers-ai/models/"


@dataclass(slots=True, frozen=True)
class Refusal:
    """One answer that is not a completion. `text` is without the request id; `retry_after` is seconds."""

    code: int
    status: int
    text: str
    envelope: Envelope = "A"
    retry_after: float | None = None


def _at(status: int, text: str, envelope: Envelope = "A") -> tuple[int, str, Envelope]:
    return status, text, envelope


REFUSALS: dict[int, tuple[int, str, Envelope]] = {
    971: _at(429, "Please wait and consider throttling your request speed", "B"),
    2001: _at(400, "Please configure AI Gateway in the Cloudflare dashboard", "D"),
    2003: _at(429, "Rate limited", "D"),
    2008: _at(400, "Model not found: {model}", "D"),
    2009: _at(401, "Unauthorized", "D"),
    2014: _at(408, "Provider request timeout", "D"),
    2021: _at(402, "Insufficient balance; add credits to continue", "E"),
    2045: _at(429, "Spend limit exceeded: rule 'simulator'", "D"),
    3001: _at(500, "AiError: Unknown internal error"),
    3003: _at(400, "AiError: Request is missing headers or body: {detail}"),
    3006: _at(413, "AiError: Request is too large"),
    3007: _at(408, "AiError: Request timeout"),
    3008: _at(408, "AiError: Request was aborted"),
    3010: _at(413, "AiError: The estimated number of input and maximum output tokens ({detail}"),
    3023: _at(403, "AiError: Service unavailable for account"),
    3036: _at(429, "AiError: " + FREE_ALLOCATION.replace("you", "You", 1)),
    3039: _at(400, "AiError: Finetune is missing required files (model.safetensors and config.json)"),
    3040: _at(429, "AiError: Capacity temporarily exceeded, please try again."),
    3041: _at(403, "AiError: This account is not allowed to access this model"),
    3042: _at(404, "AiError: The model name is invalid"),
    3043: _at(500, "AiError: Internal server error"),
    3046: _at(408, "AiError: Request timeout"),
    4006: _at(429, "AiError: AiError: " + FREE_ALLOCATION),
    5004: _at(400, "AiError: Invalid data type for base64 input: {detail}"),
    5005: _at(405, "AiError: The model {model} does not support LoRa inference"),
    5006: _at(400, "AiError: Bad input: Error: {detail}"),
    5007: _at(400, "AiError: No such model: No such model {model} or task"),
    5016: _at(403, "AiError: Model Agreement: submit the prompt 'agree' before using this model"),
    5018: _at(403, "AiError: Ai: Account 1234567 is not allowed to access {model}."),
    5019: _at(405, "AiError: Deprecated SDK version"),
    5021: _at(413, "AiError: AiError: The estimated number of input and maximum output tokens ({detail}"),
    5023: _at(400, "AiError: JSON Schema mode is not supported with stream mode"),
    5024: _at(400, "AiError: AiError: JSON Model couldn't be met"),
    5025: _at(400, "AiError: AiError: This model doesn't support JSON Schema"),
    5028: _at(
        410, "AiError: Model has been deprecated: {detail} See the model catalog for alternatives: " + CATALOGUE_URL
    ),
    5035: _at(403, "AiError: Model {model} is not available on the Workers Free plan: upgrade to access this model"),
    7000: _at(400, "No route for that URI", "B"),
    7003: _at(404, "Model not found: {model}", "B"),
    8001: _at(400, "AiError: Invalid input: {detail}"),
    8005: _at(500, "AiError: Internal server error"),
    8007: _at(400, "AiError: Input contains NSFW content"),
    10000: _at(401, "Authentication error", "B"),
    10429: _at(429, "Rate limited. Please wait and consider throttling your request speed", "B"),
}


def refusal(code: int, model: str = "", detail: str = "") -> Refusal:
    """The upstream's refusal for a code; an unknown code becomes a 500 of that code."""
    status, text, envelope = REFUSALS.get(code, (500, "AiError: Internal server error", "A"))
    return Refusal(code, status, text.replace("{model}", model).replace("{detail}", detail), envelope)


def too_long(code: int, requested_tokens: int, window_tokens: int) -> Refusal:
    """The refusal of a request whose prompt estimate and max_tokens exceed the window."""
    return refusal(code, detail=f"{requested_tokens}) exceeded this model context window limit ({window_tokens}).")


def through_gateway(answer: Refusal) -> Refusal:
    """The same refusal as the AI Gateway host words it."""
    if answer.envelope == "A":
        return replace(answer, envelope="C")
    if answer.code == 10000:
        return refusal(2009)
    return answer


def content_type(answer: Refusal) -> str:
    """The media type of a refusal's body."""
    return {"html": "text/html; charset=UTF-8", "text": "text/plain", "empty": "text/plain"}.get(
        answer.envelope, "application/json"
    )


def body(answer: Refusal, request_id: str) -> bytes:
    """The bytes of a refusal in its envelope."""
    match answer.envelope:
        case "html":
            title = f"{answer.status} {answer.text}"
            return f"<html>\r\n<head><title>{title}</title></head>\r\n<body>cloudflare</body></html>\r\n".encode()
        case "text":
            return answer.text.encode()
        case "empty":
            return b""
        case "E":
            return _encode({"error": {"message": answer.text, "type": "gateway_error", "code": None}})
        case "C" | "D":
            return _encode(_gateway_object(answer, request_id))
        case "B":
            error = {"code": answer.code, "message": answer.text}
            return _encode({"result": None, "success": False, "errors": [error], "messages": []})
    message = _nested(answer.text) if answer.envelope == "G" else answer.text
    error = {"message": f"{message} ({request_id})", "code": answer.code}
    errors = error if answer.envelope == "F" else [error]
    return _encode({"errors": errors, "success": False, "result": {}, "messages": []})


def _bare(text: str) -> str:
    return text.replace("AiError: ", "")


def _nested(text: str) -> str:
    return f'AiError: AiError: {{"error":{{"message":{_encode(_bare(text)).decode()},"details":{{}}}}}}'


def _gateway_object(answer: Refusal, request_id: str) -> dict[str, object]:
    text, code, status = answer.text, answer.code, answer.status
    if answer.envelope == "C":
        return {
            "name": "AiError",
            "internalCode": code,
            "httpCode": status,
            "message": f"{text} ({request_id})",
            "description": _bare(text),
            "requestId": request_id,
        }
    return {
        "success": False,
        "result": [],
        "messages": [],
        "error": [{"code": code, "message": text}],
        "name": "AiGatewayError",
        "httpCode": status,
        "internalCode": code,
        "message": text,
        "description": text,
    }
