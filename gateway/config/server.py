"""The `server` section, checked as a whole: certificate and key belong together. Pure."""

from gateway.config.document import Reading
from gateway.config.kinds import Value
from gateway.config.settings import ServerSettings


def server_settings(given: dict[str, Value], reading: Reading) -> ServerSettings:
    """The listener's settings; what does not fit together is noted."""
    server = ServerSettings(**given)
    for present, absent in (("tls_certificate", "tls_key"), ("tls_key", "tls_certificate")):
        missing = f"server.{absent}"
        if getattr(server, present) and not getattr(server, absent) and not reading.has_refused(missing):
            reading.refuse(missing, f"must be given with server.{present}", f"set {missing}_file")
    return server
