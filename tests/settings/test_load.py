"""What an operator writes into the configuration, and what Acuse makes of it."""

from __future__ import annotations

import contextlib
import string
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from gateway.errors import ConfigError
from gateway.settings import KeySource, Settings, load_admin_socket, load_settings, settings_digest

if TYPE_CHECKING:
    from pathlib import Path

MINIMAL = """\
[gateway]
name = "sms.example.es"
data_dir = "data"
admin_socket = "admin.sock"

[operators.movistar]
host = "127.0.0.1"
system_id = "acme01"
password = "secret"
receipt_means = "handset"

[[routes]]
to = ["+34"]
operators = ["movistar"]
"""


def written(directory: Path, text: str, mode: int = 0o600) -> Path:
    path = directory / "acuse.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def problems(path: Path) -> dict[str, ConfigError]:
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    return {str(problem.fields["setting"]): problem for problem in caught.value.problems}


def changed(old: str, new: str) -> str:
    assert old in MINIMAL
    return MINIMAL.replace(old, new)


def under_movistar(line: str) -> str:
    return changed('system_id = "acme01"', f'system_id = "acme01"\n{line}')


def test_the_required_settings_are_enough(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, MINIMAL))
    assert settings.origin == "sms.example.es/1"
    assert settings.gateway.data_dir == tmp_path / "data"
    assert settings.gateway.confirm_within_s == 259_200
    movistar = settings.operators["movistar"]
    assert (movistar.name, movistar.port, movistar.window, movistar.rate) == (
        "movistar",
        2775,
        10,
        50.0,
    )
    assert movistar.reconnect_s == (1.0, 60.0)
    assert movistar.password.reveal() == "secret"
    assert movistar.tls is None
    assert settings.routes[0].operators == ("movistar",)
    assert settings.admin.roles.operator == ()


def test_everything_at_once_is_read(tmp_path: Path) -> None:
    text = MINIMAL + (
        '[issuer]\nlegal_name = "Ejemplo"\nlanguage = "en"\n'
        '[brands.acme]\nsenders = ["ACME", "+34600111222"]\n'
        '[[brands.acme.windows]]\nzone = "Europe/London"\nopen = "18:00"\nclose = "02:00"\n'
        'applies = ["otp"]\n'
        "[senders.ACME]\n[senders.21234]\n[senders.'+34600111222']\nkind = 'toll_free'\n"
        '[[routes]]\noperators = "movistar"\nfrom = "ACME"\nbrand = ["acme"]\ncategory = ["otp"]\n'
        '[admin]\nroles.operator = ["root"]\n'
    )
    settings = load_settings(written(tmp_path, text))
    assert settings.warnings == ()
    assert [sender.kind for sender in settings.senders.values()] == [
        "alphanumeric",
        "short_code",
        "toll_free",
    ]
    assert settings.brands["acme"].windows[0].as_dict() == {
        "zone": "Europe/London",
        "open": "18:00",
        "close": "02:00",
        "days": "mon-sun",
        "applies": ["otp"],
    }
    route = settings.routes[1]
    assert (route.to, route.senders, route.categories) == (("+",), ("ACME",), ("otp",))
    assert route.fits(to="+33639980001", sender="ACME", brand="acme", category="otp")
    assert not route.fits(to="+33639980001", sender="ACME", brand="acme", category="debt_claim")
    assert not settings.routes[0].fits(to="+33639980001", sender="", brand="", category="otp")
    assert settings.admin.roles.operator == ("root",)


