"""What is known by hand about numbers and places, and why: input of `make_prefixes`.

Published numbering data gives states and countries reliably and time zones badly: whole area codes
in the wrong zone, area codes in service called invalid, two-zone area codes with one zone.
"""

from __future__ import annotations

#: State → its zones, most populous first. Parts of a state on another clock count: people move.
STATE_ZONES: dict[str, str] = {
    "AK": "America/Anchorage America/Adak",
    "AZ": "America/Phoenix America/Denver",  # the Navajo Nation changes its clocks
    "FL": "America/New_York America/Chicago",
    "HI": "Pacific/Honolulu",
    "ID": "America/Boise America/Los_Angeles",
    "IN": "America/Indiana/Indianapolis America/Chicago",
    "KS": "America/Chicago America/Denver",
    "KY": "America/New_York America/Chicago",
    "MI": "America/Detroit America/Menominee",
    "ND": "America/Chicago America/Denver",
    "NE": "America/Chicago America/Denver",
    "NV": "America/Los_Angeles America/Denver",
    "OR": "America/Los_Angeles America/Boise",
    "SD": "America/Chicago America/Denver",
    "TN": "America/Chicago America/New_York",
    "TX": "America/Chicago America/Denver",
    **dict.fromkeys(("CA", "WA"), "America/Los_Angeles"),
    **dict.fromkeys(("CO", "MT", "NM", "UT", "WY"), "America/Denver"),
    **dict.fromkeys(("AL", "AR", "IA", "IL", "LA"), "America/Chicago"),
    **dict.fromkeys(("MN", "MO", "MS", "OK", "WI"), "America/Chicago"),
    **dict.fromkeys(("CT", "DC", "DE", "GA", "MA", "MD"), "America/New_York"),
    **dict.fromkeys(("ME", "NC", "NH", "NJ", "NY", "OH"), "America/New_York"),
    **dict.fromkeys(("PA", "RI", "SC", "VA", "VT", "WV"), "America/New_York"),
}

#: Canadian province → its zones.
PROVINCE_ZONES: dict[str, str] = {
    "AB": "America/Edmonton",
    "BC": "America/Vancouver America/Edmonton America/Dawson_Creek",
    "MB": "America/Winnipeg",
    "NB": "America/Halifax",
    "NL": "America/St_Johns America/Goose_Bay",
    "NS": "America/Halifax",
    "NT": "America/Inuvik",
    "NU": "America/Iqaluit America/Rankin_Inlet America/Inuvik",
    "ON": "America/Toronto America/Winnipeg",
    "PE": "America/Halifax",
    "QC": "America/Toronto America/Halifax",
    "SK": "America/Regina America/Edmonton",
    "YT": "America/Whitehorse",
}

#: Area codes in service or announced that the published data does not know.
UNLISTED: dict[str, str] = {
    "621": "US-TX",
    "679": "US-MI",
    "729": "US-TN",
    "357": "US-CA",
    "837": "US-CA",
    "457": "US-LA",
    "471": "US-MS",
    "483": "US-AL",
}

#: Area codes with more than one zone, or with another one than the published data says.
NPA_ZONES: dict[str, str] = {
    "850 448": "America/New_York America/Chicago",
    "689": "America/New_York",  # Orlando; published as Chicago
    "219 574 812 930": "America/Chicago America/Indiana/Indianapolis",
    "270 364 606": "America/Chicago America/New_York",
    "423 729": "America/New_York America/Chicago",
    "906": "America/Detroit America/Menominee",
    "308 402 531 701 605 620 785": "America/Chicago America/Denver",
    "432": "America/Chicago America/Denver",
    "915": "America/Denver",
    "208 986": "America/Boise America/Los_Angeles",
    "541 458": "America/Los_Angeles America/Boise",
    "775": "America/Los_Angeles America/Denver",
    "928": "America/Phoenix America/Denver",
    "907": "America/Anchorage America/Adak",
    "621": "America/Chicago",
    "679": "America/Detroit",
    "236 250 257 672 778": "America/Vancouver America/Edmonton America/Dawson_Creek",
    "604": "America/Vancouver",
    "807": "America/Toronto America/Winnipeg",
    "709 879": "America/St_Johns America/Goose_Bay",
    "418 581 367": "America/Toronto America/Halifax",
    "306 639 474": "America/Regina America/Edmonton",
}

#: Area codes of more than one province.
NPA_PLACES: dict[str, str] = {
    "782 902": "CA-NS@America/Halifax|CA-PE@America/Halifax",
    "867": "CA-YT@America/Whitehorse|CA-NT@America/Inuvik"
    "|CA-NU@America/Rankin_Inlet America/Iqaluit",
}

