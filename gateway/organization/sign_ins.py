"""Administrators who sign in to the dashboard, told to the audit; and those who try in vain, counted."""

from dataclasses import replace

from gateway.organization.exchange import read_actor
from gateway.organization.service import AdminService
from gateway.relay import Scope


class SignIns:
    """What the dashboard tells of its sign-ins."""

    def __init__(self, service: AdminService) -> None:
        self._service = service

    async def succeeded(self, scope: Scope, secret: str, request_id: str) -> None:
        """An admin key opened a session. Raises StoreAway."""
        admission = await self._service.auth.identify(secret)
        if admission is None:
            raise AssertionError("only an admin key opens an administrator's session")
        actor = replace(read_actor(scope, admission.name, request_id), key_id=admission.key_id, is_session=True)
        await self._service.registry.tell(actor, "login.succeeded", admission.key_id, {})

    def failed(self, scope: Scope) -> None:
        """Neither an admin key nor a virtual one."""
        self._service.rejections.note(read_actor(scope, "", "").address, scope["path"])