@pytest.mark.parametrize(
    ("line", "setting", "says", "hints"),
    [
        ("window = 0", "window", "0 is out of range", "from 1 to 10000"),
        ("window = 10001", "window", "10001 is out of range", "from 1 to 10000"),
        ("window = 1.5", "window", "must be a whole number, not a number", "whole number"),
        ("window = true", "window", "not true or false", "whole number"),
        ('window = "10"', "window", "not text", "whole number"),
        ("rate = 0", "rate", "0 is out of range", "more than 0"),
        ("rate = nan", "rate", "nan is out of range", "more than 0"),
        ("rate = [1]", "rate", "not a list", "number"),
        ("port = 70000", "port", "70000 is out of range", "65535"),
        ("response_timeout_s = -1", "response_timeout_s", "-1 is out of range", "more than 0"),
        ("reconnect_s = 5", "reconnect_s", "list of two numbers", "[1, 60]"),
        ("reconnect_s = [60, 1]", "reconnect_s", "60 is longer than 1", "first"),
        ("inactivity_s = 30", "inactivity_s", "not longer than enquire_link_s", "twice"),
        ("windw = 5", "windw", "is not a setting", "did you mean window?"),
        ("Window = 5", "Window", "is not a setting", "did you mean window?"),
        ("zzz = 5", "zzz", "is not a setting", "known here: host, port"),
        ('bind = "tranceiver"', "bind", "'tranceiver' is not possible", "transceiver?"),
        ('interface_version = "4.0"', "interface_version", "'4.0'", "5.0"),
        ('interface_version = "3.3"', "interface_version", "3.3 has no transceiver", "split"),
        ("rate = -5", "rate", "-5 is out of range", "more than 0"),
        ("session_init_s = 0", "session_init_s", "0 is out of range", "more than 0"),
        ("receipt_means = 1979-05-27", "receipt_means", "not a date or time", "quotes"),
        ('receipt_utc_offset = "1"', "receipt_utc_offset", "not a distance", "+01:00"),
        ('receipt_utc_offset = "+25:00"', "receipt_utc_offset", "not a distance", "+01:00"),
        ('dialect = "klingon"', "dialect", "no dialect 'klingon'", "generic"),
        ('system_type = "thirteen char"', "system_type", "13 octets", "operator"),
        ('system_type = "tab\\t"', "system_type", "control character", "one line"),
        ("tls = 5", "tls", "must be false or a table", "ca_file"),
        ("tls = {ca_file = 'nope.pem'}", "tls.ca_file", "does not exist", "correct the path"),
        ("tls = {ca_file = '.'}", "tls.ca_file", "is a directory", "name the file"),
        (
            "tls = {ca_file = 'system', cert_file = '/dev/null'}",
            "tls.key_file",
            "is missing, though cert_file",
            "two",
        ),
        (
            "tls = {ca_file = 'system', key_file = '/dev/null'}",
            "tls.cert_file",
            "is missing, though key_file",
            "two",
        ),
    ],
)
def test_a_bad_operator_setting_is_named_with_its_line(
    tmp_path: Path, line: str, setting: str, says: str, hints: str
) -> None:
    text = under_movistar(line)
    if line.startswith("receipt_means"):
        text = text.replace('receipt_means = "handset"\n', "")
    found = problems(written(tmp_path, text))
    assert list(found) == [f"operators.movistar.{setting}"]
    (problem,) = found.values()
    assert says in problem.message
    assert hints in problem.hint
    if not setting.startswith(("tls", "inactivity")):
        assert problem.fields["line"] == text.split("\n").index(line) + 1


