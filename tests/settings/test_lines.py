"""A problem's line number is where the person must look."""

from __future__ import annotations

import tomllib

from gateway.settings.lines import line_of, locate

TEXT = '''\
# comment = 1 \u2028 still one line
top = 1
[a]
x = 1   # a ] in a comment
y = """
no = 1
[no]
"""
z = [
  1, # ]
  "]",
]
[a.'b c']
"q.r" = {s = 1, t = [2]}
u.v = 1
[[list]]
k = 1
[list.sub]
m = 1
[[list]]
k = 2
  [[list.inner]]
  n = "\'\'\'"  # \'\'\'
  o = "a\\"["
  p = \'\'\'x
  [no]\'\'\'
  q = 1
'''


def test_keys_and_headers_are_found_where_they_stand() -> None:
    tomllib.loads(TEXT)
    found = locate(TEXT)
    assert found == {
        ("top",): 2,
        ("a",): 3,
        ("a", "x"): 4,
        ("a", "y"): 5,
        ("a", "z"): 9,
        ("a", "b c"): 13,
        ("a", "b c", "q.r"): 14,
        ("a", "b c", "u"): 15,
        ("a", "b c", "u", "v"): 15,
        ("list", 0): 16,
        ("list", 0, "k"): 17,
        ("list", 0, "sub"): 18,
        ("list", 0, "sub", "m"): 19,
        ("list", 1): 20,
        ("list", 1, "k"): 21,
        ("list", 1, "inner", 0): 22,
        ("list", 1, "inner", 0, "n"): 23,
        ("list", 1, "inner", 0, "o"): 24,
        ("list", 1, "inner", 0, "p"): 25,
        ("list", 1, "inner", 0, "q"): 27,
    }


def test_what_has_no_line_gets_that_of_what_holds_it() -> None:
    found = locate(TEXT)
    assert line_of(found, ("a", "b c", "q.r", "s")) == 14
    assert line_of(found, ("list", 1, "missing")) == 20
    assert line_of(found, ("nowhere",)) is None
