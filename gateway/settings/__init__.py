"""The configuration: `load_settings` gives frozen settings that were checked as a whole.

`Settings` and its tables are the program's view; each field's metadata documents it, once.
"""

from gateway.settings.describe import describe, example
from gateway.settings.load import load_admin_socket, load_settings, settings_digest
from gateway.settings.model import Admin, Gateway, Ledger, Roles, Settings
from gateway.settings.nested import KeySource
from gateway.settings.parties import Brand, Issuer, Sender, Window
from gateway.settings.reading import Warned, path_text
from gateway.settings.secret import Secret
from gateway.settings.traffic import OperatorSettings, RouteSettings, Tls

__all__ = [
    "Admin",
    "Brand",
    "Gateway",
    "Issuer",
    "KeySource",
    "Ledger",
    "OperatorSettings",
    "Roles",
    "RouteSettings",
    "Secret",
    "Sender",
    "Settings",
    "Tls",
    "Warned",
    "Window",
    "describe",
    "example",
    "load_admin_socket",
    "load_settings",
    "path_text",
    "settings_digest",
]