@pytest.mark.parametrize(
    ("old", "new", "setting", "says", "hints"),
    [
        ('name = "sms.example.es"', "", "gateway.name", "is missing", "for example"),
        ('"sms.example.es"', '"my gateway"', "gateway.name", "not possible", "no spaces"),
        ('"sms.example.es"', '"a+b"', "gateway.name", "not possible", "no plus"),
        ('"sms.example.es"', '""', "gateway.name", "is empty", "no spaces"),
        ('"data"', '"acuse.toml"', "gateway.data_dir", "is not a directory", "directory"),
        ('"admin.sock"', f'"/{"x" * 107}"', "gateway.admin_socket", "108 octets", "shorter"),
        ('"acme01"', '"sixteen-octets-x"', "operators.movistar.system_id", "16 octets", ""),
        ('"acme01"', '"añil"', "operators.movistar.system_id", "is not ASCII", ""),
        ('"secret"', '"ninechars"', "operators.movistar.password", "9 octets", "operator"),
        ('"secret"', '"pässe"', "operators.movistar.password", "printable ASCII", ""),
        ('"secret"', "5", "operators.movistar.password", "text or a table", "credential"),
        ('"secret"', "{}", "operators.movistar.password", "names no source", "file"),
        ('"secret"', "{flie = 'x'}", "operators.movistar.password.flie", "not a setting", "file?"),
        ('"secret"', "{file = 'x'}", "operators.movistar.password", "does not exist", ""),
        ('"secret"', "{credential = '../x'}", "operators.movistar.password", "not the name", ""),
        ('"127.0.0.1"', '"example.net:2775"', "operators.movistar.host", "more than", "port"),
        ('"127.0.0.1"', '"a b"', "operators.movistar.host", "is not a host", ""),
        ("operators.movistar", 'operators."no space"', 'operators."no space"', "not poss", "at"),
        ('["movistar"]', '["movistr"]', "routes[0].operators[0]", "no operator", "movistar?"),
        ('["movistar"]', "[]", "routes[0].operators", "empty list", "at least one"),
        ('["+34"]', '["34"]', "routes[0].to[0]", "not possible", '"+34"'),
        ('["+34"]', '["+34", "+34"]', "routes[0].to", "twice", "once"),
        ('["+34"]', '["+34"]\nbrand = ["acme"]', "routes[0].brand[0]", "no brand 'acme'", ""),
        ('["+34"]', '["+34"]\nstrategy = "random"', "routes[0].strategy", "not pos", "balance"),
        ('["+34"]', '["+34"]\nweights = [3, 1]', "routes[0].weights", "2 for 1", "one weight"),
        ('["+34"]', '["+34"]\nweights = [0]', "routes[0].weights", "out of range", "1"),
        ('["+34"]', '["+34"]\nweights = 3', "routes[0].weights", "must be a list", "brackets"),
        ('["movistar"]', '["nowhere"]', "routes[0].operators[0]", "no operator 'nowhere'", ""),
        ("[[routes]]", "[routes]", "routes", "list of tables, not a table", "[[...]]"),
    ],
)
def test_what_cannot_work_is_said_with_a_way_out(
    tmp_path: Path, old: str, new: str, setting: str, says: str, hints: str
) -> None:
    found = problems(written(tmp_path, changed(old, new)))
    assert setting in found
    assert says in found[setting].message
    assert hints in found[setting].hint
    assert isinstance(found[setting].fields["line"], int)


@pytest.mark.parametrize(
    ("more", "setting", "says"),
    [
        ("[senders.ABCDEFGHIJKL]\n", "senders.ABCDEFGHIJKL", "not possible"),
        ("[senders.ACME]\nkind = 'long_code'\n", "senders.ACME.kind", "cannot be long_code"),
        ("[brands.acme]\nsenders = ['ABCDEFGHIJKL']\n", "brands.acme.senders[0]", "not possible"),
        ("[brands]\nacme = 5\n", "brands.acme", "must be a table"),
        ("[brands.acme]\nwindows = 5\n", "brands.acme.windows", "must be a list of tables"),
        ("[brands.acme]\nwindows = [5]\n", "brands.acme.windows[0]", "must be a table"),
        ("[brands.acme]\ninfo_url = 'acme.example'\n", "brands.acme.info_url", "not possible"),
        ("[ledger]\nkey = 5\n", "ledger.key", "must be a table"),
        ("[ledger]\nkey = {file = 'k', credential = 'k'}\n", "ledger.key", "two"),
        ("[ledger]\nkey = {credential = 'k'}\n", "ledger.key", "CREDENTIALS_DIRECTORY is not set"),
        ("[admin]\ngroup = 'no-such-group'\n", "admin.group", "no group 'no-such-group'"),
        ("[metrics]\nlisten = '127.0.0.1:9464'\n", "metrics", "is not a setting"),
        ("[[timestamps]]\nname = 'x'\n", "timestamps", "is not a setting"),
        ("[gatewy]\n", "gatewy", "is not a setting"),
    ],
)
def test_a_table_that_cannot_work(tmp_path: Path, more: str, setting: str, says: str) -> None:
    found = problems(written(tmp_path, MINIMAL + more))
    assert list(found) == [setting]
    assert says in found[setting].message
    assert found[setting].hint