#: Other prefixes: wrong, too coarse or too fine in the published data. Keys may list several.
PREFIX_PLACES: dict[str, str] = {
    # Spain: a mobile or nomadic number may live on either clock; fixed ones are where they say.
    "34": "ES@Europe/Madrid|ES-CN@Atlantic/Canary",
    "348 349": "ES@Europe/Madrid",
    "34822 34828 34922 34928": "ES-CN@Atlantic/Canary",
    # France overseas: 590 serves three collectivities with different holidays.
    "590": "GP@America/Guadeloupe|BL@America/Guadeloupe|MF@America/Guadeloupe",
    "262": "RE@Indian/Reunion|YT@Indian/Mayotte",
    "262262 262263 262692 262693": "RE@Indian/Reunion",
    "262269 262639": "YT@Indian/Mayotte",
    # Russia and Kazakhstan share 7; Kazakhstan has one clock since 2024.
    "76 77": "KZ@Asia/Almaty",
    # Smaller countries on a larger one's code.
    "3906698": "VA@Europe/Vatican",
    "441481 447781 447839 4479111 4479117": "GG@Europe/Guernsey",
    "441534 447509 4477003 4477007 4477008 447797 447829 447937": "JE@Europe/Jersey",
    "441624 4474576 447524 447624 447924": "IM@Europe/Isle_of_Man",
    "4779": "SJ@Arctic/Longyearbyen",
    "2125288 2125289": "EH@Africa/El_Aaiun",
    "2908": "TA@Atlantic/St_Helena",
    "35818": "AX@Europe/Mariehamn",
    "5993 5994 5997": "BQ@America/Kralendijk",
    "212": "MA@Africa/Casablanca",  # published as Canary
    "86": "CN@Asia/Shanghai",  # the law's clock; Urumqi's is customary
    "380": "UA@Europe/Kyiv",
    "56": "CL@America/Santiago",
    "383": "XK@Europe/Belgrade",
    "247": "AC@Atlantic/St_Helena",
    "290": "SH@Atlantic/St_Helena",
    "5581 5587": "BR@America/Recife",  # published as Noronha
    "5593 5594": "BR@America/Belem",  # published as Manaus
    "52614 52625 52627 52636 52639": "MX@America/Chihuahua",  # published as Mazatlan
    "52868": "MX@America/Matamoros",  # published as Mexico_City, which has no summer time
}

#: Countries whose area codes, mobile ones too, tell the zone: country, digits of an area code,
#: first digits of a mobile number after it.
BY_AREA_CODE: dict[str, tuple[str, int, str]] = {"52": ("MX", 3, ""), "55": ("BR", 2, "98888")}

#: Country → zones, where the list of the zone database does not fit.
COUNTRY_ZONES: dict[str, str] = {
    "AC": "Atlantic/St_Helena",
    "AU": "Australia/Sydney Australia/Brisbane Australia/Adelaide Australia/Darwin"
    " Australia/Perth Australia/Eucla Australia/Lord_Howe",
    "BR": "America/Sao_Paulo America/Manaus America/Rio_Branco America/Noronha",
    "EC": "America/Guayaquil Pacific/Galapagos",
    "PG": "Pacific/Port_Moresby Pacific/Bougainville",
    "CL": "America/Santiago America/Punta_Arenas Pacific/Easter",
    "CN": "Asia/Shanghai",
    "GP": "America/Guadeloupe",
    "BL": "America/Guadeloupe",
    "MF": "America/Guadeloupe",
    "TA": "Atlantic/St_Helena",
    "UA": "Europe/Kyiv",
    "XK": "Europe/Belgrade",
}

#: First characters of a postcode, or another name of a region → jurisdiction.
POSTCODES: dict[str, dict[str, str]] = {
    "ES": {"35": "ES-CN", "38": "ES-CN", "GC": "ES-CN", "TF": "ES-CN"},
    "FR": {
        "57": "FR-57",
        "67": "FR-67",
        "68": "FR-68",
        "971": "GP",
        "97133": "BL",
        "97150": "MF",
        "972": "MQ",
        "973": "GF",
        "974": "RE",
        "975": "PM",
        "976": "YT",
    },
}

#: US ZIP codes by their first three digits, `from-to`. Military ranges are left out.
ZIP3: dict[str, str] = {
    "AK": "995-999",
    "AL": "350-369",
    "AR": "716-729",
    "AZ": "850-865",
    "CA": "900-961",
    "CO": "800-816",
    "CT": "060-069",
    "DC": "200-200 202-205 569-569",
    "DE": "197-199",
    "FL": "320-339 341-349",
    "GA": "300-319 398-399",
    "HI": "967-968",
    "IA": "500-528",
    "ID": "832-838",
    "IL": "600-629",
    "IN": "460-479",
    "KS": "660-679",
    "KY": "400-427",
    "LA": "700-714",
    "MA": "010-027 055-055",
    "MD": "206-219",
    "ME": "039-049",
    "MI": "480-499",
    "MN": "550-567",
    "MO": "630-658",
    "MS": "386-397",
    "MT": "590-599",
    "NC": "270-289",
    "ND": "580-588",
    "NE": "680-693",
    "NH": "030-038",
    "NJ": "070-089",
    "NM": "870-884",
    "NV": "889-898",
    "NY": "005-005 100-149",
    "OH": "430-459",
    "OK": "730-732 734-749",
    "OR": "970-979",
    "PA": "150-196",
    "RI": "028-029",
    "SC": "290-299",
    "SD": "570-577",
    "TN": "370-385",
    "TX": "733-733 750-799 885-885",
    "UT": "840-847",
    "VA": "201-201 220-246",
    "VT": "050-054 056-059",
    "WA": "980-994",
    "WI": "530-549",
    "WV": "247-268",
    "WY": "820-831",
}
