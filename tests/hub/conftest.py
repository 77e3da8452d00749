"""The Hub on the loopback."""

from hub.fixtures import hub, hub_server

__all__ = ["hub", "hub_server"]
