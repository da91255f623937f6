from gateway.admin import access, deadletters, people, providers, requests, routes

__all__ = ["access", "deadletters", "people", "providers", "requests", "routes"]