@pytest.mark.parametrize(
    ("line", "setting", "says", "hints"),
    [
        ('zone = "Europe/Londn"', "zone", "not a time zone", "Europe/London?"),
        ('zone = "Xyzzy"', "zone", "not a time zone", "Europe/Madrid"),
        ('open = "25:00"', "open", "not a time of day", "08:00"),
        ('open = "24:00"', "open", "not a time of day", "08:00"),
        ('close = "00:00"', "close", "beginning of the day", "24:00"),
        ('close = "18:00"', "close", "opens and closes at 18:00", "24:00"),
        ('days = "lun-vie"', "days", "not possible", "mon-sun"),
        ("applies = []", "applies", "empty list", "at least one"),
        ('applies = ["otpp"]', "applies[0]", "not possible", "otp?"),
    ],
)
def test_a_brands_window_that_cannot_be(
    tmp_path: Path, line: str, setting: str, says: str, hints: str
) -> None:
    good = {"zone": 'zone = "Europe/London"', "open": 'open = "18:00"', "close": 'close = "02:00"'}
    good[line.split(" ")[0]] = line
    text = MINIMAL + "[[brands.acme.windows]]\n" + "\n".join(good.values())
    found = problems(written(tmp_path, text))
    assert list(found) == [f"brands.acme.windows[0].{setting}"]
    (problem,) = found.values()
    assert says in problem.message
    assert hints in problem.hint


def test_all_problems_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = (
        '[gateway]\nname = "a b"\ndata_dir = 5\n[operators.a]\nhost = "h"\nwindow = 0\n'
        'system_id = "x"\n[operators.b]\nwindoow = 1\n[[routes]]\noperators = ["c"]\n[metrics]\n'
    )
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    assert [
        (problem.fields["setting"], problem.fields["line"]) for problem in caught.value.problems
    ] == [
        ("gateway.admin_socket", 1),
        ("gateway.name", 2),
        ("gateway.data_dir", 3),
        ("operators.a.window", 6),
        ("operators.b.host", 8),
        ("operators.b.system_id", 8),
        ("operators.b.windoow", 9),
        ("routes[0].operators[0]", 11),
        ("metrics", 12),
    ]
    assert caught.value.message == f"{path} has 9 problems"
    assert caught.value.exit_code == 78


def test_a_single_problem_is_told_whole(tmp_path: Path) -> None:
    path = written(tmp_path, under_movistar("window = 0"))
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    assert caught.value.message == f"{path}: operators.movistar.window: 0 is out of range"
    assert caught.value.fields["setting"] == "operators.movistar.window"
    assert caught.value.hint == "from 1 to 10000"


def test_nothing_configured_at_all(tmp_path: Path) -> None:
    assert set(problems(written(tmp_path, ""))) == {"gateway", "operators", "routes"}


@pytest.mark.parametrize(("more", "setting"), [("operators = {}", "operators"), ("", "")])
def test_tables_without_anything_in_them(tmp_path: Path, more: str, setting: str) -> None:
    found = problems(written(tmp_path, f"routes = []\noperators = {{}}\n{more and ''}"))
    assert "at least one is needed" in found["operators"].hint
    assert "at least one is needed" in found["routes"].hint


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("[gateway\n", 1, 9),
        ("[gateway]\nname = \n", 2, 8),
        ('[gateway]\nname = "x', 2, 10),
        ("a = 1\na = 2\n", 2, 6),
    ],
)
def test_malformed_toml_names_line_and_column(
    tmp_path: Path, text: str, line: int, column: int
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError, match="is not TOML") as caught:
        load_settings(path)
    assert caught.value.fields["line"] == line
    assert caught.value.fields["column"] == column
    assert f"line {line}, column {column}" in caught.value.message
    assert caught.value.hint


def test_toml_nested_without_end_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not TOML"):
        load_settings(written(tmp_path, "a = " + "[" * 100_000))


