"""Entries that cannot work: `config check` names the setting of each, and the way out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.errors import ConfigError
from gateway.settings import load_settings
from gateway.settings.hosts import Host
from gateway.settings.reading import Reading, Wrong
from tests.settings.test_load import MINIMAL, problems, under_movistar, written
from tests.support.authority import Authority

_HOST = 'host = "127.0.0.1"'
_LONG_NAME = ".".join(["a" * 60] * 5)
_SPLIT33 = 'interface_version = "3.3"\nbind = "split"\n'
_ROUTE = '\n[[routes]]\noperators = ["movistar"]\n'
_BRANDS = "\n[senders.ACME]\n[brands.acme]\nsenders = "


def _host(text: str) -> tuple[str, str]:
    return _HOST, f'host = "{text}"'


#: What is replaced in the good configuration (or "" to append), by what, and the setting that
#: must be named.
IMPOSSIBLE: list[tuple[str, str, str]] = [
    # host
    *(
        (*_host(text), "operators.movistar.host")
        for text in (
            "",
            " ",
            "smpp example net",
            "smpp..example.net",
            ".example.net",
            ".",
            "smpp://127.0.0.1",
            "smpps://smpp.example.net:3550/",
            "smpp.example.net:2775",
            "127.0.0.1:2775",
            "[::1]:2775",
            "[::1]",
            "::g",
            "1::2::3",
            "smpp.example.net/path",
            "user@example.net",
            "smpp,example.net",
            "smpp.example.net\\t",
            "-smpp.example.net",
            "smpp-.example.net",
            "a" * 64 + ".example",
            _LONG_NAME,
            "300.0.2.7",
            "192.0.2",
            "192.0.2.007",
            "0x7f.0.0.0x1",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
            "xn--a",
            "smpp.ex\U0001f600\u200bample.-ñ",
            "\u202e.example",
        )
    ),
    # window, rate and the timers
    ('password = "secret"', 'password = "secret"\nwindow = 0', "operators.movistar.window"),
    ('password = "secret"', 'password = "secret"\nwindow = -1', "operators.movistar.window"),
    ('password = "secret"', 'password = "secret"\nrate = -1', "operators.movistar.rate"),
    ('password = "secret"', 'password = "secret"\nrate = inf', "operators.movistar.rate"),
    (
        'password = "secret"',
        f'password = "secret"\nrate = 1{"0" * 400}',
        "operators.movistar.rate",
    ),
    ('password = "secret"', 'password = "secret"\nsessions = 0', "operators.movistar.sessions"),
    ('password = "secret"', 'password = "secret"\nport = 0', "operators.movistar.port"),
    ('password = "secret"', 'password = "secret"\naddr_ton = 7', "operators.movistar.addr_ton"),
    ('password = "secret"', 'password = "secret"\naddr_npi = 19', "operators.movistar.addr_npi"),
    # account
    ('"secret"', '"ninechars"', "operators.movistar.password"),
    ('"acme01"', '"sixteen-octets-x"', "operators.movistar.system_id"),
    ('"acme01"', '""', "operators.movistar.system_id"),
    ('"acme01"', '"acme01"\nsystem_type = "thirteen char"', "operators.movistar.system_type"),
    ('"acme01"', '"acme01"\ndialect = "klingon"', "operators.movistar.dialect"),
    # versions
    ('"acme01"', '"acme01"\ninterface_version = "3.3"', "operators.movistar.interface_version"),
    ('"acme01"', f'"acme01"\n{_SPLIT33}long_message = "sar"', "operators.movistar.long_message"),
    (
        '"acme01"',
        f'"acme01"\n{_SPLIT33}long_message = "payload"',
        "operators.movistar.long_message",
    ),
    ('"acme01"', '"acme01"\nreplace_sm = 1', "operators.movistar.replace_sm"),
    ('"acme01"', '"acme01"\nbind = "receiver"', "routes[0].operators[0]"),
    # TLS
    ('"acme01"', '"acme01"\ntls = true', "operators.movistar.tls.ca_file"),
    ('"acme01"', '"acme01"\ntls = {}', "operators.movistar.tls.ca_file"),
    ('"acme01"', '"acme01"\ntls = {server_name = "a.b"}', "operators.movistar.tls.ca_file"),
    ('"acme01"', '"acme01"\ntls = "yes"', "operators.movistar.tls"),
    ('"acme01"', '"acme01"\ntls = {ca_file = "acuse.toml"}', "operators.movistar.tls.ca_file"),
    ('"acme01"', '"acme01"\ntls = {ca_file = "none.pem"}', "operators.movistar.tls.ca_file"),
    (
        '"acme01"',
        '"acme01"\ntls = {ca_file = "system", server_name = "a b"}',
        "operators.movistar.tls.server_name",
    ),
    # routes
    ('operators = ["movistar"]', 'operators = ["vodafone"]', "routes[0].operators[0]"),
    ('operators = ["movistar"]', 'operators = ["movistar", "movistar"]', "routes[0].operators"),
    ('operators = ["movistar"]', "operators = []", "routes[0].operators"),
    ('operators = ["movistar"]', "", "routes[0].operators"),
    ('["+34"]', '["+0"]', "routes[0].to[0]"),
    ('["+34"]', '["+٣٤"]', "routes[0].to[0]"),
    ('["+34"]', '["+1234567890123456"]', "routes[0].to[0]"),
    ('["+34"]', '["+34"]\nfrom = ["ABCDEFGHIJKL"]', "routes[0].from[0]"),
    ('["+34"]', '["+34"]\nbrand = ["acme"]', "routes[0].brand[0]"),
    ('["+34"]', '["+34"]\ncategory = ["spam"]', "routes[0].category[0]"),
    ("", f'{_ROUTE}to = ["+34"]', "routes[1]"),
    ("", f"{_ROUTE}{_ROUTE}", "routes[2]"),
    # senders and brands
    ("", "\n[senders.ABCDEFGHIJKL]\n", "senders.ABCDEFGHIJKL"),
    ("", '\n[senders."ACME!"]\n', 'senders."ACME!"'),
    ("", '\n[senders."ÑANDU"]\n', 'senders."ÑANDU"'),
    ("", '\n[senders."٣٣٣"]\n', 'senders."٣٣٣"'),
    ("", "\n[senders.12]\n", "senders.12"),
    ("", "\n[senders.123456789]\n", "senders.123456789"),
    ("", '\n[senders."+0600111222"]\n', 'senders."+0600111222"'),
    ("", f"{_BRANDS}['ACMEE']\n", "brands.acme.senders[0]"),
    ("", f"{_BRANDS}['ACME', '21234']\n", "brands.acme.senders[1]"),
    ("", f"{_BRANDS}['ACME', 'ACME']\n", "brands.acme.senders"),
    ("", f"{_BRANDS}['ABCDEFGHIJKL']\n", "brands.acme.senders[0]"),
]


@pytest.mark.parametrize(("old", "new", "setting"), IMPOSSIBLE)
def test_an_entry_that_cannot_work_is_named_with_a_way_out(
    tmp_path: Path, old: str, new: str, setting: str
) -> None:
    text = MINIMAL.replace(old, new, 1) if old else MINIMAL + new
    assert text != MINIMAL
    found = problems(written(tmp_path, text))
    assert list(found) == [setting]
    assert found[setting].message
    assert found[setting].hint


@pytest.mark.parametrize(
    "line", ["query_sm = true", "cancel_sm = true"], ids=["query_sm", "cancel_sm"]
)
def test_a_receiver_cannot_ask(tmp_path: Path, line: str) -> None:
    hears = f'[operators.hears]\nhost = "h"\nsystem_id = "x"\nbind = "receiver"\n{line}\n'
    found = problems(written(tmp_path, f"{MINIMAL}{hears}"))
    assert list(found) == [f"operators.hears.{line.split()[0]}"]
    assert all(problem.hint for problem in found.values())


@pytest.mark.parametrize(
    ("host", "becomes"),
    [
        ("smpp.example.net", "smpp.example.net"),
        ("SMPP.example.net.", "SMPP.example.net."),
        ("localhost", "localhost"),
        ("smsc_1", "smsc_1"),
        ("3com.example", "3com.example"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("smpp.móvil.example", "smpp.xn--mvil-qqa.example"),
        ("smpp.xn--mvil-qqa.example", "smpp.xn--mvil-qqa.example"),
        ("smpp。例え.example", "smpp.xn--r8jz45g.example"),
    ],
)
def test_hosts_that_can_be_are_taken(tmp_path: Path, host: str, becomes: str) -> None:
    text = MINIMAL.replace(_HOST, f'host = "{host}"')
    assert load_settings(written(tmp_path, text)).operators["movistar"].host == becomes


@given(st.one_of(st.text(), st.text("a-.:1[]%xn\u3002ñ"), st.from_regex(r"[a-z0-9.-]{1,300}")))
@example("\xb9")  # a superscript one is the number 1 in plain letters
def test_whatever_stands_as_a_host_is_taken_or_refused(text: str) -> None:
    reading = Reading(Path(), found={})
    outcome: str | Wrong
    try:
        outcome = Host().read(text, ("host",), reading)
    except Wrong as wrong:
        outcome = wrong
    if isinstance(outcome, Wrong):
        assert outcome.message
        assert outcome.hint
    else:
        assert outcome.isascii()
        assert Host().read(outcome, ("host",), reading) == outcome


def test_what_a_version_lacks_is_told_together_with_other_mistakes(tmp_path: Path) -> None:
    line = 'interface_version = "3.3"\nlong_message = "sar"\nwindow = 0'
    assert set(problems(written(tmp_path, under_movistar(line)))) == {
        "operators.movistar.interface_version",
        "operators.movistar.long_message",
        "operators.movistar.window",
    }


def test_certificates_that_cannot_be_shown_or_believed(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    one = Authority.make(tmp_path / "one", "smpp.example", now + timedelta(days=30))
    other = Authority.make(tmp_path / "other", "smpp.example", now + timedelta(days=30))
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"passphrase"),
        )
    )
    junk = tmp_path / "junk.pem"
    junk.write_text("not PEM", encoding="ascii")

    def tls(ca: object, cert: object, key: object) -> str:
        return f'tls = {{ca_file = "{ca}", cert_file = "{cert}", key_file = "{key}"}}'

    good = written(tmp_path, under_movistar(tls(one.root, one.certificate, one.key)))
    assert load_settings(good).operators["movistar"].tls is not None
    for line, setting, says in (
        (tls(one.root, one.certificate, other.key), "key_file", "is not the key of"),
        (tls(one.root, one.certificate, locked), "key_file", "wants a passphrase"),
        (tls(one.root, one.certificate, junk), "key_file", "no key that can be read"),
        (tls(one.root, junk, one.key), "cert_file", "no certificate that can be read"),
        (tls(junk, one.certificate, one.key), "ca_file", "no certificate that can be read"),
        (tls(one.root, one.certificate, "gone.key"), "key_file", "does not exist"),
    ):
        found = problems(written(tmp_path, under_movistar(line)))
        assert list(found) == [f"operators.movistar.tls.{setting}"]
        (problem,) = found.values()
        assert says in problem.message
        assert problem.hint


def test_the_files_of_tls_are_left_alone_where_secrets_are_not_wanted(tmp_path: Path) -> None:
    line = 'tls = {ca_file = "no.pem", cert_file = "no.pem", key_file = "no.key"}'
    path = written(tmp_path, under_movistar(line))
    assert load_settings(path, secrets=False).operators["movistar"].tls is not None


def test_a_number_too_long_to_be_read_is_no_bug_of_ours(tmp_path: Path) -> None:
    path = written(tmp_path, under_movistar(f"rate = 1{'0' * 5000}"))
    with pytest.raises(ConfigError, match="too many digits"):
        load_settings(path)


def warned(path: Path) -> dict[str, str]:
    return {warning.setting: warning.message for warning in load_settings(path).warnings}


def test_a_route_behind_a_wider_one_is_warned_of(tmp_path: Path) -> None:
    wide = '[[routes]]\nto = ["+346"]\noperators = ["movistar"]\nfrom = ["ACME"]\n'
    other = '[[routes]]\nto = ["+33"]\noperators = ["movistar"]\n'
    found = warned(written(tmp_path, f"{MINIMAL}{other}{wide}"))
    assert "routes[0] fits whatever it fits" in found["routes[2]"]
    assert "routes[1]" not in found


def test_a_narrower_route_before_a_wider_one_is_fine(tmp_path: Path) -> None:
    last = '[[routes]]\noperators = ["movistar"]\n'
    assert not any("routes" in setting for setting in warned(written(tmp_path, MINIMAL + last)))


def test_one_account_under_two_names_is_warned_of(tmp_path: Path) -> None:
    second = MINIMAL[MINIMAL.index("[operators") : MINIMAL.index("[[routes")].replace(
        "movistar", "again"
    )
    both = MINIMAL.replace('["movistar"]', '["movistar", "again"]')
    found = warned(written(tmp_path, f"{both}\n{second}"))
    assert "is the account of operators.movistar" in found["operators.again"]


def test_brands_may_name_any_sender_where_none_is_declared(tmp_path: Path) -> None:
    text = MINIMAL + "[brands.acme]\nsenders = ['ACME']\n"
    assert load_settings(written(tmp_path, text)).brands["acme"].senders == ("ACME",)
