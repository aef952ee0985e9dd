"""Python imports this at its start: it notes and refuses every way out to a network."""

import os
import socket
import sys

LOG = os.environ["NETWORK_GUARD_LOG"]
LOCAL_NAMES = ("localhost", "127.", "::1", "0.0.0.0")  # noqa: S104 - compared with, not bound to


def is_local(host):
    """Whether a host names this machine; None and '' do."""
    name = host.decode() if isinstance(host, bytes) else host
    return not name or str(name).startswith(LOCAL_NAMES) or name == socket.gethostname()


def guarded(what, reach, host_of):
    """Wrap a function of the socket module."""

    def guard(*arguments, **options):
        host = host_of(*arguments, **options)
        if not is_local(host):
            with open(LOG, "a") as log:
                log.write(f"{what} {host} by {os.getpid()} {sys.argv}\n")
            raise OSError(f"the network is cut: {what} {host}")
        return reach(*arguments, **options)

    return guard


def host_of_address(_self, *arguments):
    """Return the host of the address, the last argument; local sockets have a path for one."""
    address = arguments[-1]
    return address[0] if isinstance(address, tuple) else None


def host_of_name(host=None, *_arguments, **_options):
    """Return the host that is looked up."""
    return host


for method in ("connect", "connect_ex", "sendto"):
    reach = getattr(socket.socket, method)
    setattr(socket.socket, method, guarded(method, reach, host_of_address))
for function in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
    reach = getattr(socket, function)
    setattr(socket, function, guarded(function, reach, host_of_name))
