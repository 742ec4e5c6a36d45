"""The first start's project and key, made through the running gateway's own admin API.

Once per data directory and only with the embedded store: it asks what is there, makes what is missing, writes the
key's file. An empty file says "was going to": a start that was killed half-way is finished by the next one. It never
replaces a key somebody revoked.
"""

import http.client
import json
import socket
import time
from pathlib import Path
from typing import Any

from gateway.supervise.data_directory import read_secret, write_secret
from gateway.supervise.endpoint import Endpoint

_PROJECT = "default"
_ACCOUNT = "first-key"
_PATIENCE_SECONDS = 20.0  # the workers may still be looking for their store
_WAIT_SECONDS = 0.05


class FirstKeyError(Exception):
    """The running gateway did not give a first key; the message says why."""


def ensure_first_key(endpoint: Endpoint, admin_key: str, file: Path) -> str:
    """The first key, made if this is the first start; nothing where there is none to give any more.

    Raises FirstKeyError when the gateway does not answer as it should.
    """
    key = read_secret(file)
    if key and _call(endpoint, "GET", "/v1/models", key)[0] != 401:
        return key
    projects = _ask(endpoint, "GET", "/v1/organization/projects?limit=100", admin_key)["data"]
    if projects and (key or not file.exists()):
        return ""  # revoked, or put away by its owner: not ours to replace
    write_secret(file, "")
    found = next((project["id"] for project in projects if project["name"] == _PROJECT), None)
    project = found or _ask(endpoint, "POST", "/v1/organization/projects", admin_key, {"name": _PROJECT})["id"]
    path = f"/v1/organization/projects/{project}/service_accounts"
    key = _ask(endpoint, "POST", path, admin_key, {"name": _ACCOUNT})["api_key"]["value"]
    write_secret(file, key)
    return str(key)


def _ask(endpoint: Endpoint, method: str, path: str, key: str, body: object = None) -> Any:  # JSON
    status, answer = _call(endpoint, method, path, key, body)
    if status != 200:
        message = answer.get("error", {}).get("message", "no reason given") if isinstance(answer, dict) else answer
        raise FirstKeyError(f"{method} {path} was answered with {status}: {message}")
    return answer


def _call(endpoint: Endpoint, method: str, path: str, key: str, body: object = None) -> tuple[int, Any]:  # JSON
    """One request to our own gateway, repeated while its store is not there."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    while True:
        connection = endpoint.connect(10)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read()
            if response.status != 503 or time.monotonic() > deadline:
                return response.status, json.loads(text)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if time.monotonic() > deadline or isinstance(error, socket.gaierror):
                raise FirstKeyError(f"{method} {path}: {error}") from error
        finally:
            connection.close()
        time.sleep(_WAIT_SECONDS)