def test_files_that_are_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no configuration") as caught:
        load_settings(tmp_path / "nope.toml")
    assert "--config" in caught.value.hint
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_settings(tmp_path)
    path = tmp_path / "latin.toml"
    path.write_bytes(b"[gateway]\n# se\xf1or\n")
    with pytest.raises(ConfigError, match="is not UTF-8") as caught:
        load_settings(path)
    assert caught.value.fields["line"] == 2
    path.write_bytes(b"#" * (4 * 1024 * 1024 + 1))
    with pytest.raises(ConfigError, match="not a configuration"):
        load_settings(path)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_clear_password_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = written(tmp_path, MINIMAL, mode)
    found = problems(path)
    assert list(found) == ["operators.movistar.password"]
    assert "chmod 600" in found["operators.movistar.password"].hint
    assert load_settings(path, secrets=False).gateway.name == "sms.example.es"
    path.chmod(0o600)
    assert load_settings(path).gateway.name == "sms.example.es"


def test_a_password_can_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    secret = tmp_path / "movistar.pw"
    secret.write_text("hunter2\n")
    secret.chmod(0o644)
    path = written(tmp_path, changed('"secret"', '{file = "movistar.pw"}'), 0o644)
    settings = load_settings(path)
    assert settings.operators["movistar"].password.reveal() == "hunter2"
    assert ("operators.movistar.password", f"chmod 600 {secret}") in [
        (warning.setting, warning.hint) for warning in settings.warnings
    ]
    secret.write_bytes(b"\xff\xfe")
    assert "ASCII" in problems(path)["operators.movistar.password"].message


def test_credentials_come_from_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    path = written(
        tmp_path,
        changed('"secret"', '{credential = "movistar"}')
        + '[ledger]\nkey = {credential = "ledger-key"}\n',
    )
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    found = problems(path)
    assert set(found) == {"operators.movistar.password", "ledger.key"}
    assert "LoadCredential=movistar:PATH" in found["operators.movistar.password"].hint
    (credentials / "movistar").write_text("hunter2")
    (credentials / "movistar").chmod(0o600)
    (credentials / "ledger-key").write_text("k")
    (credentials / "ledger-key").chmod(0o604)
    assert "read by everybody" in problems(path)["ledger.key"].message
    (credentials / "ledger-key").chmod(0o600)
    settings = load_settings(path)
    assert settings.operators["movistar"].password.reveal() == "hunter2"
    assert isinstance(settings.ledger.key, KeySource)
    assert settings.ledger.key.path == credentials / "ledger-key"
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    without = load_settings(path, secrets=False)
    assert isinstance(without.ledger.key, KeySource)
    assert without.ledger.key.path is None
    assert without.digest == settings.digest


def test_warnings_say_what_works_and_is_probably_not_meant(tmp_path: Path) -> None:
    text = (
        changed('receipt_means = "handset"\n', "")
        + '[operators.silent]\nhost = "h"\nsystem_id = "x"\nbind = "transmitter"\n'
        + '[operators.ears]\nhost = "h"\nsystem_id = "x"\npassword = ""\nbind = "receiver"\n'
        + 'receipt_means = "smsc"\n[admin]\nroles.read = ["no-such-group"]\n'
    )
    warned = {item.setting: item for item in load_settings(written(tmp_path, text)).warnings}
    assert set(warned) == {
        "issuer.legal_name",
        "operators.movistar.receipt_means",
        "operators.silent",
        "operators.silent.bind",
        "operators.silent.password",
        "admin.roles.read[0]",
    }
    assert "counts as smsc" in warned["operators.movistar.receipt_means"].message
    assert all(item.hint for item in warned.values())


@pytest.mark.parametrize(
    ("text", "seconds"), [("+01:00", 3600), ("-05:30", -19800), ("Z", 0), ("+00:00", 0)]
)
def test_the_receipts_offset_is_at_hand_in_seconds(tmp_path: Path, text: str, seconds: int) -> None:
    path = written(tmp_path, under_movistar(f'receipt_utc_offset = "{text}"'))
    assert load_settings(path).operators["movistar"].receipt_utc_offset_s == seconds
    assert (
        load_settings(written(tmp_path, MINIMAL)).operators["movistar"].receipt_utc_offset is None
    )


def test_a_brand_may_leave_the_zone_to_the_recipient(tmp_path: Path) -> None:
    more = "[[brands.acme.windows]]\nopen = '08:00'\nclose = '20:00'\n"
    brand = load_settings(written(tmp_path, MINIMAL + more)).brands["acme"]
    assert "zone" not in brand.windows[0].as_dict()


