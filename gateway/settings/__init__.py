"""The configuration: `load_settings` gives frozen settings that were checked as a whole.

`Settings` and its tables are the program's view; each field's metadata documents it, once.
"""

from gateway.settings.describe import describe, example
from gateway.settings.evidence import Retention, Seal, Timestamp, Witness
from gateway.settings.hsm import Pkcs11
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
    "Pkcs11",
    "Retention",
    "Roles",
    "RouteSettings",
    "Seal",
    "Secret",
    "Sender",
    "Settings",
    "Timestamp",
    "Tls",
    "Warned",
    "Window",
    "Witness",
    "describe",
    "example",
    "load_admin_socket",
    "load_settings",
    "path_text",
    "settings_digest",
]