@pytest.mark.parametrize(
    ("tls", "given"),
    [("false", False), ("{ca_file='system'}", True), ("{ca_file='system', server_name='x'}", True)],
)
def test_tls_is_off_or_a_table(tmp_path: Path, tls: str, given: bool) -> None:
    operator = load_settings(written(tmp_path, under_movistar(f"tls = {tls}"))).operators
    assert (operator["movistar"].tls is not None) is given


def test_a_route_cannot_send_through_a_receiver(tmp_path: Path) -> None:
    found = problems(written(tmp_path, under_movistar('bind = "receiver"')))
    assert "cannot send" in found["routes[0].operators[0]"].message


def test_a_password_never_shows(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, MINIMAL))
    password = settings.operators["movistar"].password
    assert "secret" not in repr(settings).replace("<secret from clear>", "")
    assert str(password) == "<secret from clear>"
    assert f"{password}" == "<secret from clear>"
    error = problems(written(tmp_path, changed('"secret"', '"much too long"')))
    assert "much too long" not in str(error["operators.movistar.password"].as_dict())


def test_passwords_are_equal_only_with_the_same_value_and_source(tmp_path: Path) -> None:
    one = load_settings(written(tmp_path, MINIMAL)).operators["movistar"].password
    same = load_settings(written(tmp_path, MINIMAL)).operators["movistar"].password
    other = load_settings(written(tmp_path, changed('"secret"', '"other"')))
    assert one == same
    assert hash(one) == hash(same)
    assert one != other.operators["movistar"].password
    assert one != "secret"


def test_the_digest_tells_configurations_apart_but_not_passwords(tmp_path: Path) -> None:
    def digest(text: str) -> str:
        return load_settings(written(tmp_path, text)).digest

    first = digest(MINIMAL)
    assert len(first) == 64
    assert digest("# a comment\n" + MINIMAL) == first
    assert digest(under_movistar("window = 10")) == first
    assert digest(changed('"secret"', '"other"')) == first
    assert digest(under_movistar("window = 11")) != first
    assert digest(changed('"secret"', '""')) == first


def test_the_digest_is_the_settings_own(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, MINIMAL))
    assert settings_digest(settings) == settings.digest


def test_the_admin_socket_is_found_in_a_configuration_that_is_wrong_elsewhere(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, under_movistar("window = 0") + "[metrics]\n", 0o644)
    assert load_admin_socket(path) == tmp_path / "admin.sock"
    for text in ("", "gateway = 5\n", "[gateway]\n"):
        with pytest.raises(ConfigError, match=r"gateway\.admin_socket: is missing"):
            load_admin_socket(written(tmp_path, text))
    with pytest.raises(ConfigError, match="must be text"):
        load_admin_socket(written(tmp_path, "[gateway]\nadmin_socket = 5\n"))


def _mutations() -> st.SearchStrategy[str]:
    """The minimal configuration with one key misspelt by one character."""
    keys = [line.split(" = ")[0] for line in MINIMAL.split("\n") if " = " in line]

    def misspell(key: str, at: int, letter: str) -> str:
        at %= len(key)
        wrong = key[:at] + letter + key[at + 1 :]
        return MINIMAL.replace(f"\n{key} = ", f"\n{wrong} = ", 1)

    return st.builds(
        misspell,
        st.sampled_from(keys),
        st.integers(0, 20),
        st.sampled_from(string.ascii_lowercase + "_"),
    ).filter(lambda text: text != MINIMAL)


@bounded(deadline=None, max_examples=60)
@given(_mutations())
def test_a_misspelt_key_is_never_taken_silently(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = written(tmp_path_factory.getbasetemp(), text)
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    unknown = [item for item in caught.value.problems if item.message == "is not a setting"]
    assert len(unknown) == 1
    assert unknown[0].hint
    line = unknown[0].fields["line"]
    assert isinstance(line, int)
    assert text.split("\n")[line - 1].startswith(str(unknown[0].fields["setting"]).split(".")[-1])


_VALUES = st.recursive(
    st.sampled_from(
        ["true", "-1", "0", "99999999999", "1.5", "inf", '""', '"x"', '"+34"', "1979-05-27"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | inner.map(lambda item: f"{{file = {item}}}")
    ),
    max_leaves=4,
)


@bounded(deadline=None, max_examples=150)
@given(
    st.sampled_from([line for line in MINIMAL.split("\n") if " = " in line]),
    _VALUES,
)
def test_any_value_gives_settings_or_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, line: str, value: str
) -> None:
    text = MINIMAL.replace(line, f"{line.split(' = ')[0]} = {value}")
    path = written(tmp_path_factory.getbasetemp(), text)
    with contextlib.suppress(ConfigError):
        assert isinstance(load_settings(path), Settings)


SECOND = """
[operators.vodafone]
host = "127.0.0.2"
system_id = "acme02"
password = "secret"
receipt_means = "handset"
"""


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        ("default_alphabet", 'default_alphabet = "latin1"'),
        ("national_tables", 'national_tables = ["spanish"]'),
        ("gsm7_packing", 'gsm7_packing = "packed"'),
        ("long_message", 'long_message = "sar"'),
    ],
)
def test_operators_of_one_route_cut_texts_alike(tmp_path: Path, setting: str, line: str) -> None:
    text = changed('operators = ["movistar"]', 'operators = ["movistar", "vodafone"]')
    found = problems(written(tmp_path, f"{text}{SECOND}{line}"))
    problem = found["routes[0].operators"]
    assert setting in problem.message
    assert "route of their own" in str(problem.hint)
    both = text.replace('system_id = "acme01"', f'system_id = "acme01"\n{line}')
    load_settings(written(tmp_path, f"{both}{SECOND}{line}"))


def test_one_table_and_a_list_of_one_are_the_same(tmp_path: Path) -> None:
    text = under_movistar('national_tables = "spanish"')
    text = text.replace('operators = ["movistar"]', 'operators = ["movistar", "vodafone"]')
    load_settings(written(tmp_path, f'{text}{SECOND}national_tables = ["spanish"]'))


@pytest.mark.parametrize("line", ['national_tables = ["spanish"]', 'gsm7_packing = "packed"'])
def test_what_is_for_seven_bits_needs_seven_bits(tmp_path: Path, line: str) -> None:
    text = under_movistar(f'default_alphabet = "latin1"\n{line}')
    (name,) = problems(written(tmp_path, text))
    assert name == f"operators.movistar.{line.split(' ')[0]}"


def test_a_language_without_tables_here_is_refused(tmp_path: Path) -> None:
    found = problems(written(tmp_path, under_movistar('national_tables = ["hindi"]')))
    assert "'hindi'" in found["operators.movistar.national_tables[0]"].message


def test_a_brand_asks_for_substitution_with_true_or_false(tmp_path: Path) -> None:
    brand = "\n[brands.acme]\nsubstitute = "
    assert load_settings(written(tmp_path, f"{MINIMAL}{brand}true")).brands["acme"].substitute
    found = problems(written(tmp_path, f'{MINIMAL}{brand}"yes"'))
    assert "true or false" in found["brands.acme.substitute"].message


def test_a_sender_of_twelve_letters_is_refused(tmp_path: Path) -> None:
    text = f'{MINIMAL}\n[brands.acme]\nsenders = ["TWELVELETTER"]\n'
    found = problems(written(tmp_path, text))
    assert "at most 11" in str(found["brands.acme.senders[0]"].hint)
    found = problems(written(tmp_path, f'{MINIMAL}\n[senders.TWELVELETTER]\nkind = "alphanumeric"'))
    assert any("TWELVELETTER" in name for name in found)


def test_a_request_to_confirm_is_filled_in_only_with_what_there_is(tmp_path: Path) -> None:
    def brand(text: str) -> str:
        return f"{MINIMAL}\n[brands.acme]\ndouble_opt_in_text = '{text}'\n"

    good = load_settings(written(tmp_path, brand("ACME: {types}? {stop} {link} {code}")))
    assert good.brands["acme"].confirm_opt_out is True
    for text in ("ACME: {name}", "ACME: {", "ACME: {}"):
        (setting,) = problems(written(tmp_path, brand(text)))
        assert setting == "brands.acme.double_opt_in_text"
